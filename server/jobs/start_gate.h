#pragma once

#include <string>

#include "absl/time/time.h"
#include "server/jobs/scheduler.h"

namespace reinstate {

// Says when jobs of a store may begin. A JobRunner asks with its lock held: implementations are
// quick, thread-safe, and do not call back in.
class StartGate {
 public:
  virtual ~StartGate() = default;

  // `job` begins.
  virtual void Begin(const Scheduler::Job& job) = 0;

  // Until when no job of `store` may begin, as things are; not in the future if one may.
  // InfiniteFuture: until the runner is told to ask again.
  virtual absl::Time HeldUntil(const std::string& store) const = 0;
};

}  // namespace reinstate
