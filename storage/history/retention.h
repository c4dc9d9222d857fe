#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/snapshot_id.h"

namespace reinstate {

// Which visible snapshots a lineage keeps: the union of what the fields keep. All zero keeps
// everything. Days, weeks and months are in UTC, weeks begin on Monday; of each period the last
// snapshot is kept.
struct RetentionPolicy {
  int64_t keep_last = 0;
  int64_t keep_daily = 0;
  int64_t keep_weekly = 0;
  int64_t keep_monthly = 0;
  absl::Duration grace = absl::Hours(24 * 7);  // how long a hidden snapshot can be brought back
};

struct RetentionReport {
  std::vector<SnapshotId> hidden;   // by this run
  std::vector<SnapshotId> expired;  // their grace was over; what only they could see is gone
  int64_t bytes_before = 0;         // on disk
  int64_t bytes_after = 0;
};

}  // namespace reinstate
