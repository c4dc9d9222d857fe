#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/live/cut.h"
#include "storage/live/rocksdb/embedded_db.h"

namespace reinstate {

// The tables of the store in `snapshot` (null: now), ascending by name.
absl::StatusOr<TenantMap> ReadMap(const EmbeddedDb* db, const rocksdb::Snapshot* snapshot);

// A stream of the tenants in `snapshot` with the number of their rows. `db` outlives it.
std::unique_ptr<TenantCountStream> OpenTenantCounts(const EmbeddedDb* db,
                                                    const SnapshotPtr& snapshot);

// A cut of an embedded store: a snapshot of the database, of which each tenant's present generation
// is read. Shards are ranges of tenants of about equal size.
class EmbeddedCut final : public Cut {
 public:
  // `db` outlives it.
  static absl::StatusOr<std::unique_ptr<Cut>> Open(const EmbeddedDb* db, int max_shards);

  const CutInfo& info() const override { return info_; }
  int shards() const override { return static_cast<int>(shard_begins_.size()); }
  absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) override;

  // Counts what is not listed as removed, without looking at the heads that OpenShard goes by, so
  // that a tenant whose head was lost shows too. The first call reads the keys of all tables.
  absl::StatusOr<int64_t> CountRows(uint32_t table) override;

  absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() override;

 private:
  explicit EmbeddedCut(const EmbeddedDb* db) : db_(db), snapshot_(db->TakeSnapshot()) {}

  absl::Status SplitIntoShards(int max_shards);
  absl::Status CountAll(std::vector<int64_t>* counts) const;

  const EmbeddedDb* const db_;
  const SnapshotPtr snapshot_;
  CutInfo info_;
  std::vector<std::string> shard_begins_;  // the first tenant of each

  Mutex mu_;
  std::optional<std::vector<int64_t>> counts_ ABSL_GUARDED_BY(mu_);  // of each table
};

}  // namespace reinstate
