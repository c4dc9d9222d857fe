#include "server/snapshot/snapshot_tally.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/base/status_macros.h"

namespace reinstate {

absl::Duration SnapshotTally::AgeOfLastGood(absl::Time now) const {
  return last_good.has_value() ? std::max(absl::ZeroDuration(), now - last_good->instant)
                               : absl::ZeroDuration();
}

absl::StatusOr<SnapshotTally> TallySnapshots(const History& history, uint32_t lineage) {
  ASSIGN_OR_RETURN(std::vector<SnapshotInfo> snapshots, history.ListSnapshots(lineage));
  SnapshotTally tally;
  for (SnapshotInfo& snapshot : snapshots) {
    if (!snapshot.visible()) {
      continue;
    }
    ++tally.visible;
    if (snapshot.collapse.marked && !snapshot.collapse.lifted) {
      ++tally.collapsed;
    } else {
      tally.last_good = std::move(snapshot);
    }
  }
  return tally;
}

}  // namespace reinstate
