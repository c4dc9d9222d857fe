#include "server/rpc/rpc_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

TEST(RpcPool, RefusesMoreThanMayWaitAndTakesUpAgainLater) {
  std::promise<void> running;
  std::promise<void> release;
  std::promise<void> last;
  RpcPool pool({.threads = 1, .max_queued = 2});
  ASSERT_THAT(pool.Submit([&] {
    running.set_value();
    release.get_future().wait();
  }),
              IsOk());
  running.get_future().wait();
  ASSERT_THAT(pool.Submit([] {}), IsOk());
  ASSERT_THAT(pool.Submit([&] { last.set_value(); }), IsOk());
  EXPECT_THAT(pool.Submit([] {}), FailsWith(Reason::kUnavailable));
  release.set_value();
  last.get_future().wait();
  EXPECT_THAT(pool.Submit([] {}), IsOk());
}

TEST(RpcPool, NeverRefusesAFurtherStep) {
  std::promise<void> release;
  std::atomic<int> ran = 0;
  RpcPool pool({.threads = 1, .max_queued = 1});
  ASSERT_THAT(pool.Submit([&] { release.get_future().wait(); }), IsOk());
  for (int i = 0; i < 10; ++i) {
    pool.Continue([&] { ++ran; });
  }
  release.set_value();
  pool.Shutdown();
  EXPECT_EQ(ran, 10);
}

TEST(RpcPool, TakesUpCallsHoweverManyFurtherStepsWait) {
  std::promise<void> running;
  std::promise<void> release;
  RpcPool pool({.threads = 1, .max_queued = 1});
  ASSERT_THAT(pool.Submit([&] {
    running.set_value();
    release.get_future().wait();
  }),
              IsOk());
  running.get_future().wait();
  for (int i = 0; i < 10; ++i) {
    pool.Continue([] {});
  }
  EXPECT_THAT(pool.Submit([] {}), IsOk());
  EXPECT_THAT(pool.Submit([] {}), FailsWith(Reason::kUnavailable));
  release.set_value();
}

TEST(RpcPool, BeginsACallBeforeTheFurtherStepsOfOthersAreDone) {
  std::promise<void> running;
  std::promise<void> release;
  std::atomic<int> further = 0;
  int before = -1;
  RpcPool pool({.threads = 1, .max_queued = 1});
  ASSERT_THAT(pool.Submit([&] {
    running.set_value();
    release.get_future().wait();
  }),
              IsOk());
  running.get_future().wait();
  for (int i = 0; i < 10; ++i) {
    pool.Continue([&] { ++further; });
  }
  ASSERT_THAT(pool.Submit([&] { before = further; }), IsOk());
  release.set_value();
  pool.Shutdown();
  EXPECT_LE(before, 1);
  EXPECT_EQ(further, 10);
}

TEST(RpcPool, RunsWhatIsQueuedAndRefusesTheRestWhenItShutsDown) {
  std::atomic<int> ran = 0;
  RpcPool pool({.threads = 2, .max_queued = 100});
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(pool.Submit([&] { ++ran; }), IsOk());
  }
  pool.Shutdown();
  EXPECT_EQ(ran, 50);
  EXPECT_THAT(pool.Submit([] {}), FailsWith(Reason::kShuttingDown));
}

}  // namespace
}  // namespace reinstate
