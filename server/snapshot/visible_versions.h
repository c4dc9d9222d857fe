#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/history/history.h"

namespace reinstate {

// Which visible snapshots of a lineage see what changed when. A value.
class VisibleVersions {
 public:
  static constexpr uint64_t kNone = 0;

  // Those that are visible now. Errors of History::ListSnapshots.
  static absl::StatusOr<VisibleVersions> Of(const History& history, uint32_t lineage);

  // The newest visible snapshot that saw what changed at `from` and changed again at `until`; kNone
  // if none did.
  uint64_t NewestBetween(uint64_t from, uint64_t until) const;

  // The newest of all; kNone if there is none.
  uint64_t newest() const { return versions_.empty() ? kNone : versions_.back(); }

 private:
  std::vector<uint64_t> versions_;  // ascending
};

}  // namespace reinstate
