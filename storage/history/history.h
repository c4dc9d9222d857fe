#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/base/fault_points.h"
#include "storage/history/point_reader.h"
#include "storage/history/retention.h"
#include "storage/history/snapshot_info.h"
#include "storage/history/snapshot_source.h"
#include "storage/model/snapshot_id.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace reinstate {

struct HistoryOptions {
  std::string path;  // the database's folder; created if missing
  int64_t memory_budget_bytes = 256LL
                                << 20;  // for sorting and merging, over all snapshots being taken
  int64_t block_cache_bytes = 64LL << 20;
  const Clock* clock = Clock::System();
  FaultPoints* faults = nullptr;  // none if null
  rocksdb::Env* env = nullptr;    // the default one if null; for tests
  // Checked before anything is written: every one of these snapshots must be there with this
  // digest.
  std::vector<Witness> witnesses;
  // The id of the state database that goes with this history. A history that belongs to another one
  // is refused as STATE_LOST unless accept_other_state.
  std::string state_id;
  bool accept_other_state = false;
  // Opens what is there for reading only, whomever it belongs to and whatever is missing: witnesses
  // and state_id are not looked at. Nothing is written; every change fails as HISTORY_INCOMPLETE.
  bool read_only = false;
};

// All versions of all records, by lineage and tenant, in one RocksDB database. The format is in
// README.md beside this file.
//
// Thread-safe. What a call changes is durable when it returns OK. One process at a time; another
// one is refused as DATA_DIRECTORY_IN_USE. All readers must be destroyed before it.
//
// Any read can fail with CORRUPT (a checksum is wrong) or SHORTFALL (rows are missing or too many);
// never is a result short without an error. Writes can fail with NO_SPACE; nothing has changed
// then.
class History {
 public:
  // Opens or creates. Clears what an interrupted snapshot left behind. HISTORY_INCOMPLETE if a
  // witnessed snapshot is missing or differs; nothing was written then. HISTORY_WRONG_FORMAT if the
  // folder holds something else or another version's data.
  static absl::StatusOr<std::unique_ptr<History>> Open(const HistoryOptions& options);

  virtual ~History() = default;

  // The lineage that is called `name`, made if there is none. A store's own lineage has the store's
  // name.
  virtual absl::StatusOr<uint32_t> EnsureLineage(const std::string& name) = 0;

  // All lineages, by number.
  virtual std::vector<LineageInfo> ListLineages() const = 0;

  // Reads `source` to the end and adds it as the newest snapshot of its lineage, in one atomic
  // step. Blocks; one snapshot at a time (others wait). CLOCK_JUMPED if the instant is before the
  // last snapshot's, or differs from the clock by more than request.max_clock_skew. SHORTFALL if
  // the source's own counts differ from what was read. CANCELLED if request.cancelled says so.
  // After any error the history is as it was.
  virtual absl::StatusOr<SnapshotInfo> TakeSnapshot(const SnapshotRequest& request,
                                                    SnapshotSource* source) = 0;

  // All snapshots of a lineage that still have data, hidden ones included, oldest first.
  virtual absl::StatusOr<std::vector<SnapshotInfo>> ListSnapshots(uint32_t lineage) const = 0;

  // SNAPSHOT_NOT_FOUND if there is none, or it has expired.
  virtual absl::StatusOr<SnapshotInfo> GetSnapshot(const SnapshotId& id) const = 0;

  // The newest visible snapshot of `lineage` whose instant is not after `time`.
  // POINT_BEFORE_FIRST_SNAPSHOT, with the instant of the first, if there is none.
  virtual absl::StatusOr<SnapshotInfo> SnapshotAt(uint32_t lineage, absl::Time time) const = 0;

  // Opens a visible snapshot for reading and pins it in memory for the reader's life.
  // SNAPSHOT_NOT_FOUND, SNAPSHOT_HIDDEN.
  virtual absl::StatusOr<std::unique_ptr<PointReader>> OpenPoint(const SnapshotId& id) const = 0;

  // Calls `visit` for each manifest (each tenant, each version at which it changed) of `lineage` in
  // the order of tenants, newest first, until it returns false: how labels of earlier snapshots are
  // searched.
  virtual absl::Status ScanManifests(
      uint32_t lineage, const std::function<bool(const ManifestVersion&)>& visit) const = 0;

  // Reads everything that `id` can see: each record's checksum, each tenant against its manifest,
  // the manifests against the root. CORRUPT or SHORTFALL with the tenant's table where it does not
  // add up. CANCELLED.
  virtual absl::Status VerifySnapshot(const SnapshotId& id, const WorkCallbacks& work) const = 0;

  // Changes of the catalog. SNAPSHOT_NOT_FOUND; each may be repeated.
  virtual absl::Status Hold(const SnapshotId& id,
                            const std::string& reason) = 0;  // never expires while held
  virtual absl::Status Release(const SnapshotId& id) = 0;
  virtual absl::Status Hide(
      const SnapshotId& id) = 0;  // SNAPSHOT_HELD while held or pinned; begins the grace
  virtual absl::Status Undelete(const SnapshotId& id) = 0;  // makes a hidden one visible again
  virtual absl::Status LiftCollapse(
      const SnapshotId& id) = 0;  // a person has looked: earlier ones may expire again
  // Until Unpin by the same job. Outlives the process, but perhaps not a crash of the machine: who
  // goes on with a job after a start pins again before anything may expire.
  virtual absl::Status Pin(const SnapshotId& id, const std::string& job) = 0;
  virtual absl::Status Unpin(const SnapshotId& id, const std::string& job) = 0;

  // Hides what `policy` no longer keeps, drops the data of what has been hidden for longer than the
  // grace period, and compacts. Blocks; excludes snapshots. Everything is kept if the catalog
  // cannot be read, and nothing before a snapshot marked as collapsed expires. CANCELLED: what was
  // done by then stays done, and the next retention goes on with the rest.
  virtual absl::StatusOr<RetentionReport> ApplyRetention(uint32_t lineage,
                                                         const RetentionPolicy& policy,
                                                         const WorkCallbacks& work) = 0;

  // Bytes of all files on disk.
  virtual absl::StatusOr<int64_t> DiskBytes() const = 0;
};

}  // namespace reinstate
