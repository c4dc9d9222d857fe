#include "server/snapshot/visible_versions.h"

#include <algorithm>

#include "storage/base/status_macros.h"

namespace reinstate {

absl::StatusOr<VisibleVersions> VisibleVersions::Of(const History& history, uint32_t lineage) {
  ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> snapshots, history.ListSnapshots(lineage));
  VisibleVersions visible;
  for (const SnapshotInfo& snapshot : snapshots) {
    if (snapshot.visible()) {
      visible.versions_.push_back(snapshot.id.version);
    }
  }
  return visible;
}

uint64_t VisibleVersions::NewestBetween(uint64_t from, uint64_t until) const {
  const auto after = std::lower_bound(versions_.begin(), versions_.end(), until);
  return after != versions_.begin() && *std::prev(after) >= from ? *std::prev(after) : kNone;
}

}  // namespace reinstate
