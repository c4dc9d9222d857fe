#pragma once

#include <chrono>

#include "absl/time/time.h"

namespace reinstate {

// The end of an attempt, by a clock that nobody sets.
class AttemptDeadline {
 public:
  explicit AttemptDeadline(absl::Duration timeout)
      : end_(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout)) {}

  bool HasPassed() const { return std::chrono::steady_clock::now() >= end_; }

 private:
  const std::chrono::steady_clock::time_point end_;
};

}  // namespace reinstate
