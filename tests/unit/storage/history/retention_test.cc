#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/history/retention_policy.h"
#include "storage/history/version_sweeper.h"
#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What a snapshot sees of a group: the newest version that is not after it, unless a tombstone.
std::optional<uint64_t> Sees(const std::vector<GroupVersion>& group, uint64_t snapshot) {
  for (const GroupVersion& each : group) {
    if (each.version <= snapshot) {
      return each.tombstone ? std::nullopt : std::optional<uint64_t>(each.version);
    }
  }
  return std::nullopt;
}

std::vector<GroupVersion> Without(const std::vector<GroupVersion>& group,
                                  const std::vector<GroupVersion>& removed) {
  std::vector<GroupVersion> left = group;
  std::erase_if(left, [&](const GroupVersion& each) {
    return std::ranges::find(removed, each) != removed.end();
  });
  return left;
}

// All groups of versions 1 to 5, each absent, a value or a tombstone, and all sets of kept ones
// that hold the newest.
TEST(UnneededVersions, ChangeNothingThatKeptSnapshotsSee) {
  constexpr int kVersions = 5;
  for (int shape = 0; shape < 243; ++shape) {
    std::vector<GroupVersion> group;
    for (int version = kVersions, rest = shape; version >= 1; --version, rest /= 3) {
      if (rest % 3 != 0) {
        group.push_back({.version = static_cast<uint64_t>(version), .tombstone = rest % 3 == 2});
      }
    }
    for (int bits = 0; bits < 16; ++bits) {
      std::set<uint64_t> kept = {kVersions};
      for (int version = 1; version < kVersions; ++version) {
        if ((bits >> (version - 1)) % 2 == 1) {
          kept.insert(static_cast<uint64_t>(version));
        }
      }
      const std::vector<GroupVersion> left = Without(group, UnneededVersions(group, kept));
      std::set<uint64_t> seen;
      for (const uint64_t snapshot : kept) {
        ASSERT_EQ(Sees(left, snapshot), Sees(group, snapshot)) << shape << " " << bits;
        seen.insert(Sees(group, snapshot).value_or(0));
      }
      for (const GroupVersion& each : left) {  // and nothing is left for nothing
        ASSERT_TRUE(each.tombstone || seen.contains(each.version)) << shape << " " << bits;
      }
      ASSERT_TRUE(left.empty() || !left.back().tombstone) << shape << " " << bits;
    }
  }
}

// The control arm: dropping what expired snapshots wrote loses what later ones still see.
TEST(UnneededVersions, AreNotSimplyThoseOfExpiredSnapshots) {
  const std::vector<GroupVersion> unchanged_since_1 = {{.version = 1}};
  EXPECT_EQ(Sees(Without(unchanged_since_1, {{.version = 1}}), 2), std::nullopt);
  EXPECT_EQ(Sees(Without(unchanged_since_1, UnneededVersions(unchanged_since_1, {2})), 2), 1U);
}

// The control arm: a tombstone that goes while something is left below it brings that back.
TEST(UnneededVersions, KeepATombstoneWhileSomethingIsBelowIt) {
  const std::vector<GroupVersion> deleted = {{.version = 2, .tombstone = true}, {.version = 1}};
  EXPECT_EQ(Sees(Without(deleted, {{.version = 2, .tombstone = true}}), 3), 1U);
  EXPECT_THAT(UnneededVersions(deleted, {1, 3}), IsEmpty());
  EXPECT_EQ(UnneededVersions(deleted, {3}).size(), 2U);
}

std::vector<SnapshotInfo> SnapshotsAt(const std::vector<absl::CivilSecond>& times) {
  std::vector<SnapshotInfo> snapshots;
  for (const absl::CivilSecond& time : times) {
    SnapshotInfo info;
    info.id = {.lineage = 1, .version = snapshots.size() + 1};
    info.instant = absl::FromCivil(time, absl::UTCTimeZone());
    snapshots.push_back(info);
  }
  return snapshots;
}

TEST(RetentionPolicy, KeepsTheLastSnapshotOfEachPeriod) {
  const std::vector<SnapshotInfo> snapshots =
      SnapshotsAt({absl::CivilSecond(2026, 2, 27, 9, 0, 0),    // 1, Friday
                   absl::CivilSecond(2026, 3, 1, 9, 0, 0),     // 2, Sunday
                   absl::CivilSecond(2026, 3, 1, 23, 59, 59),  // 3
                   absl::CivilSecond(2026, 3, 2, 0, 0, 0),     // 4, Monday
                   absl::CivilSecond(2026, 3, 2, 12, 0, 0),    // 5
                   absl::CivilSecond(2026, 3, 3, 12, 0, 0)});  // 6
  EXPECT_THAT(VersionsKeptBy({}, snapshots), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(VersionsKeptBy({.keep_last = 2}, snapshots), ElementsAre(5, 6));
  EXPECT_THAT(VersionsKeptBy({.keep_daily = 3}, snapshots), ElementsAre(3, 5, 6));
  EXPECT_THAT(VersionsKeptBy({.keep_weekly = 2}, snapshots), ElementsAre(3, 6));
  EXPECT_THAT(VersionsKeptBy({.keep_monthly = 9}, snapshots), ElementsAre(1, 6));
  EXPECT_THAT(VersionsKeptBy({.keep_last = 1, .keep_monthly = 2}, snapshots), ElementsAre(1, 6));
}

TenantModel Edition(int edition) {
  TenantModel model;
  model.tenants["acme"][0] = {{"same", "unchanged"}, {"varies", absl::StrCat("edition ", edition)}};
  model.tenants["acme"][1][absl::StrCat("only ", edition)] = "row";
  return model;
}

// Takes editions 1 to `editions`.
std::vector<SnapshotId> TakeEditions(HistoryFixture* fixture, int editions) {
  std::vector<SnapshotId> ids;
  for (int edition = 1; edition <= editions; ++edition) {
    ids.push_back(fixture->Take(Edition(edition)).id);
  }
  return ids;
}

TEST(Retention, HidesFirstAndDropsAfterTheGrace) {
  HistoryFixture fixture;
  const std::vector<SnapshotId> ids = TakeEditions(&fixture, 3);
  const RetentionPolicy policy{.keep_last = 1, .grace = absl::Hours(24)};
  RetentionReport report = *fixture.history().ApplyRetention(1, policy, {});
  EXPECT_THAT(report.hidden, ElementsAre(ids[0], ids[1]));
  EXPECT_THAT(report.expired, IsEmpty());
  ASSERT_TRUE(fixture.history().Undelete(ids[1]).ok());
  fixture.ExpectHolds(ids[1], Edition(2));
  ASSERT_TRUE(fixture.history().Hold(ids[1], "needed").ok());
  fixture.clock().Advance(absl::Hours(25));
  report = *fixture.history().ApplyRetention(1, policy, {});
  EXPECT_THAT(report.hidden, IsEmpty());
  EXPECT_THAT(report.expired, ElementsAre(ids[0]));
  fixture.ExpectHolds(ids[1], Edition(2));  // "same" was written by the first one
  fixture.ExpectHolds(ids[2], Edition(3));
  EXPECT_EQ(Outcome(fixture.history().Undelete(ids[0])), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(fixture.Take(Edition(4)).id.version, 4U);
}

TEST(Retention, ExpiresOneBetweenTwoKeptOnes) {
  HistoryFixture fixture;
  const std::vector<SnapshotId> ids = TakeEditions(&fixture, 3);
  ASSERT_TRUE(fixture.history().Hide(ids[1]).ok());
  const RetentionReport report =
      *fixture.history().ApplyRetention(1, {.grace = absl::ZeroDuration()}, {});
  EXPECT_THAT(report.expired, ElementsAre(ids[1]));
  fixture.Reopen();
  fixture.ExpectHolds(ids[0], Edition(1));
  fixture.ExpectHolds(ids[2], Edition(3));
}

TEST(Retention, KeepsTheNewestWhateverIsSaidOfIt) {
  HistoryFixture fixture;
  const std::vector<SnapshotId> ids = TakeEditions(&fixture, 2);
  ASSERT_TRUE(fixture.history().Hide(ids[0]).ok());
  ASSERT_TRUE(fixture.history().Hide(ids[1]).ok());
  const RetentionReport report =
      *fixture.history().ApplyRetention(1, {.grace = absl::ZeroDuration()}, {});
  EXPECT_THAT(report.expired, ElementsAre(ids[0]));
  ASSERT_TRUE(fixture.history().Undelete(ids[1]).ok());
  fixture.ExpectHolds(ids[1], Edition(2));
}

TEST(Retention, LeavesASnapshotThatIsBeingRead) {
  HistoryFixture fixture;
  const std::vector<SnapshotId> ids = TakeEditions(&fixture, 2);
  std::unique_ptr<PointReader> reader = *fixture.history().OpenPoint(ids[0]);
  ASSERT_TRUE(fixture.history().Hide(ids[0]).ok());
  const RetentionPolicy policy{.grace = absl::ZeroDuration()};
  EXPECT_THAT(fixture.history().ApplyRetention(1, policy, {})->expired, IsEmpty());
  EXPECT_EQ(reader->GetTenant(TenantId::FromStored("acme"))->rows(), 3);
  reader.reset();
  EXPECT_THAT(fixture.history().ApplyRetention(1, policy, {})->expired, ElementsAre(ids[0]));
}

TEST(Retention, IsSuspendedBeforeACollapse) {
  HistoryFixture fixture;
  TenantModel model;
  for (int i = 0; i < 10; ++i) {
    model.tenants[absl::StrCat("tenant", i)][0]["row"] = "value";
  }
  const SnapshotId good = fixture.Take(model).id;
  model.tenants.erase(model.tenants.begin(), std::next(model.tenants.begin(), 5));
  const SnapshotInfo collapsed = fixture.Take(model);
  fixture.Take(model);
  ASSERT_TRUE(collapsed.collapse.marked);
  ASSERT_TRUE(fixture.history().Hide(good).ok());
  const RetentionPolicy policy{.keep_last = 1, .grace = absl::ZeroDuration()};
  EXPECT_THAT(fixture.history().ApplyRetention(1, policy, {})->expired, ElementsAre(collapsed.id));
  ASSERT_TRUE(fixture.history().Undelete(good).ok());
  EXPECT_EQ(fixture.history().GetSnapshot(good)->tenants, 10);
}

TEST(Retention, GivesSpaceBack) {
  HistoryFixture fixture;
  std::mt19937 random(1);
  TenantModel model;
  for (int snapshot = 0; snapshot < 3; ++snapshot) {
    for (int row = 0; row < 200; ++row) {
      std::string& payload = model.tenants["acme"][0][absl::StrCat(row)];
      payload.resize(2000);
      std::ranges::generate(payload, [&] { return static_cast<char>(random()); });
    }
    fixture.Take(model);
  }
  const RetentionReport report =
      *fixture.history().ApplyRetention(1, {.keep_last = 1, .grace = absl::ZeroDuration()}, {});
  EXPECT_EQ(report.expired.size(), 2U);
  EXPECT_GT(report.bytes_before, 1'200'000);
  EXPECT_LT(report.bytes_after, 600'000);
}

// A witness of an expired snapshot is not missed; one of a lost snapshot is.
TEST(Retention, LeavesWordOfWhatExpired) {
  HistoryFixture fixture;
  const SnapshotInfo first = fixture.Take(Edition(1));
  const SnapshotInfo second = fixture.Take(Edition(2));
  fixture.options().witnesses = {{.snapshot = first.id, .root_digest = first.root_digest},
                                 {.snapshot = second.id, .root_digest = second.root_digest}};
  ASSERT_TRUE(fixture.history().Hide(first.id).ok());
  ASSERT_TRUE(fixture.history().ApplyRetention(1, {.grace = absl::ZeroDuration()}, {}).ok());
  fixture.Reopen();
  fixture.options().witnesses[0].root_digest[0] ^= 1;
  EXPECT_EQ(Outcome(fixture.TryReopen()), "HISTORY_INCOMPLETE");
}

// Whenever it is asked: each trial is cancelled one question later.
TEST(Retention, EndsWhenItIsCancelledAndTheNextRunDoesTheRest) {
  const RetentionPolicy policy{.keep_last = 1, .grace = absl::ZeroDuration()};
  int questions = 0;
  for (bool ended_by_itself = false; !ended_by_itself; ++questions) {
    HistoryFixture fixture;
    const std::vector<SnapshotId> ids = TakeEditions(&fixture, 3);
    int asked = 0;
    const absl::Status status =
        fixture.history()
            .ApplyRetention(1, policy, {.cancelled = [&] { return asked++ >= questions; }})
            .status();
    ended_by_itself = status.ok();
    if (!ended_by_itself) {
      EXPECT_EQ(Outcome(status), "CANCELLED");
    }
    fixture.Reopen();
    fixture.ExpectHolds(ids[2], Edition(3));
    ASSERT_TRUE(fixture.history().ApplyRetention(1, policy, {}).ok());
    EXPECT_EQ(fixture.history().ListSnapshots(1)->size(), 1U) << questions;
    fixture.ExpectHolds(ids[2], Edition(3));
  }
  EXPECT_GT(questions, 4) << "it hardly ever asks";
}

// What was marked as expired before a crash is removed by the next run.
TEST(Retention, FinishesWhatAnEarlierRunBegan) {
  HistoryFixture fixture;
  const std::vector<SnapshotId> ids = TakeEditions(&fixture, 3);
  ASSERT_TRUE(fixture.history().Hide(ids[0]).ok());
  fixture.faults().Arm("history.before_sweep",
                       [] { return MakeError(Reason::kUnavailable, "stopped"); });
  const RetentionPolicy policy{.grace = absl::ZeroDuration()};
  EXPECT_EQ(Outcome(fixture.history().ApplyRetention(1, policy, {})), "UNAVAILABLE");
  EXPECT_EQ(Outcome(fixture.history().OpenPoint(ids[0])), "SNAPSHOT_NOT_FOUND");
  fixture.faults().Disarm("history.before_sweep");
  fixture.Reopen();
  EXPECT_EQ(Outcome(fixture.history().OpenPoint(ids[0])), "SNAPSHOT_NOT_FOUND");
  const auto manifests = [&] {
    int versions = 0;
    EXPECT_TRUE(fixture.history()
                    .ScanManifests(1, [&](const ManifestVersion&) { return ++versions > 0; })
                    .ok());
    return versions;
  };
  EXPECT_EQ(manifests(), 3);
  ASSERT_TRUE(fixture.history().ApplyRetention(1, policy, {}).ok());
  EXPECT_EQ(manifests(), 2);
  fixture.ExpectHolds(ids[1], Edition(2));
  fixture.ExpectHolds(ids[2], Edition(3));
}

}  // namespace
}  // namespace reinstate
