#pragma once

#include <functional>
#include <thread>
#include <vector>

namespace reinstate {

// A fixed number of threads that fetch tasks and run them. What is run next is decided by who gives
// the tasks, at the moment that a thread is free; nothing is queued in here.
class WorkerPool {
 public:
  using Task = std::function<void()>;

  // `next` is called by each thread whenever it is free, by several at once; it blocks until there
  // is a task, and ends the thread by giving none.
  WorkerPool(int threads, std::function<Task()> next);

  // As Join.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Waits until all threads have ended. May be repeated; by one thread at a time.
  void Join();

 private:
  const std::function<Task()> next_;
  std::vector<std::thread> threads_;
};

}  // namespace reinstate
