#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/absence_check.h"
#include "server/jobs/batch_view.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/store_group.h"
#include "server/jobs/store_registry.h"
#include "storage/base/clock.h"
#include "storage/base/id_generator.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

// From what somebody ordered to the lines of a batch and their restores, each checked. Changes
// nothing. Thread-safe; borrows what it is given.
class BatchOrders {
 public:
  BatchOrders(std::vector<StoreGroup> groups, int64_t max_lines, const Clock* clock,
              StoreRegistry* stores, const History* history, RestoreManager* restores)
      : groups_(std::move(groups)),
        max_lines_(max_lines),
        clock_(clock),
        stores_(stores),
        history_(history),
        restores_(restores),
        absence_(stores, history),
        ids_(clock) {}

  // The record of the batch that `order` asks for, without an id: its points are resolved.
  // STORE_NOT_FOUND, GROUP_NOT_FOUND, errors of ResolvePoint.
  absl::StatusOr<state::BatchRecord> Resolve(const state::BatchOrder& order) const;

  // Adds a line for each of `orders` to those of `batch`, `present`, with the restore in its first
  // store; one that cannot be restored has a problem instead, and nothing. TOO_LARGE,
  // INVALID_ARGUMENT (no lines); UNAVAILABLE and the like where a store cannot say.
  absl::StatusOr<BatchParts> Check(const state::BatchRecord& batch,
                                   const std::vector<state::BatchLine>& present,
                                   const std::vector<BatchLineOrder>& orders) const;

  // The lines of a batch that does what the dry run with `planned` lines has planned.
  absl::StatusOr<BatchParts> FromPlan(const state::BatchRecord& batch,
                                      const std::vector<state::BatchLine>& planned) const;

  // The lines of a batch that undoes `done`: those that have succeeded in any store. NOT_UNDOABLE.
  absl::StatusOr<BatchParts> Undo(const state::BatchRecord& batch,
                                  const std::vector<BatchBoard::Line>& done) const;

  // Gives target `place` of a line a restore. Errors as RestoreManager::CreateRestore and
  // CreateUndo.
  absl::Status Begin(const state::BatchRecord& batch, size_t target, state::BatchLine* line,
                     std::vector<state::RestoreRecord>* restores) const;

  // The order for target `place` of a line.
  static state::RestoreOrder OrderOf(const state::BatchRecord& batch, size_t target,
                                     const state::BatchLine& line);

  std::string NextRestoreId() const { return ids_.Next("rst"); }

 private:
  absl::StatusOr<std::vector<StoreGroup::Member>> MembersOf(const state::BatchOrder& order) const;
  absl::StatusOr<state::RestoreRecord> CheckTarget(const state::BatchRecord& batch, size_t target,
                                                   const state::BatchLine& line) const;
  absl::Status CheckTargets(const state::BatchRecord& batch, state::BatchLine* line,
                            std::vector<state::RestoreRecord>* restores) const;
  // As AbsenceCheck::Check, of the tenant of `target`, which has no data there.
  absl::Status CheckAbsence(const state::BatchRecord& batch,
                            const state::BatchLine::Target& target) const;
  // A tenant by its id in the first store in which it is restored. Two lines of one tenant have the
  // same, however its id is written.
  using StoreAndTenant = std::pair<std::string, std::string>;
  static StoreAndTenant FirstTarget(const state::BatchLine& line);
  // The tenants of the lines before, with where these are: "line 3", "line 3 of the batch" if it is
  // of an earlier list.
  using EarlierLines = std::map<StoreAndTenant, std::string>;
  // As CheckTargets, for a line of a list.
  absl::Status CheckLine(const state::BatchRecord& batch, const BatchLineOrder& order,
                         EarlierLines* earlier, state::BatchLine* line,
                         std::vector<state::RestoreRecord>* restores) const;

  const std::vector<StoreGroup> groups_;
  const int64_t max_lines_;
  const Clock* const clock_;
  StoreRegistry* const stores_;
  const History* const history_;
  RestoreManager* const restores_;
  const AbsenceCheck absence_;
  mutable IdGenerator ids_;
};

}  // namespace reinstate
