#include "storage/base/id_generator.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "tests/support/manual_clock.h"

namespace reinstate {
namespace {

TEST(IdGenerator, WritesTimeAndRandomBitsInBase32) {
  ManualClock clock(absl::FromUnixMillis(1469918176385));  // the example of the ULID specification
  IdGenerator ids(&clock, [] { return uint64_t{31}; });
  EXPECT_EQ(ids.Next("rst"), "rst-01ARYZ6S4100FG00000000000Z");
}

TEST(IdGenerator, AscendsWithinAMillisecondAndWhenTheClockStepsBack) {
  ManualClock clock;
  IdGenerator ids(&clock);
  std::string last = ids.Next("job");
  for (int i = 0; i < 1000; ++i) {
    if (i == 500) {
      clock.Advance(-absl::Hours(1));
    }
    const std::string next = ids.Next("job");
    ASSERT_LT(last, next);
    last = next;
  }
}

TEST(IdGenerator, AscendsWithTime) {
  ManualClock clock;
  IdGenerator earlier(&clock, [] { return ~uint64_t{0}; });
  IdGenerator later(&clock, [] { return uint64_t{0}; });
  const std::string first = earlier.Next("plan");
  clock.Advance(absl::Milliseconds(1));
  EXPECT_LT(first, later.Next("plan"));
}

TEST(IdGenerator, GivesDifferentIdsInDifferentProcessesAtTheSameTime) {
  ManualClock clock;
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    ids.insert(IdGenerator(&clock).Next("rst"));
  }
  EXPECT_EQ(ids.size(), 100U);
}

}  // namespace
}  // namespace reinstate
