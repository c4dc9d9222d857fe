#pragma once

#include "absl/status/status.h"
#include "storage/base/fault_points.h"
#include "storage/history/history_db.h"
#include "storage/history/manifest_codec.h"
#include "storage/history/root_codec.h"
#include "storage/history/run_watch.h"
#include "storage/history/version_scan.h"

namespace reinstate {

// Reads one snapshot and finds out whether everything is there. Shares with the writer only how
// values are coded. Not thread-safe; one object a verification.
class SnapshotVerifier {
 public:
  // All are borrowed.
  SnapshotVerifier(const HistoryDb* db, const SnapshotId& id, const RecordHasher& hasher)
      : db_(db), id_(id), hasher_(hasher) {}

  // Whether the manifests add up to the root. SHORTFALL, CORRUPT.
  absl::Status VerifyManifests();

  // That, and whether each tenant's records add up to its manifest. `watch` counts the records, and
  // may cancel. `faults` may be null.
  absl::Status VerifyAll(FaultPoints* faults, RunWatch* watch);

 private:
  // Manifests that were read, to be compared with the root.
  struct Totals {
    int64_t tenants = 0;
    Sum sum;
    Uint128 manifests_hash = 0;
  };

  VersionScan::Options WholeLineage(Family family) const;
  absl::Status AddManifest(const VersionScan& scan, ManifestCodec::Manifest* manifest);
  absl::Status CompareWithRoot() const;
  absl::Status VerifyTenant(const TenantManifest& manifest, RecordScan* records,
                            RunWatch::Tally* tally);
  absl::Status NextRecord(RecordScan* records);

  const HistoryDb* const db_;
  const SnapshotId id_;
  const RecordHasher hasher_;
  Totals totals_;
  bool at_record_ = false;
};

// SHORTFALL: the rows of a tenant's table are not those of its manifest.
absl::Status TellTableMismatch(const SnapshotId& id, const TenantId& tenant, uint32_t table,
                               const Sum& expected, const Sum& found);

}  // namespace reinstate
