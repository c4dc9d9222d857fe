#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "server/restore/progress_meter.h"
#include "server/restore/tenant_plan.h"
#include "storage/history/point_reader.h"
#include "storage/live/live_store.h"
#include "storage/live/tenant_session.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Compares a tenant at a point with the tenant live, table by table, and plans what the order's
// mode does. Stateless; thread-safe.
class RestorePlanner {
 public:
  struct Sources {
    const PointReader* point = nullptr;
    LiveStore* store = nullptr;        // for its catalog
    TenantSession* session = nullptr;  // begun
    // Whether conflicts are looked for: whose the keys are that only the point has, and what is in
    // the way of rows beside their keys. If not, the plan has none, and writing such a row fails.
    bool find_conflicts = true;
  };

  // `memory_bytes` and `spill_folder` are for the plan's actions.
  RestorePlanner(std::string spill_folder, int64_t memory_bytes)
      : spill_folder_(std::move(spill_folder)), memory_bytes_(memory_bytes) {}

  // Conflicts, shrunken points and uncovered tables are in the summary, for the caller to judge.
  // TENANT_NOT_AT_POINT; TABLE_NOT_FOUND if the order names a table that neither side has, or one
  // with rows at the point is gone live; UNSUPPORTED if a table's columns have changed since;
  // errors of history and session.
  absl::StatusOr<TenantPlan> Plan(const state::RestoreOrder& order, const Sources& sources,
                                  ProgressMeter* meter) const;

 private:
  const std::string spill_folder_;
  const int64_t memory_bytes_;
};

}  // namespace reinstate
