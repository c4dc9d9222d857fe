#pragma once

#include "absl/status/status.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// How a job that ended with `status` says why, and whether trying again can help.
state::Failure FailureOf(const absl::Status& status);

}  // namespace reinstate
