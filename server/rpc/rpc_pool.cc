#include "server/rpc/rpc_pool.h"

#include <utility>

#include "server/rpc/grpc_status.h"
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
  if (first_steps_.size() >= options_.max_queued) {
    return RefusedCall(MakeError(Reason::kUnavailable,
                                 "The daemon has too many calls waiting; try again in a moment."));
  }
  first_steps_.push_back(std::move(task));
  wake_.Signal();
  return absl::OkStatus();
}

void RpcPool::Continue(std::function<void()> task) {
  MutexLock lock(&mu_);
  further_steps_.push_back(std::move(task));
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

std::function<void()> RpcPool::Take() {
  const bool further = first_steps_.empty() || (further_is_next_ && !further_steps_.empty());
  auto& steps = further ? further_steps_ : first_steps_;
  std::function<void()> step = std::move(steps.front());
  steps.pop_front();
  further_is_next_ = !further;
  return step;
}

void RpcPool::Work() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(&mu_);
      while (first_steps_.empty() && further_steps_.empty() && !ending_) {
        wake_.Wait(&mu_);
      }
      if (first_steps_.empty() && further_steps_.empty()) {
        return;
      }
      task = Take();
    }
    task();
  }
}

}  // namespace reinstate
