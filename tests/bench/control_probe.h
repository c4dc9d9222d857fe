#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/bench/batch_calls.h"

namespace reinstate::bench {

// How long somebody waits who stops a batch.
struct StopTimes {
  absl::Duration state;  // until the batch is in the new state, by a call after the order
  absl::Duration free;   // until none of its restores runs
  int64_t running = 0;   // so many ran when it was ordered
};

// Waits until this share of the bytes of a batch is done and a restore runs, then stops it, and
// waits until it has stopped. `stop` orders it; `state` is the one that it then is in, or has ended
// in already. FAILED_PRECONDITION if the batch ends before.
absl::StatusOr<StopTimes> StopBatchAt(double share, const std::string& batch,
                                      const std::function<absl::Status()>& stop,
                                      v1::BatchState state, BatchCalls* calls);

}  // namespace reinstate::bench
