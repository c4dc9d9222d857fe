#pragma once

#include "absl/status/status.h"
#include "server/jobs/batch_view.h"
#include "storage/state/state_store.h"

namespace reinstate {

// What a batch with these lines would be, before anything of it is stored.
BatchView DraftView(const state::BatchRecord& batch, const BatchParts& parts);

// BATCH_LINES_INVALID if no line is left to restore, or one is invalid and must not be skipped.
absl::Status CheckInvalid(const BatchParts& parts, bool skip_invalid);

}  // namespace reinstate
