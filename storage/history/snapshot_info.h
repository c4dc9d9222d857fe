#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/snapshot_id.h"
#include "storage/model/sum.h"
#include "storage/model/table_schema.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// What of long work is done. `total_rows` is an estimate, 0 if not known.
struct Progress {
  int64_t rows = 0;
  int64_t bytes = 0;
  int64_t total_rows = 0;
  std::string step;  // e.g. "reading", "merging"
};

using ProgressCallback = std::function<void(const Progress&)>;

// What long work tells, and asks, while it goes on. Both may be null, and are called from any
// thread.
struct WorkCallbacks {
  ProgressCallback progress;
  std::function<bool()> cancelled;  // asked now and then: whether to end as CANCELLED
};

// A chain of snapshots of one source in time order.
struct LineageInfo {
  uint32_t number = 0;
  std::string name;  // unique
};

// Proof that a snapshot was once whole: kept outside of the history.
struct Witness {
  SnapshotId snapshot;
  std::string root_digest;  // SHA-256 of the root
};

// When a snapshot counts as collapsed: many tenants gone or shrunken since the one before it.
struct CollapseThresholds {
  double vanished_fraction = 0.05;  // of the earlier tenants
  double shrunken_fraction = 0.05;  // of the earlier tenants have lost at least half of their rows
  int64_t min_tenants = 3;          // fewer than this are never a collapse
};

// Compared with the snapshot before.
struct Collapse {
  int64_t vanished_tenants = 0;
  int64_t shrunken_tenants = 0;
  bool marked = false;  // the thresholds were exceeded
  bool lifted = false;  // a person has looked at it
};

// A table as a snapshot covers it.
struct CoveredTable {
  uint32_t number =
      0;  // in its lineage; bound to the table's identity, so that a rename is a rename
  TableSchema schema;
  bool owned = true;  // false: was unresolved, captured whole as rows of nobody
};

struct SnapshotInfo {
  SnapshotId id;
  absl::Time instant;
  std::string position;
  std::string store_identity;
  std::string map_digest;
  std::string job;
  std::vector<CoveredTable> tables;
  int64_t tenants = 0;
  Sum sum;  // over all records
  int64_t ownerless_rows = 0;
  int64_t added_bytes = 0;  // on disk, by this snapshot
  Collapse collapse;
  bool held = false;
  std::string hold_reason;
  std::optional<absl::Time> hidden_since;
  std::vector<std::string> pinned_by;  // jobs
  std::string root_digest;             // what a witness keeps

  bool visible() const { return !hidden_since.has_value(); }
};

// What a history knows of a tenant at one version.
struct TableSum {
  uint32_t number = 0;
  Sum sum;
};

struct TenantManifest {
  TenantId tenant = TenantId::Ownerless();
  std::vector<std::string> labels;  // the name first
  std::vector<TableSum> tables;     // only those with rows, ascending by number

  int64_t rows() const {
    int64_t rows = 0;
    for (const TableSum& table : tables) {
      rows += table.sum.rows;
    }
    return rows;
  }
  int64_t bytes() const {
    int64_t bytes = 0;
    for (const TableSum& table : tables) {
      bytes += table.sum.bytes;
    }
    return bytes;
  }
};

struct ManifestVersion {
  SnapshotId snapshot;  // at which it changed
  bool exists = true;   // false: the tenant was gone
  TenantManifest manifest;
};

}  // namespace reinstate
