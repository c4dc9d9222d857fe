#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "server/jobs/store_registry.h"
#include "storage/history/history.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Keeps the snapshot of each restore from expiring as long as the restore may need it. A pin is set
// before its restore is stored and lifted after it has ended, so that a crash in between leaves it
// behind: ReleaseForgotten. A crash of the machine may lose it, so that a start sets it again.
// Thread-safe; borrows what it is given.
class RestorePins {
 public:
  RestorePins(const StoreRegistry* stores, History* history) : stores_(stores), history_(history) {}

  // Pins the snapshot of the restore's point; that of an undo has none. SNAPSHOT_NOT_FOUND.
  absl::Status Pin(const state::RestoreRecord& record);

  // Lifts it. If that fails, the next start does it.
  void Unpin(const state::RestoreRecord& record);

  // Lifts the pins of all restores but the unfinished ones. Before the first Pin.
  absl::Status ReleaseForgotten(const std::set<std::string>& unfinished);

 private:
  absl::Status ReleaseForgottenOf(uint32_t lineage, const std::set<std::string>& unfinished);

  const StoreRegistry* const stores_;
  History* const history_;
};

}  // namespace reinstate
