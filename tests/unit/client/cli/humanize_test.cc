#include "client/cli/humanize.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace reinstate {
namespace {

TEST(HumanCount, SeparatesThousands) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(1'000), "1,000");
  EXPECT_EQ(HumanCount(1'234'567), "1,234,567");
  EXPECT_EQ(HumanCount(-123), "-123");
  EXPECT_EQ(HumanCount(-1'234), "-1,234");
  EXPECT_EQ(HumanCount(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(HumanNumber, KnowsOneFromSeveral) {
  EXPECT_EQ(HumanNumber(0, "tenant"), "0 tenants");
  EXPECT_EQ(HumanNumber(1, "tenant"), "1 tenant");
  EXPECT_EQ(HumanNumber(1'000, "row"), "1,000 rows");
}

TEST(HumanBytes, TakesTheUnitThatFits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1'023), "1023 B");
  EXPECT_EQ(HumanBytes(1'024), "1.0 KiB");
  EXPECT_EQ(HumanBytes(1'536), "1.5 KiB");
  EXPECT_EQ(HumanBytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(HumanBytes(std::numeric_limits<int64_t>::max()), "8.0 EiB");
}

TEST(HumanDuration, HasTheTwoLargestUnits) {
  EXPECT_EQ(HumanDuration(absl::ZeroDuration()), "0 s");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(40)), "0 s");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(440)), "0.4 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(3)), "3 s");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(9'960)), "10 s");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(59'600)), "1 min");
  EXPECT_EQ(HumanDuration(absl::Seconds(309)), "5 min 9 s");
  EXPECT_EQ(HumanDuration(absl::Hours(2) + absl::Seconds(59)), "2 h");
  EXPECT_EQ(HumanDuration(absl::Hours(76)), "3 d 4 h");
  EXPECT_EQ(HumanDuration(-absl::Minutes(2)), "-2 min");
}

TEST(HumanAge, IsInTheLargestUnit) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(HumanAge(now, now), "just now");
  EXPECT_EQ(HumanAge(now - absl::Seconds(59), now), "59 s ago");
  EXPECT_EQ(HumanAge(now - absl::Seconds(309), now), "5 min ago");
  EXPECT_EQ(HumanAge(now - absl::Hours(49), now), "2 d ago");
  EXPECT_EQ(HumanAge(now + absl::Hours(3), now), "in 3 h");
  EXPECT_EQ(HumanAge(now + absl::Hours(24) * 30 - absl::Seconds(5), now), "in 30 d");
}

TEST(HumanTime, IsInUtcWithTheAge) {
  absl::Time time;
  std::string error;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, "2026-11-22T15:03:11.25+01:00", &time, &error));
  EXPECT_EQ(HumanTimeWithAge(time, time + absl::Minutes(5)), "2026-11-22 14:03:11Z, 5 min ago");
  EXPECT_EQ(Rfc3339(time), "2026-11-22T14:03:11.25Z");
}

}  // namespace
}  // namespace reinstate
