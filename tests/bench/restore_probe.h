#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/bench/batch_calls.h"

namespace reinstate::bench {

// Somebody who asks for one restore after the other, as `restore get` does. Not thread-safe.
class RestoreProbe {
 public:
  static constexpr absl::Duration kEvery = absl::Milliseconds(10);

  // Begins to ask for these. Borrows `calls`.
  RestoreProbe(std::vector<std::string> restores, BatchCalls* calls);
  ~RestoreProbe();

  struct Outcome {
    std::vector<double> milliseconds;  // that each took to be answered
    int64_t refused = 0;               // calls that had to be repeated, within that time
  };
  // Ends it. The first failure, but for calls that the daemon refused as UNAVAILABLE: they are
  // tried again.
  absl::StatusOr<Outcome> End();

 private:
  absl::Status Run();
  absl::Status Ask(const std::string& restore);

  const std::vector<std::string> restores_;
  BatchCalls* const calls_;
  Outcome outcome_;  // this and the next: once the thread has ended
  absl::Status status_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace reinstate::bench
