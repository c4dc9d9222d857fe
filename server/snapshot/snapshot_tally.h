#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/history/history.h"
#include "storage/history/snapshot_info.h"

namespace reinstate {

// What a lineage has to go back to. A value.
struct SnapshotTally {
  int64_t visible = 0;                    // snapshots
  int64_t collapsed = 0;                  // of them those with a mark that nobody has lifted
  std::optional<SnapshotInfo> last_good;  // the newest visible one without a mark of collapse

  // Zero if the clock is behind it, or if there is none.
  absl::Duration AgeOfLastGood(absl::Time now) const;
};

// Errors of History::ListSnapshots.
absl::StatusOr<SnapshotTally> TallySnapshots(const History& history, uint32_t lineage);

}  // namespace reinstate
