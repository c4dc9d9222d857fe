#include "tests/support/small_site.h"

#include <gtest/gtest.h>

#include <span>
#include <utility>

namespace reinstate {
namespace {

constexpr char kIdentity[] = "small-site";

TenantId Tenant(const std::string& text) {
  const absl::StatusOr<TenantId> tenant = TenantId::Parse(text);
  EXPECT_TRUE(tenant.ok()) << tenant.status();
  return tenant.value_or(TenantId::Ownerless());
}

void WriteOne(MemoryStore* store, const RecordWrite& write) {
  const absl::Status status = store->Write(std::span(&write, 1), /*sync=*/false);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace

SmallSite::SmallSite() : store_(MemoryStoreOptions{.id = kIdentity, .clock = &clock_}) {
  HistoryOptions options;
  options.path = folder_.path() + "/history";
  options.clock = &clock_;
  options.faults = &faults_;
  options.env = env_.get();
  absl::StatusOr<std::unique_ptr<History>> history = History::Open(options);
  EXPECT_TRUE(history.ok()) << history.status();
  history_ = *std::move(history);
  const absl::StatusOr<uint32_t> lineage = history_->EnsureLineage("main");
  EXPECT_TRUE(lineage.ok()) << lineage.status();
  lineage_ = lineage.value_or(0);
}

void SmallSite::Put(const std::string& tenant, const std::string& table, const std::string& key,
                    const std::string& payload) {
  WriteOne(&store_, RecordWrite{Tenant(tenant), table, RowKey(key), payload});
}

void SmallSite::Delete(const std::string& tenant, const std::string& table,
                       const std::string& key) {
  WriteOne(&store_, RecordWrite{Tenant(tenant), table, RowKey(key), std::nullopt});
}

void SmallSite::DeleteTenant(const std::string& tenant) {
  const absl::StatusOr<int64_t> rows = store_.DeleteTenant(Tenant(tenant));
  EXPECT_TRUE(rows.ok()) << rows.status();
}

absl::StatusOr<SnapshotInfo> SmallSite::TrySnapshot(const std::string& store_identity) {
  Snapshotter snapshotter(SnapshotterOptions(), history_.get());
  absl::StatusOr<SnapshotInfo> snapshot = snapshotter.Take(
      &store_, Snapshotter::Order{.lineage = lineage_, .store_identity = store_identity});
  clock_.Advance(absl::Minutes(1));
  return snapshot;
}

SnapshotInfo SmallSite::TakeSnapshot() {
  const absl::StatusOr<SnapshotInfo> snapshot = TrySnapshot(kIdentity);
  EXPECT_TRUE(snapshot.ok()) << snapshot.status();
  return snapshot.value_or(SnapshotInfo());
}

}  // namespace reinstate
