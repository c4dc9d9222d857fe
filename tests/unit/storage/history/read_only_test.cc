#include "storage/history/history.h"
#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

TenantModel OneTenant() {
  TenantModel model;
  model.tenants["acme"][0] = {{"1", "one"}, {"2", "two"}};
  return model;
}

TEST(ReadOnlyHistory, IsReadThoughItBelongsToAnotherState) {
  HistoryFixture fixture;
  fixture.options().state_id = "first";
  fixture.Reopen();
  const SnapshotInfo info = fixture.Take(OneTenant());
  fixture.options().state_id = "second";
  EXPECT_EQ(Outcome(fixture.TryReopen()), "STATE_LOST");
  fixture.options().read_only = true;
  EXPECT_EQ(Outcome(fixture.TryReopen()), "OK");
  fixture.ExpectHolds(info.id, OneTenant());
}

TEST(ReadOnlyHistory, IsReadThoughAWitnessedSnapshotIsMissing) {
  HistoryFixture fixture;
  const SnapshotInfo info = fixture.Take(OneTenant());
  fixture.options().witnesses = {{SnapshotId{1, 7}, "digest"}};
  EXPECT_EQ(Outcome(fixture.TryReopen()), "HISTORY_INCOMPLETE");
  fixture.options().read_only = true;
  EXPECT_EQ(Outcome(fixture.TryReopen()), "OK");
  fixture.ExpectHolds(info.id, OneTenant());
}

TEST(ReadOnlyHistory, RefusesEveryChangeAndIsUnchangedAfterwards) {
  HistoryFixture fixture;
  const SnapshotInfo info = fixture.Take(OneTenant());
  fixture.options().read_only = true;
  fixture.Reopen();
  History& history = fixture.history();
  EXPECT_EQ(Outcome(fixture.TryTake(OneTenant())), "HISTORY_INCOMPLETE");
  EXPECT_EQ(Outcome(history.EnsureLineage("another")), "HISTORY_INCOMPLETE");
  EXPECT_EQ(Outcome(history.Hold(info.id, "why")), "HISTORY_INCOMPLETE");
  EXPECT_EQ(Outcome(history.Hide(info.id)), "HISTORY_INCOMPLETE");
  EXPECT_EQ(Outcome(history.Pin(info.id, "job-1")), "HISTORY_INCOMPLETE");

  fixture.options().read_only = false;
  fixture.Reopen();
  const absl::StatusOr<SnapshotInfo> after = fixture.history().GetSnapshot(info.id);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_FALSE(after->held);
  EXPECT_TRUE(after->visible());
  EXPECT_TRUE(after->pinned_by.empty());
}

TEST(ReadOnlyHistory, IsNotMadeWhereThereIsNone) {
  HistoryFixture fixture;
  fixture.options().path += "-elsewhere";
  fixture.options().read_only = true;
  EXPECT_EQ(Outcome(fixture.TryReopen()), "HISTORY_INCOMPLETE");
}

}  // namespace
}  // namespace reinstate
