#include "server/jobs/job_watchers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace reinstate {
namespace {

TEST(JobWatchers, CallsThoseWhoWatchTheJobAndNoOthers) {
  JobWatchers watchers;
  int first = 0;
  int second = 0;
  int other = 0;
  const auto a = watchers.Watch("rst-1", [&] { ++first; });
  auto b = watchers.Watch("rst-1", [&] { ++second; });
  const auto c = watchers.Watch("rst-2", [&] { ++other; });
  watchers.Notify("rst-1");
  b.reset();
  watchers.Notify("rst-1");
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 1);
  EXPECT_EQ(other, 0);
}

TEST(JobWatchers, NeverCallsAfterTheGuardIsGone) {
  JobWatchers watchers;
  std::atomic<bool> end = false;
  std::thread notifier([&] {
    while (!end) {
      watchers.Notify("rst-1");
    }
  });
  for (int i = 0; i < 500; ++i) {
    auto alive = std::make_unique<std::atomic<bool>>(true);
    auto guard = watchers.Watch("rst-1", [&alive = *alive] { EXPECT_TRUE(alive); });
    guard.reset();
    *alive = false;
    alive.reset();  // the address sanitizer would see a late call
  }
  end = true;
  notifier.join();
}

}  // namespace
}  // namespace reinstate
