#include "server/jobs/worker_pool.h"

#include <utility>

namespace reinstate {

WorkerPool::WorkerPool(int threads, std::function<Task()> next) : next_(std::move(next)) {
  threads_.reserve(static_cast<size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      while (const Task task = next_()) {
        task();
      }
    });
  }
}

WorkerPool::~WorkerPool() { Join(); }

void WorkerPool::Join() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) {
      thread.join();
    }
  }
}

}  // namespace reinstate
