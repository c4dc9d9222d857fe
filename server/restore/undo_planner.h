#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/restore/progress_meter.h"
#include "server/restore/tenant_plan.h"
#include "storage/live/live_store.h"
#include "storage/live/tenant_session.h"
#include "storage/state/state_store.h"

namespace reinstate {

// Plans the inverse of one restore from the undo that it kept: what it inserted is deleted, what it
// replaced or deleted is put back, but only where the live row is still the one that it left.
// Others are conflicts. A row that is already as it was before the restore is unchanged. Stateless;
// thread-safe.
class UndoPlanner {
 public:
  // As RestorePlanner.
  UndoPlanner(std::string spill_folder, int64_t memory_bytes)
      : spill_folder_(std::move(spill_folder)), memory_bytes_(memory_bytes) {}

  // Plans the undo of `undone` (which succeeded). `session` is begun and of its tenant. SHORTFALL
  // if the undo is not whole; TABLE_NOT_FOUND if a table is gone; errors of session and state.
  absl::StatusOr<TenantPlan> Plan(const state::RestoreRecord& undone, const StateStore& state,
                                  LiveStore* store, TenantSession* session,
                                  ProgressMeter* meter) const;

 private:
  const std::string spill_folder_;
  const int64_t memory_bytes_;
};

}  // namespace reinstate
