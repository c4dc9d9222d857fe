#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace reinstate {

// The threads on which calls do what may block: gRPC's own threads are few and must not.
//
// Thread-safe. A fixed number of threads and a bounded queue: a daemon that is asked for more than
// it can do says so at once instead of growing.
class RpcPool {
 public:
  struct Options {
    int threads = 8;          // calls that work at once
    size_t max_queued = 256;  // calls that wait to begin; more are refused
  };

  explicit RpcPool(Options options);
  ~RpcPool();  // as Shutdown
  RpcPool(const RpcPool&) = delete;
  RpcPool& operator=(const RpcPool&) = delete;

  // Queues the first step of a call. UNAVAILABLE if too many wait; SHUTTING_DOWN after Shutdown:
  // `task` is dropped then.
  absl::Status Submit(std::function<void()> task);

  // Queues a further step of a call that was admitted by Submit: never refused, since a call has at
  // most one step queued. It does not count as waiting, so that many who watch keep nobody out. Not
  // after Shutdown.
  void Continue(std::function<void()> task);

  // Runs what is queued and ends the threads. May be repeated.
  void Shutdown();

 private:
  struct Task {
    std::function<void()> run;
    bool begins = false;  // the first step of a call
  };

  void Work();

  const Options options_;
  Mutex mu_;
  CondVar wake_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mu_);
  size_t waiting_ ABSL_GUARDED_BY(mu_) = 0;  // those of them that begin a call
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;  // changed by constructor and Shutdown only
};

}  // namespace reinstate
