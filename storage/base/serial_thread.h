#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace reinstate {

// Runs tasks one after the other on a thread of its own, while the caller prepares the next ones: a
// stage of one job's work, not a place for jobs. For one caller; not thread-safe.
class SerialThread {
 public:
  // At most `max_waiting` tasks wait, so that what they hold is bounded.
  explicit SerialThread(size_t max_waiting);

  // Waits for the task that runs now; those that wait are dropped.
  ~SerialThread();
  SerialThread(const SerialThread&) = delete;
  SerialThread& operator=(const SerialThread&) = delete;

  // Has `task` run after all earlier ones; blocks while too many wait. The error of an earlier
  // task, if there was one: neither this nor any later one is run then.
  absl::Status Add(std::function<absl::Status()> task);

  // Blocks until all have run. The first error.
  absl::Status Finish();

 private:
  void Run();

  const size_t max_waiting_;
  Mutex mu_;
  CondVar changed_;
  std::deque<std::function<absl::Status()>> waiting_ ABSL_GUARDED_BY(mu_);
  bool running_ ABSL_GUARDED_BY(mu_) = false;  // a task
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status failed_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // after all that it uses
};

}  // namespace reinstate
