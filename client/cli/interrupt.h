#pragma once

#include <functional>
#include <memory>

namespace reinstate {

// While one exists, SIGINT (Ctrl-C) and SIGTERM call `on_interrupt` on a thread of its own, in
// place of ending the process. At most one at a time.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::function<void()> on_interrupt);
  // Puts the former handling back.
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace reinstate
