#include "server/jobs/restore_pins.h"

#include "server/snapshot/store_lineages.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::Status RestorePins::Pin(const state::RestoreRecord& record) {
  if (!record.order().undo_of().empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const SnapshotId snapshot, SnapshotId::Parse(record.order().point().snapshot()));
  return history_->Pin(snapshot, record.id());
}

void RestorePins::Unpin(const state::RestoreRecord& record) {
  const auto snapshot = SnapshotId::Parse(record.order().point().snapshot());
  if (record.order().undo_of().empty() && snapshot.ok()) {
    history_->Unpin(*snapshot, record.id()).IgnoreError();
  }
}

absl::Status RestorePins::ReleaseForgotten(const std::set<std::string>& unfinished) {
  for (const ServedStore* store : stores_->List()) {
    for (const StoreLineage& lineage : LineagesOf(*history_, store->name)) {
      RETURN_IF_ERROR(ReleaseForgottenOf(lineage.number, unfinished));
    }
  }
  return absl::OkStatus();
}

absl::Status RestorePins::ReleaseForgottenOf(uint32_t lineage,
                                             const std::set<std::string>& unfinished) {
  ASSIGN_OR_RETURN(const auto snapshots, history_->ListSnapshots(lineage));
  for (const SnapshotInfo& snapshot : snapshots) {
    for (const std::string& job : snapshot.pinned_by) {
      if (job.starts_with("rst-") && !unfinished.contains(job)) {
        RETURN_IF_ERROR(history_->Unpin(snapshot.id, job));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate
