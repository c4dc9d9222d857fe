#pragma once

#include <string>

#include "storage/state/state.pb.h"

namespace reinstate {

// The state as people say it, e.g. "in doubt".
std::string JobStateWords(state::JobState state);

}  // namespace reinstate
