#include "server/jobs/snapshot_schedule.h"

#include <gtest/gtest.h>

namespace reinstate {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'775'000'000);

TEST(SnapshotSchedule, IsDueAtOnceWhereThereIsNoSnapshotYet) {
  SnapshotSchedule schedule;
  schedule.Set("main", absl::Hours(1));
  EXPECT_TRUE(schedule.IsDue("main", kNoon));
}

TEST(SnapshotSchedule, IsDueAnIntervalAfterTheLastOne) {
  SnapshotSchedule schedule;
  schedule.Set("main", absl::Hours(1));
  schedule.Began("main", kNoon);
  EXPECT_FALSE(schedule.IsDue("main", kNoon + absl::Hours(1) - absl::Seconds(1)));
  EXPECT_TRUE(schedule.IsDue("main", kNoon + absl::Hours(1)));
  schedule.Began("main", kNoon - absl::Hours(5));  // one that is older changes nothing
  EXPECT_FALSE(schedule.IsDue("main", kNoon + absl::Minutes(59)));
}

TEST(SnapshotSchedule, IsNeverDueWithoutAnInterval) {
  SnapshotSchedule schedule;
  schedule.Set("main", absl::ZeroDuration());
  EXPECT_FALSE(schedule.IsDue("main", kNoon));
  EXPECT_FALSE(schedule.IsDue("other", kNoon));
}

TEST(SnapshotSchedule, GoesOnAfterTheClockStepsBackByYears) {
  SnapshotSchedule schedule;
  schedule.Set("main", absl::Hours(1));
  schedule.Began("main", kNoon);
  const absl::Time stepped = kNoon - absl::Hours(24 * 1000);
  EXPECT_FALSE(schedule.IsDue("main", stepped));
  EXPECT_TRUE(schedule.IsDue("main", stepped + absl::Hours(1)));
}

}  // namespace
}  // namespace reinstate
