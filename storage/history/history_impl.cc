#include "storage/history/history_impl.h"

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/all_versions_scan.h"
#include "storage/history/history_format.h"
#include "storage/history/key_codec.h"
#include "storage/history/manifest_codec.h"
#include "storage/history/point_reader_impl.h"
#include "storage/history/retention_policy.h"
#include "storage/history/sealed_value.h"
#include "storage/history/snapshot_verifier.h"
#include "storage/history/snapshot_writer.h"
#include "storage/history/version_sweeper.h"

namespace reinstate {
namespace {

int Threads() { return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2U, 8U)); }

}  // namespace

absl::StatusOr<std::unique_ptr<History>> History::Open(const HistoryOptions& options) {
  return HistoryImpl::Open(options);
}

absl::StatusOr<std::unique_ptr<History>> HistoryImpl::Open(const HistoryOptions& options) {
  if (options.read_only) {
    return OpenReadOnly(options);
  }
  const FormatExpectations expectations{.witnesses = options.witnesses,
                                        .state_id = options.state_id,
                                        .accept_other_state = options.accept_other_state};
  ASSIGN_OR_RETURN(std::unique_ptr<HistoryDb> db,
                   HistoryDb::Open({.path = options.path,
                                    .block_cache_bytes = options.block_cache_bytes,
                                    .env = options.env},
                                   [&expectations](const HistoryDb* existing) {
                                     return CheckFormat(existing, expectations);
                                   }));
  ASSIGN_OR_RETURN(const history::Format format, EnsureFormat(db.get(), options.state_id));
  ASSIGN_OR_RETURN(std::unique_ptr<Catalog> catalog, Catalog::Load(db.get()));
  return std::unique_ptr<History>(
      new HistoryImpl(options, std::move(db), std::move(catalog), format));
}

absl::StatusOr<std::unique_ptr<History>> HistoryImpl::OpenReadOnly(const HistoryOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<HistoryDb> db,
                   HistoryDb::OpenReadOnly({.path = options.path,
                                            .block_cache_bytes = options.block_cache_bytes,
                                            .env = options.env}));
  ASSIGN_OR_RETURN(const history::Format format, LoadFormat(*db));
  ASSIGN_OR_RETURN(std::unique_ptr<Catalog> catalog, Catalog::Load(db.get()));
  return std::unique_ptr<History>(
      new HistoryImpl(options, std::move(db), std::move(catalog), format));
}

HistoryImpl::HistoryImpl(const HistoryOptions& options, std::unique_ptr<HistoryDb> db,
                         std::unique_ptr<Catalog> catalog, const history::Format& format)
    : options_(options), hasher_(format.seed()), db_(std::move(db)), catalog_(std::move(catalog)) {}

absl::StatusOr<uint32_t> HistoryImpl::EnsureLineage(const std::string& name) {
  return catalog_->EnsureLineage(name);
}

absl::StatusOr<SnapshotInfo> HistoryImpl::TakeSnapshot(const SnapshotRequest& request,
                                                       SnapshotSource* source) {
  if (options_.read_only) {
    return MakeError(Reason::kHistoryIncomplete,
                     "The history is open for reading only; no snapshot was taken.");
  }
  MutexLock lock(&versions_mu_);
  // What could not be removed is removed at the next start.
  const absl::Cleanup clear = [this] { db_->ClearStaging().IgnoreError(); };
  SnapshotWriter writer({.db = db_.get(),
                         .catalog = catalog_.get(),
                         .hasher = hasher_,
                         .clock = options_.clock,
                         .faults = options_.faults,
                         .memory_budget_bytes = options_.memory_budget_bytes,
                         .threads = Threads()},
                        request, source);
  return writer.Take();
}

absl::StatusOr<std::vector<SnapshotInfo>> HistoryImpl::ListSnapshots(uint32_t lineage) const {
  return catalog_->List(lineage);
}

absl::StatusOr<SnapshotInfo> HistoryImpl::GetSnapshot(const SnapshotId& id) const {
  return catalog_->Get(id);
}

absl::StatusOr<SnapshotInfo> HistoryImpl::SnapshotAt(uint32_t lineage, absl::Time time) const {
  return catalog_->At(lineage, time);
}

absl::StatusOr<std::unique_ptr<PointReader>> HistoryImpl::OpenPoint(const SnapshotId& id) const {
  ASSIGN_OR_RETURN(std::unique_ptr<Catalog::Reading> reading, catalog_->BeginReading(id));
  return std::make_unique<PointReaderImpl>(db_.get(), catalog_.get(), std::move(reading), hasher_);
}

absl::Status HistoryImpl::ScanManifests(
    uint32_t lineage, const std::function<bool(const ManifestVersion&)>& visit) const {
  AllVersionsScan scan(db_.get(), Family::kManifests, KeyCodec::LineagePrefix(lineage));
  KeyCodec::ManifestGroup group;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, scan.Next());
    if (!found) {
      return absl::OkStatus();
    }
    if (!KeyCodec::ParseManifestGroup(scan.group(), &group)) {
      return MakeError(Reason::kCorrupt, "A key of a manifest in the history is malformed.");
    }
    ASSIGN_OR_RETURN(const std::string_view body, Unseal(scan.key(), scan.value()));
    ASSIGN_OR_RETURN(ManifestCodec::Manifest manifest, ManifestCodec::Decode(group.tenant, body));
    if (!visit({.snapshot = {.lineage = lineage, .version = scan.version()},
                .exists = manifest.exists,
                .manifest = std::move(manifest.content)})) {
      return absl::OkStatus();
    }
  }
}

absl::Status HistoryImpl::VerifySnapshot(const SnapshotId& id, const WorkCallbacks& work) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<Catalog::Reading> reading, catalog_->BeginReading(id));
  RunWatch watch(work, reading->info().sum.rows);
  watch.BeginStep("verifying");
  return SnapshotVerifier(db_.get(), id, hasher_).VerifyAll(options_.faults, &watch);
}

absl::Status HistoryImpl::Hold(const SnapshotId& id, const std::string& reason) {
  return catalog_->Hold(id, reason);
}

absl::Status HistoryImpl::Release(const SnapshotId& id) { return catalog_->Release(id); }

absl::Status HistoryImpl::Hide(const SnapshotId& id) {
  return catalog_->Hide(id, options_.clock->Now());
}

absl::Status HistoryImpl::Undelete(const SnapshotId& id) { return catalog_->Undelete(id); }

absl::Status HistoryImpl::LiftCollapse(const SnapshotId& id) { return catalog_->LiftCollapse(id); }

absl::Status HistoryImpl::Pin(const SnapshotId& id, const std::string& job) {
  return catalog_->Pin(id, job);
}

absl::Status HistoryImpl::Unpin(const SnapshotId& id, const std::string& job) {
  return catalog_->Unpin(id, job);
}

absl::StatusOr<RetentionReport> HistoryImpl::ApplyRetention(uint32_t lineage,
                                                            const RetentionPolicy& policy,
                                                            const WorkCallbacks& work) {
  MutexLock lock(&versions_mu_);
  RunWatch watch(work, 0);
  RETURN_IF_ERROR(catalog_->CheckOnDisk(lineage));
  RetentionReport report;
  ASSIGN_OR_RETURN(report.bytes_before, DiskBytes());
  RETURN_IF_ERROR(HideByPolicy(lineage, policy, &watch, &report));
  RETURN_IF_ERROR(ExpireHidden(lineage, policy.grace, &watch, &report));
  RETURN_IF_ERROR(SweepExpired(lineage, &watch));
  ASSIGN_OR_RETURN(report.bytes_after, DiskBytes());
  return report;
}

absl::Status HistoryImpl::HideByPolicy(uint32_t lineage, const RetentionPolicy& policy,
                                       RunWatch* watch, RetentionReport* report) {
  const std::vector<SnapshotInfo> snapshots = catalog_->List(lineage);
  const uint64_t suspended = ExpirySuspendedBefore(snapshots);
  std::vector<SnapshotInfo> visible = snapshots;
  std::erase_if(visible, [](const SnapshotInfo& info) { return !info.visible(); });
  const std::set<uint64_t> kept = VersionsKeptBy(policy, visible);
  for (const SnapshotInfo& info : visible) {
    const bool newest = info.id == snapshots.back().id;
    if (newest || info.id.version < suspended || kept.contains(info.id.version)) {
      continue;
    }
    RETURN_IF_ERROR(watch->CheckCancelled());
    const absl::Status hidden = catalog_->Hide(info.id, options_.clock->Now());
    if (HasReason(hidden, Reason::kSnapshotHeld)) {
      continue;
    }
    RETURN_IF_ERROR(hidden);
    report->hidden.push_back(info.id);
  }
  return absl::OkStatus();
}

absl::Status HistoryImpl::ExpireHidden(uint32_t lineage, absl::Duration grace, RunWatch* watch,
                                       RetentionReport* report) {
  const std::vector<SnapshotInfo> snapshots = catalog_->List(lineage);
  const uint64_t suspended = ExpirySuspendedBefore(snapshots);
  const absl::Time now = options_.clock->Now();
  for (const SnapshotInfo& info : snapshots) {
    if (info.visible() || info.id.version < suspended || now < *info.hidden_since + grace) {
      continue;
    }
    RETURN_IF_ERROR(watch->CheckCancelled());
    const absl::Status expired = catalog_->Expire(info.id);
    if (HasReason(expired, Reason::kSnapshotHeld)) {
      continue;
    }
    RETURN_IF_ERROR(expired);
    report->expired.push_back(info.id);
  }
  return absl::OkStatus();
}

absl::Status HistoryImpl::SweepExpired(uint32_t lineage, RunWatch* watch) {
  const std::vector<SnapshotId> expired = catalog_->ExpiredWithData(lineage);
  if (expired.empty()) {
    return absl::OkStatus();
  }
  std::set<uint64_t> kept;
  for (const SnapshotInfo& info : catalog_->List(lineage)) {
    kept.insert(info.id.version);
  }
  std::vector<uint64_t> versions;
  versions.reserve(expired.size());
  for (const SnapshotId& id : expired) {
    versions.push_back(id.version);
  }
  const absl::Cleanup clear = [this] { db_->ClearStaging().IgnoreError(); };
  watch->BeginStep("expiring");
  if (options_.faults != nullptr) {
    RETURN_IF_ERROR(options_.faults->Hit("history.before_sweep"));
  }
  VersionSweeper sweeper(db_.get(), lineage, std::move(kept), watch);
  RETURN_IF_ERROR(sweeper.Sweep(versions));
  for (const SnapshotId& id : expired) {
    catalog_->ForgetExpired(id);
  }
  return sweeper.Compact();
}

absl::StatusOr<int64_t> HistoryImpl::DiskBytes() const { return db_->DiskBytes(); }

}  // namespace reinstate
