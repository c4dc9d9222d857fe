#pragma once

#include <string>

#include "storage/state/state.pb.h"

namespace reinstate {

// Why a restore was cancelled: with its batch, or by itself. The first is taken back by a retry of
// the batch, the second is a decision about that tenant, which a retry leaves as it is. Told apart
// by the `cancel_reason` of the restore, which only these two know how to read. Pure.

// The reason with which the restores of `batch`, which is being cancelled, are cancelled.
std::string BatchCancelReason(const state::BatchRecord& batch);

// Whether `restore`, which was cancelled, was so with its batch.
bool WasCancelledWithBatch(const state::RestoreRecord& restore);

}  // namespace reinstate
