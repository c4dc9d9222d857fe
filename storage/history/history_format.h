#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/history/history.pb.h"
#include "storage/history/history_db.h"
#include "storage/history/snapshot_info.h"

namespace reinstate {

// Whom a history belongs to and what must be in it, looked at before anything is written.
struct FormatExpectations {
  std::vector<Witness> witnesses;
  std::string state_id;
  bool accept_other_state = false;
};

// Whether `existing` (null: there is none yet) may be opened for writing. HISTORY_INCOMPLETE if a
// witnessed snapshot is missing or differs; HISTORY_WRONG_FORMAT; STATE_LOST.
absl::Status CheckFormat(const HistoryDb* existing, const FormatExpectations& expectations);

// The mark of an existing history, whomever it belongs to. HISTORY_WRONG_FORMAT.
absl::StatusOr<history::Format> LoadFormat(const HistoryDb& db);

// Marks a new history as one, or an existing one as belonging to `state_id`, and makes sure that
// its sequence number is not 0. Returns the mark.
absl::StatusOr<history::Format> EnsureFormat(HistoryDb* db, const std::string& state_id);

}  // namespace reinstate
