#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "server/restore/progress_meter.h"
#include "server/restore/run_control.h"
#include "server/restore/tenant_plan.h"
#include "storage/history/point_reader.h"
#include "storage/live/tenant_session.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Reads a tenant back after a plan was applied and compares it with what the plan was to leave.
// Shares no step with the planner and the application but the reading of tables itself. Stateless.
class Verifier {
 public:
  // What the plan promises beyond its sums.
  enum class Promise {
    kSumsOnly,         // an undo
    kEveryKeyIsThere,  // each key of the point exists afterwards
    kEqualsPoint,      // the tables that the snapshot covers equal it
  };

  // What to hold the tenant against.
  struct Yardstick {
    Promise promise = Promise::kSumsOnly;
    TenantId tenant = TenantId::Ownerless();  // the session's
    const PointReader* point = nullptr;       // may be null for kSumsOnly
  };

  // Reads every table of `plan` in `session`'s transaction. Returns what was found, table by table,
  // if all is as promised. VERIFICATION_MISMATCH, naming table and counts, if it is not; other
  // errors mean that it could not be verified.
  static absl::StatusOr<std::vector<state::TableFinding>> ReadBack(const TenantPlan& plan,
                                                                   const Yardstick& yardstick,
                                                                   TenantSession* session,
                                                                   ProgressMeter* meter);

  // Sums every table of `plan` in `session`'s view, for the second look, and returns those that no
  // longer are as the plan left them. SHUTTING_DOWN soon after `control` was stopped: the restore
  // is done, and nobody is to wait for this.
  static absl::StatusOr<std::vector<state::TableFinding>> LookAgain(const TenantPlan& plan,
                                                                    TenantSession* session,
                                                                    const RunControl& control);
};

}  // namespace reinstate
