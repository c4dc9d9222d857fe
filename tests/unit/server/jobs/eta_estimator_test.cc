#include "server/jobs/eta_estimator.h"

#include <gtest/gtest.h>

namespace reinstate {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'775'000'000);

state::Progress Done(int64_t bytes, int64_t total) {
  state::Progress progress;
  progress.set_bytes(bytes);
  progress.set_total_bytes(total);
  progress.set_rows(bytes / 10);
  return progress;
}

TEST(EtaEstimator, KnowsNothingBeforeAnythingWasMeasured) {
  EtaEstimator eta;
  eta.Started("rst-1", kNoon);
  EXPECT_FALSE(eta.Running("rst-1", kNoon + absl::Seconds(1)).known);
  EXPECT_FALSE(eta.Running("rst-2", kNoon).known);
  EXPECT_FALSE(eta.Queued(1000, 4).known);
}

TEST(EtaEstimator, GoesByTheJobsOwnRateFromTheFirstSecond) {
  EtaEstimator eta;
  eta.Started("rst-1", kNoon);
  eta.Progressed("rst-1", Done(100, 1000));
  const auto estimate = eta.Running("rst-1", kNoon + absl::Seconds(1));
  ASSERT_TRUE(estimate.known);
  EXPECT_EQ(estimate.rows_per_second, 10);
  EXPECT_LT(estimate.low, absl::Seconds(9));  // 900 bytes at 100 a second
  EXPECT_GT(estimate.high, absl::Seconds(9));
  EXPECT_LT(estimate.high, absl::Seconds(12));
}

TEST(EtaEstimator, WidensTheRangeWhereTheJobDiffersFromThoseBefore) {
  EtaEstimator eta;
  eta.Started("rst-1", kNoon);
  eta.Ended("rst-1", 1000, true, kNoon + absl::Seconds(1));  // 1,000 a second
  eta.Started("rst-2", kNoon);
  eta.Progressed("rst-2", Done(100, 1000));
  const auto estimate = eta.Running("rst-2", kNoon + absl::Seconds(1));  // 100 a second
  EXPECT_LT(estimate.low, absl::Seconds(0.9));
  EXPECT_GT(estimate.high, absl::Seconds(9));
}

TEST(EtaEstimator, LetsAQueuedJobWaitForThoseBeforeIt) {
  EtaEstimator eta;
  eta.Started("rst-1", kNoon);
  eta.Ended("rst-1", 1000, true, kNoon + absl::Seconds(10));
  const auto estimate = eta.Queued(2000, 4);
  ASSERT_TRUE(estimate.known);
  EXPECT_LE(estimate.low, absl::Seconds(5));    // all four lanes work for it
  EXPECT_GE(estimate.high, absl::Seconds(20));  // one lane does
}

TEST(EtaEstimator, LeavesOutWhatWasNotDoneToItsEnd) {
  EtaEstimator eta;
  eta.Started("rst-1", kNoon);
  eta.Ended("rst-1", 1'000'000, false, kNoon + absl::Seconds(1));
  EXPECT_FALSE(eta.Queued(1000, 1).known);
}

TEST(EtaEstimator, ForgetsJobsOfLongAgo) {
  EtaEstimator eta;
  for (int i = 0; i < 200; ++i) {
    const bool early = i < 100;
    eta.Started("rst", kNoon);
    eta.Ended("rst", early ? 1 : 1000, true, kNoon + absl::Seconds(1));
  }
  EXPECT_LE(eta.Queued(1000, 1).high, absl::Seconds(1.2001));
}

}  // namespace
}  // namespace reinstate
