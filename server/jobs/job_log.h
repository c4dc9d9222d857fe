#pragma once

#include <string>

#include "absl/status/status.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// What becomes of jobs, in the daemon's log: nobody may be watching. Failures are errors, what
// needs a look (notes of a collapse, IN_DOUBT) is a warning. Never values of rows.
void LogEnded(const state::HistoryJob& job);
void LogEnded(const state::RestoreRecord& restore);

// A restore of a batch that is to be run again once others of it are done.
void LogWaits(const state::RestoreRecord& restore);

// What became of a hook of `restore`: one that failed is a warning, with the end of what it
// printed.
void LogHook(const std::string& restore, const state::HookOutcome& hook);

// What the schedule wants could not be ordered, and is tried again soon.
void LogNotOrdered(const state::HistoryJob& job, const absl::Status& why);

// The job `id` came to no end that could be recorded, and is run again later.
void LogInterrupted(const std::string& id, const absl::Status& why);

}  // namespace reinstate
