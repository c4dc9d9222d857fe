#include "server/rpc/rpc_pool.h"

#include <utility>

#include "storage/base/error.h"

namespace reinstate {

RpcPool::RpcPool(Options options) : options_(options) {
  threads_.reserve(static_cast<size_t>(options_.threads));
  for (int i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

RpcPool::~RpcPool() { Shutdown(); }

absl::Status RpcPool::Submit(std::function<void()> task) {
  MutexLock lock(&mu_);
  if (ending_) {
    return MakeError(Reason::kShuttingDown,
                     "The daemon is shutting down; try again once it is back.");
  }
  if (waiting_ >= options_.max_queued) {
    return MakeError(Reason::kUnavailable,
                     "The daemon has too many calls waiting; try again in a moment.");
  }
  ++waiting_;
  tasks_.push_back({.run = std::move(task), .begins = true});
  wake_.Signal();
  return absl::OkStatus();
}

void RpcPool::Continue(std::function<void()> task) {
  MutexLock lock(&mu_);
  tasks_.push_back({.run = std::move(task), .begins = false});
  wake_.Signal();
}

void RpcPool::Shutdown() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    wake_.SignalAll();
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

void RpcPool::Work() {
  while (true) {
    Task task;
    {
      MutexLock lock(&mu_);
      while (tasks_.empty() && !ending_) {
        wake_.Wait(&mu_);
      }
      if (tasks_.empty()) {
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
      waiting_ -= task.begins ? 1 : 0;
    }
    task.run();
  }
}

}  // namespace reinstate
