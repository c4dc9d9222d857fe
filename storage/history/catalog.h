#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"
#include "storage/history/history.pb.h"
#include "storage/history/history_db.h"
#include "storage/history/snapshot_info.h"

namespace reinstate {

// What is known of lineages and snapshots, in memory, and what may change about them, written
// through to the family `catalog`.
//
// Thread-safe. A change is durable when the call returns OK (pins: see History::Pin), and has not
// happened otherwise; each may be repeated. Calls that name a snapshot fail with SNAPSHOT_NOT_FOUND
// if there is none, or it has expired.
class Catalog {
 public:
  // Reads lineages, roots and their states. CORRUPT.
  static absl::StatusOr<std::unique_ptr<Catalog>> Load(HistoryDb* db);

  // Keeps a snapshot from expiring for as long as it lives.
  class Reading {
   public:
    Reading(Catalog* catalog, SnapshotInfo info) : catalog_(catalog), info_(std::move(info)) {}
    ~Reading() { catalog_->EndReading(info_.id); }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

    const SnapshotInfo& info() const { return info_; }

   private:
    Catalog* const catalog_;
    const SnapshotInfo info_;
  };

  absl::StatusOr<uint32_t> EnsureLineage(const std::string& name);
  bool HasLineage(uint32_t lineage) const;
  std::vector<LineageInfo> ListLineages() const;

  // All that have not expired, oldest first.
  std::vector<SnapshotInfo> List(uint32_t lineage) const;
  absl::StatusOr<SnapshotInfo> Get(const SnapshotId& id) const;
  absl::StatusOr<SnapshotInfo> At(uint32_t lineage, absl::Time time) const;

  // The version of the newest snapshot that the lineage ever had, 0 if none.
  uint64_t LastVersion(uint32_t lineage) const;

  // SNAPSHOT_HIDDEN.
  absl::StatusOr<std::unique_ptr<Reading>> BeginReading(const SnapshotId& id);

  // A snapshot that was just added to the database.
  void Add(const SnapshotInfo& info);

  absl::Status Hold(const SnapshotId& id, const std::string& reason);
  absl::Status Release(const SnapshotId& id);
  absl::Status Hide(const SnapshotId& id, absl::Time now);
  absl::Status Undelete(const SnapshotId& id);
  absl::Status LiftCollapse(const SnapshotId& id);
  absl::Status Pin(const SnapshotId& id, const std::string& job);
  absl::Status Unpin(const SnapshotId& id, const std::string& job);

  // Expires a snapshot that is hidden, and neither held, pinned, being read nor the newest of its
  // lineage. From then on no other call knows of it. SNAPSHOT_HELD if it is one of these.
  absl::Status Expire(const SnapshotId& id);

  // The expired snapshots whose data is still there; a caller that removed it says so.
  std::vector<SnapshotId> ExpiredWithData(uint32_t lineage) const;
  void ForgetExpired(const SnapshotId& id);

  // Reads the states of a lineage's snapshots from the disk again and compares them with what is in
  // memory. CORRUPT if they differ or cannot be read.
  absl::Status CheckOnDisk(uint32_t lineage) const;

 private:
  struct Entry {
    SnapshotInfo info;
    bool expired = false;
    int readings = 0;
  };
  using Entries = std::map<SnapshotId, Entry>;

  using Durability = HistoryDb::Durability;

  explicit Catalog(HistoryDb* db) : db_(db) {}

  absl::Status LoadLineages();
  absl::Status LoadRoots();
  absl::Status LoadStates();

  absl::StatusOr<Entries::const_iterator> Find(const SnapshotId& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Change(const SnapshotId& id, Durability durability,
                      const std::function<absl::Status(SnapshotInfo*)>& change);
  absl::Status BeginExpiry(const SnapshotId& id, std::string* root_digest);
  void EndReading(const SnapshotId& id);

  HistoryDb* const db_;
  mutable Mutex changes_mu_ ABSL_ACQUIRED_BEFORE(mu_);  // one change at a time, disk included
  mutable Mutex mu_;                                    // never held over disk access
  std::map<uint32_t, std::string> lineages_ ABSL_GUARDED_BY(mu_);
  Entries entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
