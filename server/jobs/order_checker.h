#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/store_registry.h"
#include "storage/base/clock.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

// Checks orders for restores and undos before they become jobs, and resolves what they name.
// Changes nothing. Thread-safe; borrows what it is given.
class OrderChecker {
 public:
  // Whether missing consents are errors, or are left for the plan to show.
  enum class Consents { kRequired, kShown };

  OrderChecker(StoreRegistry* stores, const History* history, const StateStore* state,
               const Clock* clock)
      : stores_(stores), history_(history), state_(state), clock_(clock) {}

  // The record of the restore that `order` asks for, with its point resolved, its label and its
  // size by the manifest; without an id. Errors as RestoreManager::CreateRestore.
  absl::StatusOr<state::RestoreRecord> CheckRestore(state::RestoreOrder order,
                                                    Consents consents) const;

  // As CheckRestore, for the undo of order.undo_of(). Errors as RestoreManager::CreateUndo.
  absl::StatusOr<state::RestoreRecord> CheckUndo(state::RestoreOrder order) const;

 private:
  // Writes the tenant as the store does.
  absl::Status CheckTenant(state::RestoreOrder* order) const;
  absl::Status CheckPlan(state::RestoreOrder* order) const;
  absl::Status CheckPoint(Consents consents, state::RestoreRecord* record) const;

  StoreRegistry* const stores_;
  const History* const history_;
  const StateStore* const state_;
  const Clock* const clock_;
};

}  // namespace reinstate
