#pragma once

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "storage/base/mutex.h"

namespace reinstate {

// Runs a function again and again, on a thread of its own that ends with this object: heartbeats,
// leases. Thread-safe.
class PeriodicThread {
 public:
  // Runs `work` every `interval` of real time, the first time after one interval. An interval that
  // passes while `work` still runs is left out.
  PeriodicThread(absl::Duration interval, std::function<void()> work);

  // Waits for `work` if it runs now.
  ~PeriodicThread();
  PeriodicThread(const PeriodicThread&) = delete;
  PeriodicThread& operator=(const PeriodicThread&) = delete;

 private:
  void Run();
  bool WaitForInterval();

  const absl::Duration interval_;
  const std::function<void()> work_;
  Mutex mu_;
  CondVar wake_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace reinstate
