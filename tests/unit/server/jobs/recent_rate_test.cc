#include "server/jobs/recent_rate.h"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace reinstate {
namespace {

class RecentRateTest : public testing::Test {
 protected:
  double RowsPerSecond(absl::Time since) { return rate_.Of(since, clock_.Now()).RowsPerSecond(); }

  // One restore after the other, of `rows` each, which take a second each.
  void Work(int restores, int64_t rows) {
    for (int i = 0; i < restores; ++i) {
      clock_.Advance(absl::Seconds(1));
      rate_.Ended(rows, 10 * rows, absl::Seconds(1), clock_.Now());
    }
  }

  ManualClock clock_;
  const absl::Time start_ = clock_.Now();
  RecentRate rate_;
};

TEST_F(RecentRateTest, IsNoneBeforeAnyTimeHasGoneBy) {
  EXPECT_EQ(RowsPerSecond(start_), 0);
  rate_.Ended(100, 1000, absl::ZeroDuration(), clock_.Now());
  EXPECT_EQ(RowsPerSecond(start_), 0);
  EXPECT_EQ(RowsPerSecond(start_ + absl::Hours(1)), 0) << "of a time that is yet to come";
}

TEST_F(RecentRateTest, IsThatOfTheLastHalfOfTheTimeAndOfAMinuteAtMost) {
  Work(10, 100);
  Work(10, 500);
  EXPECT_DOUBLE_EQ(RowsPerSecond(start_), 500);
  EXPECT_DOUBLE_EQ(rate_.Of(start_, clock_.Now()).BytesPerSecond(), 5000);
  Work(600, 20);
  Work(60, 70);
  EXPECT_DOUBLE_EQ(RowsPerSecond(start_), 70);
}

TEST_F(RecentRateTest, APauseDoesNotCount) {
  Work(100, 100);
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(RowsPerSecond(start_), 0) << "as long as nothing is done";
  const absl::Time resumed = clock_.Now();
  EXPECT_EQ(RowsPerSecond(resumed), 0);
  Work(10, 100);
  EXPECT_DOUBLE_EQ(RowsPerSecond(resumed), 100);
}

TEST_F(RecentRateTest, CountsWhatLastedLongerByItsShare) {
  clock_.Advance(absl::Minutes(10));
  rate_.Ended(6000, 0, absl::Minutes(10), clock_.Now());
  EXPECT_DOUBLE_EQ(RowsPerSecond(start_), 10);
}

TEST_F(RecentRateTest, CountsWhatGoesOn) {
  clock_.Advance(absl::Minutes(10));
  RecentRate::Done done = rate_.Of(start_, clock_.Now());
  done.Add(300, 3000, absl::Minutes(5));  // a fifth of it within the minute
  done.Add(120, 1200, absl::Seconds(30));
  EXPECT_DOUBLE_EQ(done.RowsPerSecond(), 3);
  EXPECT_DOUBLE_EQ(done.BytesPerSecond(), 30);
}

TEST_F(RecentRateTest, IsRightAlsoWhereMoreEndThanItRemembers) {
  clock_.Advance(absl::Minutes(2));
  for (int i = 0; i < 20'000; ++i) {
    clock_.Advance(absl::Milliseconds(2));
    rate_.Ended(1, 1, absl::Milliseconds(2), clock_.Now());
  }
  EXPECT_NEAR(RowsPerSecond(start_), 500, 1);
}

}  // namespace
}  // namespace reinstate
