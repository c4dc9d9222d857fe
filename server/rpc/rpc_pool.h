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

  // Queues the first step of a call. It waits for the calls before it and for as many
  // further steps, however many of those are queued. UNAVAILABLE if too many wait; SHUTTING_DOWN
  // after Shutdown: `task` is dropped then, and the status is a RefusedCall.
  absl::Status Submit(std::function<void()> task);

  // Queues a further step of a call that was admitted by Submit: never refused, since a call has at
  // most one step queued. It does not count as waiting, so that many who watch keep nobody out. Not
  // after Shutdown.
  void Continue(std::function<void()> task);

  // Runs what is queued and ends the threads. May be repeated.
  void Shutdown();

 private:
  void Work();
  // Of the first steps and the further ones in turn, so that neither keep the others out.
  std::function<void()> Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  Mutex mu_;
  CondVar wake_;
  std::deque<std::function<void()>> first_steps_ ABSL_GUARDED_BY(mu_);
  std::deque<std::function<void()>> further_steps_ ABSL_GUARDED_BY(mu_);
  bool further_is_next_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;  // changed by constructor and Shutdown only
};

}  // namespace reinstate
