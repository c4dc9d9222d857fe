#pragma once

#include "absl/time/time.h"

namespace reinstate {

// The time of day. Injected, so that tests can set it. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // The present instant, in the resolution of the implementation (microseconds or finer). May jump
  // either way.
  virtual absl::Time Now() const = 0;

  // The clock of this machine. Never destroyed.
  static const Clock* System();
};

}  // namespace reinstate
