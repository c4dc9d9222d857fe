#include "storage/base/serial_thread.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/error.h"

namespace reinstate {
namespace {

TEST(SerialThread, RunsEverythingInItsOrderBeforeFinishReturns) {
  SerialThread thread(/*max_waiting=*/2);
  std::vector<int> ran;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(thread
                    .Add([&ran, i] {
                      ran.push_back(i);
                      return absl::OkStatus();
                    })
                    .ok());
  }
  ASSERT_TRUE(thread.Finish().ok());
  ASSERT_EQ(ran.size(), 200);
  EXPECT_TRUE(std::is_sorted(ran.begin(), ran.end()));
}

TEST(SerialThread, GivesBackTheFirstErrorAndRunsNothingMore) {
  SerialThread thread(/*max_waiting=*/1);
  std::atomic<int> ran = 0;
  absl::Status status;
  for (int i = 0; i < 50; ++i) {
    status = thread.Add([&ran, i]() -> absl::Status {
      ++ran;
      return i < 3 ? absl::OkStatus() : MakeError(Reason::kNoSpace, std::to_string(i));
    });
  }
  EXPECT_TRUE(HasReason(status, Reason::kNoSpace));
  EXPECT_EQ(status.message(), "3");
  EXPECT_EQ(thread.Finish(), status);
  EXPECT_EQ(ran, 4);
}

TEST(SerialThread, DropsWhatWaitsWhenItIsDestroyed) {
  std::atomic<bool> go = false;
  const auto held = std::make_shared<int>(1);
  {
    SerialThread thread(/*max_waiting=*/10);
    ASSERT_TRUE(thread
                    .Add([&go] {
                      while (!go) {
                        std::this_thread::yield();
                      }
                      return absl::OkStatus();
                    })
                    .ok());
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(thread.Add([held] { return absl::OkStatus(); }).ok());
    }
    go = true;
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace reinstate
