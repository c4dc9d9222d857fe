#include "storage/base/parallel.h"

#include <algorithm>
#include <cstddef>
#include <thread>

#include "storage/base/mutex.h"

namespace reinstate {
namespace {

// Hands out the tasks and keeps the first error.
class TaskQueue {
 public:
  using Task = std::function<absl::Status()>;

  explicit TaskQueue(const std::vector<Task>& tasks) : tasks_(tasks) {}

  void RunUntilEmpty() {
    while (const Task* task = Take()) {
      Report((*task)());
    }
  }

  absl::Status result() {
    MutexLock lock(&mu_);
    return result_;
  }

 private:
  const Task* Take() {
    MutexLock lock(&mu_);
    return result_.ok() && next_ < tasks_.size() ? &tasks_[next_++] : nullptr;
  }

  void Report(absl::Status status) {
    MutexLock lock(&mu_);
    if (result_.ok()) {
      result_ = std::move(status);
    }
  }

  const std::vector<Task>& tasks_;
  Mutex mu_;
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status result_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::Status RunInParallel(int max_threads,
                           const std::vector<std::function<absl::Status()>>& tasks) {
  TaskQueue queue(tasks);
  const size_t threads = std::min(tasks.size(), static_cast<size_t>(std::max(max_threads, 1)));
  {
    std::vector<std::jthread> others;
    for (size_t i = 1; i < threads; ++i) {
      others.emplace_back([&queue] { queue.RunUntilEmpty(); });
    }
    queue.RunUntilEmpty();
  }
  return queue.result();
}

}  // namespace reinstate
