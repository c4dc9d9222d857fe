#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace reinstate {

// Names a snapshot in a history. A value; snapshots of one lineage compare in the order of time.
struct SnapshotId {
  uint32_t lineage = 0;
  uint64_t version = 0;  // a sequence number in its lineage, from 1

  // "snap-<lineage>-<version>", e.g. "snap-1-12".
  std::string ToString() const;

  // SNAPSHOT_NOT_FOUND's companion for malformed text: POINT_INVALID.
  static absl::StatusOr<SnapshotId> Parse(std::string_view text);

  friend auto operator<=>(const SnapshotId&, const SnapshotId&) = default;
};

}  // namespace reinstate
