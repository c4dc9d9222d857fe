#include "server/jobs/worker_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "storage/base/mutex.h"

namespace reinstate {
namespace {

TEST(WorkerPool, RunsEveryTaskOnceAndEndsWhenThereAreNone) {
  constexpr int kTasks = 1000;
  std::atomic<int> given = 0;
  std::atomic<int> ran = 0;
  WorkerPool pool(4, [&]() -> WorkerPool::Task {
    if (given++ >= kTasks) {
      return nullptr;
    }
    return [&] { ++ran; };
  });
  pool.Join();
  EXPECT_EQ(ran, kTasks);
}

TEST(WorkerPool, RunsAsManyTasksAtOnceAsItHasThreads) {
  constexpr int kThreads = 3;
  Mutex mu;
  CondVar changed;
  int waiting = 0;
  std::atomic<int> given = 0;
  std::set<std::thread::id> threads;
  WorkerPool pool(kThreads, [&]() -> WorkerPool::Task {
    if (given++ >= kThreads) {
      return nullptr;
    }
    return [&] {
      MutexLock lock(&mu);
      threads.insert(std::this_thread::get_id());
      ++waiting;
      changed.SignalAll();
      while (waiting < kThreads) {
        changed.Wait(&mu);  // for ever, unless all of them run at once
      }
    };
  });
  pool.Join();
  EXPECT_EQ(threads.size(), static_cast<size_t>(kThreads));
}

}  // namespace
}  // namespace reinstate
