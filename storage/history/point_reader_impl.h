#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/history/catalog.h"
#include "storage/history/history_db.h"
#include "storage/history/point_reader.h"

namespace reinstate {

// PointReader over the database.
class PointReaderImpl : public PointReader {
 public:
  // `db` and `catalog` are borrowed.
  PointReaderImpl(const HistoryDb* db, const Catalog* catalog,
                  std::unique_ptr<Catalog::Reading> reading, const RecordHasher& hasher)
      : db_(db), catalog_(catalog), reading_(std::move(reading)), hasher_(hasher) {}

  const SnapshotInfo& snapshot() const override { return reading_->info(); }
  const RecordHasher& hasher() const override { return hasher_; }
  absl::StatusOr<TenantManifest> GetTenant(const TenantId& tenant) const override;
  absl::StatusOr<std::optional<Peak>> PeakBefore(const TenantId& tenant) const override;
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const TenantId& tenant,
                                                          uint32_t table_number) const override;
  absl::StatusOr<std::vector<TenantManifest>> ListTenants(const std::optional<TenantId>& after,
                                                          int64_t limit) const override;

 private:
  absl::StatusOr<std::optional<TenantManifest>> FindManifest(const TenantId& tenant) const;
  absl::Status CheckManifestsOnce() const;

  const HistoryDb* const db_;
  const Catalog* const catalog_;
  const std::unique_ptr<Catalog::Reading> reading_;
  const RecordHasher hasher_;
  mutable Mutex mu_;
  mutable bool manifests_add_up_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace reinstate
