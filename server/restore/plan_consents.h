#pragma once

#include "absl/status/status.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Whether a plan may be carried out as it was ordered: what it finds has to be settled by itself,
// or by a consent of the order. Changes nothing.
//
// KEY_CONFLICT: other rows have keys or unique values of its rows, or no partition takes them.
// UNDO_CONFLICT: rows have changed since the restore, and the order does not skip them.
// POINT_SHRUNKEN, TABLE_UNRESOLVED, TABLES_UNCOVERED: what the order does not accept.
// PLAN_CHANGED: the order is for the digest of another plan.
absl::Status CheckConsents(const state::RestoreOrder& order, const state::PlanSummary& summary);

}  // namespace reinstate
