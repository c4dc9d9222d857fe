#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

// A history that is open, and whether it may be written.
struct OpenedHistory {
  std::unique_ptr<History> history;
  absl::Status read_only;  // why it may not; OK if it may
};

// Opens the history that goes with `state`, whose id and witnesses are put into `options`. Where
// the two do not fit (STATE_LOST, HISTORY_INCOMPLETE) the history is opened for reading only, or,
// with `accept`, as it is.
absl::StatusOr<OpenedHistory> OpenHistory(HistoryOptions options, const StateStore& state,
                                          bool accept);

// STATE_LOST if the history has a snapshot that `state` neither witnesses nor is just taking: then
// the state is an older copy, and what it says of restores is out of date.
absl::Status CheckStateIsCurrent(const History& history, const std::vector<uint32_t>& lineages,
                                 const StateStore& state);

// Makes the witnesses those of the snapshots that the history has: an operator has accepted it.
absl::Status AcceptHistory(const History& history, const std::vector<uint32_t>& lineages,
                           StateStore* state);

}  // namespace reinstate
