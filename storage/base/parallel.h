#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"

namespace reinstate {

// Runs `tasks`, begun in their order, on the calling thread and up to `max_threads` - 1 others, and
// returns when all have ended: OK, or the error that came first. After an error no further task is
// begun; those that run are not interrupted.
absl::Status RunInParallel(int max_threads,
                           const std::vector<std::function<absl::Status()>>& tasks);

}  // namespace reinstate
