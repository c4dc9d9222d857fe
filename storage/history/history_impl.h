#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/history/catalog.h"
#include "storage/history/history.h"
#include "storage/history/history.pb.h"
#include "storage/history/history_db.h"
#include "storage/history/run_watch.h"

namespace reinstate {

// History over RocksDB: puts its parts together.
class HistoryImpl : public History {
 public:
  static absl::StatusOr<std::unique_ptr<History>> Open(const HistoryOptions& options);
  static absl::StatusOr<std::unique_ptr<History>> OpenReadOnly(const HistoryOptions& options);

  absl::StatusOr<uint32_t> EnsureLineage(const std::string& name) override;
  std::vector<LineageInfo> ListLineages() const override { return catalog_->ListLineages(); }
  absl::StatusOr<SnapshotInfo> TakeSnapshot(const SnapshotRequest& request,
                                            SnapshotSource* source) override;
  absl::StatusOr<std::vector<SnapshotInfo>> ListSnapshots(uint32_t lineage) const override;
  absl::StatusOr<SnapshotInfo> GetSnapshot(const SnapshotId& id) const override;
  absl::StatusOr<SnapshotInfo> SnapshotAt(uint32_t lineage, absl::Time time) const override;
  absl::StatusOr<std::unique_ptr<PointReader>> OpenPoint(const SnapshotId& id) const override;
  absl::Status ScanManifests(
      uint32_t lineage, const std::function<bool(const ManifestVersion&)>& visit) const override;
  absl::Status VerifySnapshot(const SnapshotId& id, const WorkCallbacks& work) const override;
  absl::Status Hold(const SnapshotId& id, const std::string& reason) override;
  absl::Status Release(const SnapshotId& id) override;
  absl::Status Hide(const SnapshotId& id) override;
  absl::Status Undelete(const SnapshotId& id) override;
  absl::Status LiftCollapse(const SnapshotId& id) override;
  absl::Status Pin(const SnapshotId& id, const std::string& job) override;
  absl::Status Unpin(const SnapshotId& id, const std::string& job) override;
  absl::StatusOr<RetentionReport> ApplyRetention(uint32_t lineage, const RetentionPolicy& policy,
                                                 const WorkCallbacks& work) override;
  absl::StatusOr<int64_t> DiskBytes() const override;

 private:
  HistoryImpl(const HistoryOptions& options, std::unique_ptr<HistoryDb> db,
              std::unique_ptr<Catalog> catalog, const history::Format& format);

  absl::Status HideByPolicy(uint32_t lineage, const RetentionPolicy& policy, RunWatch* watch,
                            RetentionReport* report);
  absl::Status ExpireHidden(uint32_t lineage, absl::Duration grace, RunWatch* watch,
                            RetentionReport* report);
  absl::Status SweepExpired(uint32_t lineage, RunWatch* watch);

  const HistoryOptions options_;
  const RecordHasher hasher_;
  const std::unique_ptr<HistoryDb> db_;
  const std::unique_ptr<Catalog> catalog_;
  // Held by whoever adds or removes versions, for as long as that takes: it makes them wait for one
  // another and guards no memory.
  Mutex versions_mu_;
};

}  // namespace reinstate
