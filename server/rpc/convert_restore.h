#pragma once

#include "absl/status/statusor.h"
#include "reinstate/v1/restore.pb.h"
#include "server/jobs/restore_manager.h"
#include "storage/history/snapshot_info.h"
#include "storage/state/state.pb.h"

// Plans, restores and certificates: from requests to orders, from records to the wire.

namespace reinstate {

// An order without actor, reason and reference. INVALID_ARGUMENT, TENANT_ID_INVALID; `field` is the
// path of `spec` in the request.
absl::StatusOr<state::RestoreOrder> OrderFromWire(const v1::RestoreSpec& spec,
                                                  const std::string& field);
absl::StatusOr<state::RestoreOrder> OrderFromWire(const v1::UndoSpec& spec,
                                                  const std::string& field);

// 32 bytes, or none if `hex` is empty. INVALID_ARGUMENT.
absl::StatusOr<std::string> DigestFromWire(const std::string& field, const std::string& hex);

// How much of a restore to send.
enum class RestoreDetail {
  kListed,  // without tables, conflicts and what hooks printed
  kFull,
};

v1::Restore ToWire(const state::RestoreRecord& record, const RestoreManager::Eta& eta,
                   RestoreDetail detail);

// Without the store's address and the instant of the larger snapshot, which are no part of it.
v1::Plan ToWire(const state::PlanRecord& record);

// The restore says who asked, why, and who resolved it.
v1::Certificate ToWire(const state::Certificate& certificate, const state::RestoreRecord& restore);

// A mode of a request; UNSPECIFIED is CREATE_MISSING. INVALID_ARGUMENT.
absl::StatusOr<state::Mode> ModeFromWire(const std::string& field, v1::RestoreMode mode);

v1::RestoreState ToWire(state::JobState state);
state::JobState FromWire(v1::RestoreState state);

// SUCCEEDED, FAILED, CANCELLED or UNDONE.
bool IsFinal(state::JobState state);

}  // namespace reinstate
