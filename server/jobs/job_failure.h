#pragma once

#include <string>

#include "absl/status/status.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// How a job that ended with `status` says why, and whether trying again can help.
state::Failure FailureOf(const absl::Status& status);

// Why a restore that waits for others of its batch, since its last run ended with `cause`, is not
// begun, as a sentence.
std::string WaitSentence(const state::Failure& cause);

}  // namespace reinstate
