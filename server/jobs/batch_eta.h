#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace reinstate {

// Estimates when a batch ends. A restore costs a fixed time and a time a byte, which are fitted to
// those that have ended by least squares; what is left is worked off by so many lanes, and takes at
// least as long as the largest of it. The range is narrow once many have ended.
//
// Pure: times are given. Not thread-safe.
class BatchEta {
 public:
  struct Estimate {
    bool known = false;
    absl::Duration low;
    absl::Duration high;
  };

  // A restore of `bytes` has ended well, after running for `took`.
  void Ended(int64_t bytes, absl::Duration took);

  // A restore that has not ended.
  struct Left {
    int64_t bytes = 0;
    absl::Duration ran;  // how long it has run; zero if it is queued
  };

  // Unknown before the first has ended.
  Estimate Of(const std::vector<Left>& left, int lanes) const;

  // How long a restore of `bytes` takes; zero before the first has ended.
  absl::Duration Cost(int64_t bytes) const;

 private:
  struct Line {
    double fixed_seconds = 0;
    double seconds_per_byte = 0;
  };
  Line Fit() const;

  int64_t samples_ = 0;
  double sum_bytes_ = 0;
  double sum_seconds_ = 0;
  double sum_bytes_squared_ = 0;
  double sum_products_ = 0;
};

}  // namespace reinstate
