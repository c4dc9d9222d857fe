#pragma once

#include "absl/status/status.h"

namespace reinstate {

// What `reinstate` exits with, for scripts. proto/README.md has the table by reason.
enum class ExitCode {
  kOk = 0,
  kFailed = 1,                // it was tried and failed
  kUsage = 2,                 // the command line or the request is wrong
  kPartlyFailed = 3,          // of several, some failed
  kNotAllowed = 4,            // the daemon refuses this client
  kNotFound = 5,              // a store, tenant, snapshot, restore, … that is not there
  kConflict = 6,              // something is in the way: live rows, a plan, a hold, a state
  kUnavailable = 7,           // daemon or store do not answer, or not in time
  kDeclined = 8,              // a confirmation was not given
  kVerificationMismatch = 9,  // what was read is not what must be there
  kInterrupted = 130,         // stopped waiting on Ctrl-C; the job goes on
};

// The exit code that belongs to `status`: by its reason where that says more than the code, else by
// its code.
ExitCode ExitCodeOf(const absl::Status& status);

// The reason of what was not done since nobody agreed to it; only the command line has it.
inline constexpr char kDeclinedReason[] = "DECLINED";

}  // namespace reinstate
