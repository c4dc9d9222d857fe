#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/restore/point_resolver.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

const absl::Time kNow =
    absl::FromCivil(absl::CivilSecond(2026, 4, 5, 12, 0, 0), absl::UTCTimeZone());

absl::Time Parsed(std::string_view text) {
  const absl::StatusOr<absl::Time> time = ParsePointTime(text, kNow);
  EXPECT_TRUE(time.ok()) << time.status();
  return time.value_or(absl::InfinitePast());
}

TEST(ParsePointTime, TakesRfc3339InAnyZone) {
  EXPECT_EQ(Parsed("2026-04-05T12:00:00Z"), kNow);
  EXPECT_EQ(Parsed("2026-04-05T14:00:00+02:00"), kNow);
  EXPECT_EQ(Parsed("2026-04-05T12:00:00.250Z"), kNow + absl::Milliseconds(250));
}

TEST(ParsePointTime, DoesWithoutSeconds) { EXPECT_EQ(Parsed("2026-04-05T07:30-04:30"), kNow); }

TEST(ParsePointTime, TakesATimeAgoWithOrWithoutSaying) {
  EXPECT_EQ(Parsed("90m"), kNow - absl::Minutes(90));
  EXPECT_EQ(Parsed("-2h30m"), kNow - absl::Minutes(150));
  EXPECT_EQ(Parsed("3d ago"), kNow - absl::Hours(72));
  EXPECT_EQ(Parsed(" 1w2d3h4m5s "),
            kNow - absl::Hours(24 * 9 + 3) - absl::Minutes(4) - absl::Seconds(5));
  EXPECT_EQ(Parsed("0s"), kNow);
}

TEST(ParsePointTime, RefusesAnythingElseWithExamples) {
  for (const std::string& text : std::vector<std::string>{"",
                                                          " ",
                                                          "-",
                                                          "ago",
                                                          "yesterday",
                                                          "2026-04-05",
                                                          "2026-04-05T12:00:00",
                                                          "2026-04-05T25:00:00Z",
                                                          "2026-02-30T00:00:00Z",
                                                          "20260-04-05T12:00:00Z",
                                                          "infinite-past",
                                                          "1.5h",
                                                          "5",
                                                          "m",
                                                          "30m2h",
                                                          "1h1h",
                                                          "1y",
                                                          "99999999999d",
                                                          "999999999w",
                                                          "--1h",
                                                          "-1h ago",
                                                          "+1h",
                                                          "snap-1-1",
                                                          "'; DROP TABLE snapshots; --",
                                                          "1h\xff",
                                                          std::string("1h\0", 3)}) {
    const absl::StatusOr<absl::Time> time = ParsePointTime(text, kNow);
    EXPECT_TRUE(HasReason(time.status(), Reason::kPointInvalid)) << text << ": " << time.status();
    EXPECT_NE(time.status().message().find("2026-04-05T07:38:00Z"), absl::string_view::npos);
  }
}

}  // namespace
}  // namespace reinstate
