#include "storage/history/history.h"

#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TenantModel TwoTenants() {
  TenantModel model;
  model.tenants["acme"][0] = {{"1", "one"}, {"2", "two"}};
  model.tenants["acme"][1] = {{"x", "ten"}};
  model.tenants["zoo"][0] = {{"1", "uno"}};
  model.tenants[""][1] = {{"stray", "row"}};
  model.labels["acme"] = {"Acme Inc.", "acme"};
  return model;
}

TenantId Id(const std::string& text) { return TenantId::FromStored(text); }

TEST(History, GivesBackWhatASnapshotTook) {
  HistoryFixture fixture;
  const SnapshotInfo info = fixture.Take(TwoTenants());
  EXPECT_EQ(info.id.ToString(), "snap-1-1");
  EXPECT_EQ(info.instant, fixture.clock().Now());
  EXPECT_EQ(info.job, "job-1");
  EXPECT_EQ(info.store_identity, "identity");
  EXPECT_EQ(info.map_digest, fixture.map().Digest());
  EXPECT_EQ(info.tenants, 2);
  EXPECT_EQ(info.ownerless_rows, 1);
  EXPECT_EQ(info.sum.rows, 5);
  EXPECT_GT(info.added_bytes, 0);
  fixture.ExpectHolds(info.id, TwoTenants());
  fixture.Reopen();
  fixture.ExpectHolds(info.id, TwoTenants());
  EXPECT_EQ(fixture.history().GetSnapshot(info.id)->root_digest, info.root_digest);
}

TEST(History, KeepsEachVersion) {
  HistoryFixture fixture;
  TenantModel model = TwoTenants();
  const SnapshotInfo first = fixture.Take(model);
  model.tenants["acme"][0]["2"] = "changed";
  model.tenants["acme"][0].erase("1");
  model.tenants.erase("zoo");
  model.tenants["new"][0]["1"] = "new";
  const SnapshotInfo second = fixture.Take(model, {.ordered = false});
  fixture.ExpectHolds(first.id, TwoTenants());
  fixture.ExpectHolds(second.id, model);
}

TEST(History, AddsNothingButARootForAnUnchangedStore) {
  HistoryFixture fixture;
  fixture.Take(TwoTenants());
  EXPECT_EQ(fixture.Take(TwoTenants()).added_bytes, 0);
}

TEST(History, SortsInManyRunsWhenMemoryIsShort) {
  HistoryFixture fixture;
  fixture.options().memory_budget_bytes = 1;
  fixture.Reopen();
  TenantModel model;
  for (int i = 0; i < 4000; ++i) {  // some 4 MB, sorted 64 KiB at a time
    model.tenants[absl::StrCat("tenant", i % 37)][i % 2][absl::StrCat("key", i)] =
        std::string(1000, static_cast<char>('a' + i % 26));
  }
  const SnapshotInfo info = fixture.Take(model, {.shards = 3, .ordered = false});
  fixture.ExpectHolds(info.id, model);
}

TEST(History, SortsWhereTableNumbersAreNotInTheMapsOrder) {
  HistoryFixture fixture;
  fixture.Take(TwoTenants());
  std::swap(fixture.map().tables[0], fixture.map().tables[1]);
  const SnapshotInfo second = fixture.Take(TwoTenants());
  fixture.ExpectHolds(second.id, TwoTenants());
}

TEST(History, KeepsATablesNumberWhenItIsRenamed) {
  HistoryFixture fixture;
  const SnapshotInfo first = fixture.Take(TwoTenants());
  fixture.map().tables[1].schema.name = "renamed";
  const SnapshotInfo second = fixture.Take(TwoTenants());
  EXPECT_EQ(second.tables[1].schema.name, "renamed");
  EXPECT_EQ(first.tables[1].number, second.tables[1].number);
  fixture.ExpectHolds(second.id, TwoTenants());
}

TEST(History, NeverUsesATablesNumberAgain) {
  HistoryFixture fixture;
  TenantModel model = TwoTenants();
  const SnapshotInfo first = fixture.Take(model);
  const MappedTable dropped = fixture.map().tables[1];
  fixture.map().tables[1] = OwnedTables(3).tables[2];
  model.tenants["acme"][1] = {{"other", "row"}};
  const SnapshotInfo second = fixture.Take(model);
  EXPECT_EQ(first.tables[1].number, 2U);
  EXPECT_EQ(second.tables[1].number, 3U);
  fixture.ExpectHolds(second.id, model);
  fixture.map().tables[1] = dropped;  // it is back, with its number
  const SnapshotInfo third = fixture.Take(TwoTenants());
  EXPECT_EQ(third.tables[1].number, 2U);
  fixture.ExpectHolds(third.id, TwoTenants());
  fixture.ExpectHolds(first.id, TwoTenants());
}

TEST(History, LeavesSharedAndExcludedTablesOut) {
  HistoryFixture fixture(3);
  fixture.map().tables[0].relation = Relation::kShared;
  fixture.map().tables[1].relation = Relation::kUnresolved;
  TenantModel model;
  model.tenants[""][1]["row"] = "of nobody";
  model.tenants["acme"][2]["row"] = "owned";
  const SnapshotInfo info = fixture.Take(model);
  ASSERT_EQ(info.tables.size(), 2U);
  EXPECT_FALSE(info.tables[0].owned);
  EXPECT_TRUE(info.tables[1].owned);
  fixture.ExpectHolds(info.id, model);
  model.tenants["acme"][0]["row"] = "shared";
  EXPECT_EQ(Outcome(fixture.TryTake(model)), "INTERNAL");
}

TEST(History, KnowsATenantThatHasOnlyLabels) {
  HistoryFixture fixture;
  TenantModel model = TwoTenants();
  model.labels["hollow"] = {"Hollow Ltd."};
  const SnapshotInfo info = fixture.Take(model);
  EXPECT_EQ(info.tenants, 3);
  fixture.ExpectHolds(info.id, model);
}

TEST(History, RefusesTwoTablesOfTheSameIdentity) {
  HistoryFixture fixture;
  fixture.map().tables.push_back(fixture.map().tables[0]);
  EXPECT_EQ(Outcome(fixture.TryTake(TwoTenants())), "INVALID_ARGUMENT");
}

TEST(History, RefusesALineageThatItDoesNotKnow) {
  HistoryFixture fixture;
  SnapshotRequest request = fixture.Request();
  request.lineage = 77;
  ModelSource source(TwoTenants(), {});
  EXPECT_EQ(Outcome(fixture.history().TakeSnapshot(request, &source)), "INVALID_ARGUMENT");
}

TEST(History, KeepsLineagesApart) {
  HistoryFixture fixture;
  const uint32_t other = *fixture.history().EnsureLineage("import");
  EXPECT_NE(other, fixture.lineage());
  EXPECT_EQ(*fixture.history().EnsureLineage("import"), other);
  const SnapshotInfo first = fixture.Take(TwoTenants());
  TenantModel imported;
  imported.tenants["acme"][0]["1"] = "imported";
  SnapshotRequest request = fixture.Request();
  request.lineage = other;
  ModelSource source(imported, {});
  const absl::StatusOr<SnapshotInfo> second = fixture.history().TakeSnapshot(request, &source);
  ASSERT_TRUE(second.ok()) << second.status();
  fixture.ExpectHolds(first.id, TwoTenants());
  fixture.ExpectHolds(second->id, imported);
  EXPECT_EQ(fixture.history().ListSnapshots(other)->size(), 1U);
}

// Without the check, what the reader lost would turn into tombstones: the control arm.
TEST(History, FailsWhereAReaderLosesRows) {
  for (const bool ordered : {true, false}) {
    HistoryFixture fixture;
    const SnapshotInfo first = fixture.Take(TwoTenants());
    EXPECT_EQ(Outcome(fixture.TryTake(TwoTenants(), {.ordered = ordered, .rows_lost = 2})),
              "SHORTFALL");
    EXPECT_EQ(fixture.history().ListSnapshots(fixture.lineage())->size(), 1U);
    fixture.ExpectHolds(first.id, TwoTenants());
    EXPECT_TRUE(std::filesystem::is_empty(fixture.path() + "/staging"));
  }
}

class TrustingSource : public ModelSource {
 public:
  using ModelSource::ModelSource;
  absl::StatusOr<int64_t> CountRows(uint32_t table) override {
    int64_t rows = 0;
    for (int shard = 0; shard < shards(); ++shard) {
      const std::unique_ptr<TenantRowStream> stream = *OpenShard(shard);
      for (TenantRow row; *stream->Next(&row);) {
        rows += row.table == table ? 1 : 0;
      }
    }
    return rows;
  }
};

TEST(History, WouldTakeLostRowsForDeletedOnesIfTheCountWereTheReadersOwn) {
  HistoryFixture fixture;
  fixture.Take(TwoTenants());
  TrustingSource source(TwoTenants(), {.rows_lost = 2});
  const absl::StatusOr<SnapshotInfo> taken =
      fixture.history().TakeSnapshot(fixture.Request(), &source);
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->sum.rows, 3);
}

TEST(History, RefusesARowThatComesTwice) {
  HistoryFixture fixture;
  EXPECT_EQ(Outcome(fixture.TryTake(TwoTenants(), {.repeat_a_row = true})), "CORRUPT");
  EXPECT_EQ(Outcome(fixture.TryTake(TwoTenants(), {.ordered = false, .repeat_a_row = true})),
            "CORRUPT");
}

TEST(History, HoldsASourceToTheOrderThatItPromises) {
  HistoryFixture fixture;
  EXPECT_EQ(Outcome(fixture.TryTake(TwoTenants(), {.shards = 1, .swap_rows = true})), "INTERNAL");
  EXPECT_TRUE(fixture.TryTake(TwoTenants(), {.ordered = false, .swap_rows = true}).ok());
}

TEST(History, RefusesAnInstantThatJumps) {
  HistoryFixture fixture;
  fixture.Take(TwoTenants());
  SnapshotRequest request = fixture.Request();
  ModelSource source(TwoTenants(), {});
  for (const absl::Duration jump : {-absl::Minutes(1), absl::Minutes(6)}) {
    request.instant = fixture.clock().Now() + jump;
    EXPECT_EQ(Outcome(fixture.history().TakeSnapshot(request, &source)), "CLOCK_JUMPED");
  }
  request.accept_clock_jump = true;
  EXPECT_EQ(Outcome(fixture.history().TakeSnapshot(request, &source)), "OK");
}

TEST(History, StopsWhenItIsCancelled) {
  HistoryFixture fixture;
  SnapshotRequest request = fixture.Request();
  request.cancelled = [] { return true; };
  ModelSource source(TwoTenants(), {});
  EXPECT_EQ(Outcome(fixture.history().TakeSnapshot(request, &source)), "CANCELLED");
  EXPECT_THAT(*fixture.history().ListSnapshots(fixture.lineage()), IsEmpty());
}

TEST(History, IsAsItWasAfterAFaultAnywhere) {
  for (const char* place : {"history.while_merging", "history.before_ingest"}) {
    HistoryFixture fixture;
    const SnapshotInfo first = fixture.Take(TwoTenants());
    ASSERT_TRUE(fixture.faults().ArmFromText(absl::StrCat(place, "=error")).ok());
    TenantModel changed = TwoTenants();
    changed.tenants.erase("zoo");
    EXPECT_EQ(Outcome(fixture.TryTake(changed)), "UNAVAILABLE") << place;
    fixture.ExpectHolds(first.id, TwoTenants());
    fixture.ExpectHolds(fixture.Take(changed).id, changed);
  }
}

TEST(History, ReportsHowFarItIs) {
  HistoryFixture fixture;
  SnapshotRequest request = fixture.Request();
  std::vector<std::string> steps;
  Mutex mu;
  request.progress = [&](const Progress& progress) {
    MutexLock lock(&mu);
    if (steps.empty() || steps.back() != progress.step) {
      steps.push_back(progress.step);
    }
  };
  ModelSource source(TwoTenants(), {.ordered = false});
  ASSERT_TRUE(fixture.history().TakeSnapshot(request, &source).ok());
  EXPECT_THAT(steps, ElementsAre("reading", "merging", "adding"));
}

TEST(History, FindsTheSnapshotOfATime) {
  HistoryFixture fixture;
  History& history = fixture.history();
  const absl::Time begin = fixture.clock().Now();
  EXPECT_EQ(Outcome(history.SnapshotAt(fixture.lineage(), begin)), "POINT_BEFORE_FIRST_SNAPSHOT");
  const SnapshotInfo first = fixture.Take(TwoTenants());
  const SnapshotInfo second = fixture.Take(TwoTenants());
  const absl::StatusOr<SnapshotInfo> before = history.SnapshotAt(fixture.lineage(), begin);
  EXPECT_EQ(Outcome(before), "POINT_BEFORE_FIRST_SNAPSHOT");
  EXPECT_THAT(before.status().ToString(), HasSubstr("2026-04-05T13:00:00"));
  EXPECT_EQ(history.SnapshotAt(fixture.lineage(), first.instant)->id, first.id);
  EXPECT_EQ(history.SnapshotAt(fixture.lineage(), second.instant - absl::Seconds(1))->id, first.id);
  EXPECT_EQ(history.SnapshotAt(fixture.lineage(), absl::InfiniteFuture())->id, second.id);
  ASSERT_TRUE(history.Hide(second.id).ok());
  EXPECT_EQ(history.SnapshotAt(fixture.lineage(), absl::InfiniteFuture())->id, first.id);
}

TEST(History, SaysSoWhereThereIsNoSuchThing) {
  HistoryFixture fixture;
  const SnapshotInfo info = fixture.Take(TwoTenants());
  const SnapshotId unknown{.lineage = 1, .version = 9};
  EXPECT_EQ(Outcome(fixture.history().GetSnapshot(unknown)), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Outcome(fixture.history().OpenPoint(unknown)), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Outcome(fixture.history().Hold(unknown, "")), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(Outcome(fixture.history().VerifySnapshot(unknown, {})), "SNAPSHOT_NOT_FOUND");
  const std::unique_ptr<PointReader> reader = *fixture.history().OpenPoint(info.id);
  EXPECT_EQ(Outcome(reader->GetTenant(Id("nobody"))), "TENANT_NOT_AT_POINT");
  EXPECT_EQ(Outcome(reader->ReadTable(Id("nobody"), 1)), "TENANT_NOT_AT_POINT");
  EXPECT_EQ(Outcome(reader->ReadTable(Id("acme"), 9)), "TABLE_NOT_FOUND");
}

TEST(History, SumsWithTheHasherThatItsReadersGive) {
  HistoryFixture fixture;
  const SnapshotInfo info = fixture.Take(TwoTenants());
  const std::unique_ptr<PointReader> reader = *fixture.history().OpenPoint(info.id);
  const TenantManifest manifest = *reader->GetTenant(Id("zoo"));
  Sum expected;
  expected.Add(reader->hasher().Hash(1, "1", "uno"), 4);
  ASSERT_EQ(manifest.tables.size(), 1U);
  EXPECT_EQ(manifest.tables[0].number, 1U);
  EXPECT_EQ(manifest.tables[0].sum, expected);
}

TEST(History, ListsTenantsInPages) {
  HistoryFixture fixture;
  const SnapshotInfo info = fixture.Take(TwoTenants());
  const std::unique_ptr<PointReader> reader = *fixture.history().OpenPoint(info.id);
  const auto names = [&](const std::optional<TenantId>& after, int64_t limit) {
    std::vector<std::string> ids;
    const std::vector<TenantManifest> page = *reader->ListTenants(after, limit);
    for (const TenantManifest& manifest : page) {
      ids.push_back(manifest.tenant.value());
    }
    return ids;
  };
  EXPECT_THAT(names(std::nullopt, 10), ElementsAre("acme", "zoo"));
  EXPECT_THAT(names(std::nullopt, 1), ElementsAre("acme"));
  EXPECT_THAT(names(Id("acme"), 10), ElementsAre("zoo"));
  EXPECT_THAT(names(Id("b"), 10), ElementsAre("zoo"));
  EXPECT_THAT(names(Id("zoo"), 10), IsEmpty());
}

TEST(History, KnowsTheMostThatATenantHad) {
  HistoryFixture fixture;
  TenantModel model = TwoTenants();
  const SnapshotInfo first = fixture.Take(model);
  model.tenants["acme"][0]["3"] = "three";
  const SnapshotInfo second = fixture.Take(model);
  model.tenants["acme"] = {};
  model.tenants["acme"][0]["1"] = "one";
  const SnapshotInfo third = fixture.Take(model);
  const std::unique_ptr<PointReader> reader = *fixture.history().OpenPoint(third.id);
  const auto peak = [&] { return **reader->PeakBefore(Id("acme")); };
  EXPECT_EQ(peak().rows, 4);
  EXPECT_EQ(peak().snapshot, second.id);
  EXPECT_EQ((**(*fixture.history().OpenPoint(first.id))->PeakBefore(Id("acme"))).rows, 3);
  ASSERT_TRUE(fixture.history().Hide(second.id).ok());
  EXPECT_EQ(peak().rows, 3);
  EXPECT_EQ(peak().snapshot, first.id);
  EXPECT_FALSE(reader->PeakBefore(Id("never"))->has_value());
}

TEST(History, ScansTheManifestsOfAllVersions) {
  HistoryFixture fixture;
  TenantModel model = TwoTenants();
  fixture.Take(model);
  fixture.Take(model);  // changes no manifest
  model.tenants.erase("zoo");
  model.labels["acme"] = {"Acme Corp."};
  fixture.Take(model);
  std::vector<std::string> seen;
  ASSERT_TRUE(fixture.history()
                  .ScanManifests(fixture.lineage(),
                                 [&](const ManifestVersion& version) {
                                   seen.push_back(absl::StrCat(
                                       version.manifest.tenant.value(), "@",
                                       version.snapshot.version, version.exists ? "" : " gone",
                                       version.manifest.labels.empty()
                                           ? ""
                                           : " " + version.manifest.labels[0]));
                                   return true;
                                 })
                  .ok());
  EXPECT_THAT(seen,
              ElementsAre("@1", "acme@3 Acme Corp.", "acme@1 Acme Inc.", "zoo@3 gone", "zoo@1"));
}

TEST(History, NoticesACollapse) {
  HistoryFixture fixture;
  TenantModel model;
  for (int i = 0; i < 40; ++i) {
    for (int row = 0; row < 10; ++row) {
      model.tenants[absl::StrCat("tenant", i)][0][absl::StrCat(row)] = "row";
    }
  }
  EXPECT_FALSE(fixture.Take(model).collapse.marked);
  model.tenants.erase("tenant1");
  model.tenants.erase("tenant2");
  EXPECT_FALSE(fixture.Take(model).collapse.marked);  // 2 are never a collapse
  for (const char* tenant : {"tenant3", "tenant4", "tenant5"}) {
    model.tenants[tenant][0] = {{"1", "row"}};
  }
  const SnapshotInfo collapsed = fixture.Take(model);
  EXPECT_TRUE(collapsed.collapse.marked);
  EXPECT_EQ(collapsed.collapse.shrunken_tenants, 3);
  EXPECT_EQ(collapsed.collapse.vanished_tenants, 0);
  ASSERT_TRUE(fixture.history().LiftCollapse(collapsed.id).ok());
  fixture.Reopen();
  EXPECT_TRUE(fixture.history().GetSnapshot(collapsed.id)->collapse.marked);
  EXPECT_TRUE(fixture.history().GetSnapshot(collapsed.id)->collapse.lifted);
}

TEST(History, RemembersWhatItWasToldOfASnapshot) {
  HistoryFixture fixture;
  const SnapshotId id = fixture.Take(TwoTenants()).id;
  fixture.Take(TwoTenants());
  ASSERT_TRUE(fixture.history().Hold(id, "audit").ok());
  ASSERT_TRUE(fixture.history().Pin(id, "job-7").ok());
  EXPECT_EQ(Outcome(fixture.history().Hide(id)), "SNAPSHOT_HELD");
  fixture.Reopen();
  SnapshotInfo info = *fixture.history().GetSnapshot(id);
  EXPECT_TRUE(info.held);
  EXPECT_EQ(info.hold_reason, "audit");
  EXPECT_THAT(info.pinned_by, ElementsAre("job-7"));
  ASSERT_TRUE(fixture.history().Release(id).ok());
  EXPECT_EQ(Outcome(fixture.history().Hide(id)), "SNAPSHOT_HELD");
  ASSERT_TRUE(fixture.history().Unpin(id, "job-7").ok());
  ASSERT_TRUE(fixture.history().Hide(id).ok());
  fixture.Reopen();
  info = *fixture.history().GetSnapshot(id);
  EXPECT_EQ(info.hidden_since, fixture.clock().Now());
  EXPECT_EQ(Outcome(fixture.history().OpenPoint(id)), "SNAPSHOT_HIDDEN");
  ASSERT_TRUE(fixture.history().Undelete(id).ok());
  fixture.ExpectHolds(id, TwoTenants());
}

TEST(HistoryOpen, RefusesAFolderThatIsInUse) {
  HistoryFixture fixture;
  EXPECT_EQ(Outcome(History::Open(fixture.options())), "DATA_DIRECTORY_IN_USE");
  fixture.Reopen();
}

TEST(HistoryOpen, RefusesAFolderThatHoldsSomethingElse) {
  HistoryFixture fixture;
  HistoryOptions options = fixture.options();
  options.path = fixture.scratch() + "/other";
  std::filesystem::create_directories(options.path);
  std::ofstream(options.path + "/letter.txt") << "something else";
  EXPECT_EQ(Outcome(History::Open(options)), "HISTORY_WRONG_FORMAT");
  EXPECT_FALSE(std::filesystem::exists(options.path + "/LOCK"));
}

TEST(HistoryOpen, ClearsWhatAnInterruptedSnapshotLeft) {
  HistoryFixture fixture;
  fixture.Close();
  const std::string left = fixture.path() + "/staging/records-1.sst";
  std::ofstream(left) << "half a file";
  fixture.Reopen();
  EXPECT_FALSE(std::filesystem::exists(left));
}

TEST(HistoryOpen, KnowsItsState) {
  HistoryFixture fixture;
  fixture.options().state_id = "state-1";
  fixture.Reopen();
  fixture.options().state_id = "state-2";
  EXPECT_EQ(Outcome(fixture.TryReopen()), "STATE_LOST");
  fixture.options().accept_other_state = true;
  fixture.Reopen();
  fixture.options().accept_other_state = false;
  fixture.Reopen();
}

TEST(HistoryOpen, MissesAWitnessedSnapshot) {
  HistoryFixture fixture;
  const SnapshotInfo info = fixture.Take(TwoTenants());
  fixture.options().witnesses = {{.snapshot = info.id, .root_digest = info.root_digest}};
  fixture.Reopen();
  fixture.options().witnesses[0].root_digest[0] ^= 1;
  EXPECT_EQ(Outcome(fixture.TryReopen()), "HISTORY_INCOMPLETE");
  fixture.options().witnesses[0] = {.snapshot = {.lineage = 1, .version = 2}};
  EXPECT_EQ(Outcome(fixture.TryReopen()), "HISTORY_INCOMPLETE");
  std::filesystem::remove_all(fixture.path());
  EXPECT_EQ(Outcome(fixture.TryReopen()), "HISTORY_INCOMPLETE");
}

}  // namespace
}  // namespace reinstate
