// Random stores over time, compared with plain maps that the test keeps.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

constexpr int kTables = 3;

std::string AnyOf(const std::vector<std::string>& values) { return *rc::gen::elementOf(values); }

// Few tenants and keys, so that the same ones come and go; some are hard to order.
const std::vector<std::string>& Tenants() {
  static const auto* const kTenants =
      new std::vector<std::string>{"", "a", "a\x01", "aa", "b", "tenant", "\xc3\xa4", "z"};
  return *kTenants;
}

const std::vector<std::string>& Keys() {
  static const auto* const kKeys = new std::vector<std::string>{
      "", std::string(1, '\0'), std::string("\0\1", 2), "1", "10", "2", "\xff", "\xff\xff"};
  return *kKeys;
}

void ChangeRow(TenantModel* model) {
  const auto table = *rc::gen::inRange<uint32_t>(0, kTables);
  TenantModel::Rows& rows = model->tenants[AnyOf(Tenants())][table];
  const std::string key = AnyOf(Keys());
  if (*rc::gen::inRange(0, 4) == 0) {
    rows.erase(key);
  } else {
    // A repeated letter compresses, so that files of runs stay small; the length varies a lot.
    rows[key] = std::string(*rc::gen::inRange<size_t>(0, 3000), *rc::gen::inRange('a', 'e'));
  }
}

void Evolve(TenantModel* model) {
  const int changes = *rc::gen::inRange(0, 40);
  for (int i = 0; i < changes; ++i) {
    ChangeRow(model);
  }
  const std::string tenant = AnyOf(Tenants());
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      model->tenants.erase(tenant);
      break;
    case 1:
      if (!tenant.empty()) {
        model->labels[tenant] = {"label " + AnyOf(Keys()), tenant};
      }
      break;
    case 2:
      model->labels.erase(tenant);
      break;
    default:
      break;
  }
  model->Prune();
}

ModelSource::Options AnySource() {
  return {.shards = *rc::gen::inRange(1, 5),
          .ordered = *rc::gen::arbitrary<bool>(),
          .shuffle_seed = *rc::gen::arbitrary<uint64_t>()};
}

void ExpectAll(HistoryFixture* fixture, const std::map<SnapshotId, TenantModel>& models) {
  for (const auto& [id, model] : models) {
    const absl::StatusOr<TenantModel> read = ReadSnapshot(fixture->history(), id, fixture->map());
    RC_ASSERT(read.ok());
    RC_ASSERT(*read == model);
    RC_ASSERT(fixture->history().VerifySnapshot(id, {}).ok());
  }
}

// With the smallest budget that there is, unordered snapshots are sorted in many runs and several
// passes.
RC_GTEST_PROP(HistoryModel, GivesBackEachSnapshot, ()) {
  HistoryFixture fixture(kTables);
  fixture.options().memory_budget_bytes = 1;
  fixture.Reopen();
  TenantModel model;
  std::map<SnapshotId, TenantModel> models;
  const int snapshots = *rc::gen::inRange(1, 6);
  for (int i = 0; i < snapshots; ++i) {
    Evolve(&model);
    models[fixture.Take(model, AnySource()).id] = model;
  }
  ExpectAll(&fixture, models);
  fixture.Reopen();
  ExpectAll(&fixture, models);
}

// Does something random to a snapshot.
void Treat(HistoryFixture* fixture, const SnapshotId& id) {
  History& history = fixture->history();
  switch (*rc::gen::inRange(0, 7)) {
    case 0:
    case 1:
      history.Hide(id).IgnoreError();  // refused while held or pinned
      break;
    case 2:
      history.Undelete(id).IgnoreError();  // refused once it has expired
      break;
    case 3:
      history.Hold(id, "because").IgnoreError();
      break;
    case 4:
      history.Release(id).IgnoreError();
      break;
    case 5:
      history.Pin(id, "job").IgnoreError();
      break;
    default:
      history.Unpin(id, "job").IgnoreError();
      break;
  }
}

std::map<SnapshotId, TenantModel> VisibleOnes(HistoryFixture* fixture,
                                              const std::map<SnapshotId, TenantModel>& models) {
  std::map<SnapshotId, TenantModel> visible;
  const absl::StatusOr<std::vector<SnapshotInfo>> listed =
      fixture->history().ListSnapshots(fixture->lineage());
  RC_ASSERT(listed.ok());
  for (const SnapshotInfo& info : *listed) {
    if (info.visible()) {
      visible[info.id] = models.at(info.id);
    }
  }
  return visible;
}

void ExpectExpired(HistoryFixture* fixture, const std::set<SnapshotId>& expired) {
  for (const SnapshotId& id : expired) {
    RC_ASSERT(Outcome(fixture->history().GetSnapshot(id)) == "SNAPSHOT_NOT_FOUND");
    RC_ASSERT(Outcome(fixture->history().OpenPoint(id)) == "SNAPSHOT_NOT_FOUND");
  }
}

RC_GTEST_PROP(HistoryModel, RetentionChangesNothingThatKeptPointsSee, ()) {
  HistoryFixture fixture(kTables);
  TenantModel model;
  std::map<SnapshotId, TenantModel> models;
  std::set<SnapshotId> expired;
  const int steps = *rc::gen::inRange(2, 9);
  for (int i = 0; i < steps; ++i) {
    Evolve(&model);
    models[fixture.Take(model, AnySource()).id] = model;
    for (const auto& [id, unused] : models) {
      Treat(&fixture, id);
    }
    if (*rc::gen::inRange(0, 3) > 0) {
      const RetentionPolicy policy{.keep_last = *rc::gen::inRange<int64_t>(0, 4),
                                   .grace = absl::Hours(*rc::gen::inRange(0, 3))};
      const auto report = fixture.history().ApplyRetention(fixture.lineage(), policy, {});
      RC_ASSERT(report.ok());
      expired.insert(report->expired.begin(), report->expired.end());
    }
    if (*rc::gen::inRange(0, 4) == 0) {
      fixture.Reopen();
    }
    ExpectAll(&fixture, VisibleOnes(&fixture, models));
    ExpectExpired(&fixture, expired);
  }
}

// The hidden ones are read too once they are brought back.
RC_GTEST_PROP(HistoryModel, UndeleteBringsBackAllThatHasNotExpired, ()) {
  HistoryFixture fixture(kTables);
  TenantModel model;
  std::map<SnapshotId, TenantModel> models;
  for (int i = 0; i < 5; ++i) {
    Evolve(&model);
    models[fixture.Take(model, AnySource()).id] = model;
    if (*rc::gen::arbitrary<bool>()) {
      const auto version = *rc::gen::inRange<uint64_t>(1, models.size() + 1);
      RC_ASSERT(fixture.history().Hide({.lineage = fixture.lineage(), .version = version}).ok());
    }
  }
  const RetentionPolicy policy{.keep_last = 1, .grace = absl::Hours(2)};
  const auto report = fixture.history().ApplyRetention(fixture.lineage(), policy, {});
  RC_ASSERT(report.ok());
  for (const SnapshotId& id : report->expired) {
    models.erase(id);
  }
  for (const auto& [id, unused] : models) {
    RC_ASSERT(fixture.history().Undelete(id).ok());
  }
  ExpectAll(&fixture, models);
}

}  // namespace
}  // namespace reinstate
