#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "storage/history/retention.h"
#include "storage/history/snapshot_info.h"

namespace reinstate {

// The versions of `snapshots` (visible ones of one lineage, oldest first) that `policy` keeps.
std::set<uint64_t> VersionsKeptBy(const RetentionPolicy& policy,
                                  const std::vector<SnapshotInfo>& snapshots);

// The version before which nothing may expire: of the newest snapshot that is marked as collapsed
// and was not looked at. 0 if there is none.
uint64_t ExpirySuspendedBefore(const std::vector<SnapshotInfo>& snapshots);

}  // namespace reinstate
