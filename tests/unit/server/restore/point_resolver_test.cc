#include "server/restore/point_resolver.h"

#include <gtest/gtest.h>

#include <string>

#include "storage/base/error.h"
#include "tests/support/small_site.h"

namespace reinstate {
namespace {

class ResolvePointTest : public testing::Test {
 protected:
  ResolvePointTest() { site_.Put("acme", "issues", "1", "first"); }

  absl::StatusOr<state::Point> Resolve(const std::string& text) {
    return ResolvePoint(site_.history(), site_.lineage(), text, site_.clock().Now());
  }
  std::string SnapshotOf(const std::string& text) {
    const auto point = Resolve(text);
    EXPECT_TRUE(point.ok()) << point.status();
    return point.ok() ? point->snapshot() : "";
  }
  void ExpectRefused(const std::string& text, Reason reason) {
    const auto point = Resolve(text);
    EXPECT_TRUE(HasReason(point.status(), reason)) << text << ": " << point.status();
  }

  SmallSite site_;
};

TEST_F(ResolvePointTest, TakesTheNewestSnapshotAtOrBeforeATime) {
  const SnapshotInfo first = site_.TakeSnapshot();   // 12:00
  const SnapshotInfo second = site_.TakeSnapshot();  // 12:01
  site_.clock().Advance(absl::Hours(1));             // 13:02

  EXPECT_EQ(SnapshotOf("2026-04-05T12:00:00Z"), first.id.ToString());
  EXPECT_EQ(SnapshotOf("2026-04-05T12:00:59Z"), first.id.ToString());
  EXPECT_EQ(SnapshotOf("2026-04-05T14:01+02:00"), second.id.ToString());
  EXPECT_EQ(SnapshotOf("62m"), first.id.ToString());
  EXPECT_EQ(SnapshotOf("1h ago"), second.id.ToString());
}

TEST_F(ResolvePointTest, KeepsWhatWasAskedForAndWhatItBecame) {
  const SnapshotInfo snapshot = site_.TakeSnapshot();
  site_.clock().Advance(absl::Hours(1));

  const auto point = Resolve("30m");

  ASSERT_TRUE(point.ok()) << point.status();
  EXPECT_EQ(point->requested(), "30m");
  EXPECT_EQ(point->snapshot(), snapshot.id.ToString());
  EXPECT_EQ(point->instant_us(), absl::ToUnixMicros(snapshot.instant));
  EXPECT_EQ(point->requested_us(), absl::ToUnixMicros(site_.clock().Now() - absl::Minutes(30)));
}

TEST_F(ResolvePointTest, TakesASnapshotByItsId) {
  const SnapshotInfo first = site_.TakeSnapshot();
  site_.TakeSnapshot();
  const auto point = Resolve(first.id.ToString());
  ASSERT_TRUE(point.ok()) << point.status();
  EXPECT_EQ(point->snapshot(), first.id.ToString());
  EXPECT_EQ(point->requested_us(), 0);
}

TEST_F(ResolvePointTest, TakesLatestAsTheNewestVisibleOne) {
  const SnapshotInfo first = site_.TakeSnapshot();
  const SnapshotInfo second = site_.TakeSnapshot();
  EXPECT_EQ(SnapshotOf("latest"), second.id.ToString());
  ASSERT_TRUE(site_.history().Hide(second.id).ok());
  EXPECT_EQ(SnapshotOf("latest"), first.id.ToString());
  EXPECT_EQ(SnapshotOf("0s"), first.id.ToString());
}

TEST_F(ResolvePointTest, RefusesWhatIsNotThere) {
  ExpectRefused("latest", Reason::kPointBeforeFirstSnapshot);
  ExpectRefused("0s", Reason::kPointBeforeFirstSnapshot);
  const SnapshotInfo snapshot = site_.TakeSnapshot();
  ExpectRefused("2026-04-05T11:59:59Z", Reason::kPointBeforeFirstSnapshot);
  ExpectRefused("2026-04-05T12:01:01Z", Reason::kPointInFuture);
  ExpectRefused("snap-1-99", Reason::kSnapshotNotFound);
  ExpectRefused("snap-99-1", Reason::kSnapshotNotFound);
  ExpectRefused("snap-1-1x", Reason::kPointInvalid);
  ExpectRefused("tomorrow", Reason::kPointInvalid);
  ASSERT_TRUE(site_.history().Hide(snapshot.id).ok());
  ExpectRefused(snapshot.id.ToString(), Reason::kSnapshotHidden);
}

TEST_F(ResolvePointTest, RefusesAnotherLineagesSnapshot) {
  const SnapshotInfo snapshot = site_.TakeSnapshot();
  const auto other = site_.history().EnsureLineage("other");
  ASSERT_TRUE(other.ok());
  const auto point =
      ResolvePoint(site_.history(), *other, snapshot.id.ToString(), site_.clock().Now());
  EXPECT_TRUE(HasReason(point.status(), Reason::kSnapshotNotFound)) << point.status();
}

}  // namespace
}  // namespace reinstate
