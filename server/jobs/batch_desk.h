#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/jobs/batch_orders.h"
#include "server/jobs/batch_shelf.h"
#include "server/jobs/restore_manager.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/state/state_store.h"

namespace reinstate {

// What those work with who change batches. Borrowed; each is thread-safe.
struct BatchDesk {
  StateStore* state = nullptr;
  RestoreManager* restores = nullptr;
  const BatchOrders* orders = nullptr;
  BatchShelf* shelf = nullptr;
  // Held by whoever changes lines; never while a store is asked, which may take long: what it says
  // is applied only if the batch and the line are still as they were.
  Mutex* changing = nullptr;
  std::function<void(const std::string& batch)> wake;  // something of the batch has changed: go on
  // As BatchManagerOptions.
  absl::Duration shrink_watch = absl::Seconds(2);
  const Clock* clock = Clock::System();
};

// The state in which a batch begins of which no restore has run yet: whether its tenants still lose
// rows is looked at first, unless that was accepted or cannot be so.
state::BatchState FirstState(const BatchDesk& desk, const state::BatchOrder& order);

// Whether the batch, which is on the shelf, is in `state` as far as is known: a reason to leave off
// early, not to go on.
bool IsIn(const BatchDesk& desk, const std::string& batch, state::BatchState state);

// The restores that the lines have; of a dry run, their plans.
std::vector<std::string> RestoresOf(const std::vector<state::BatchLine>& lines);

// The batch that undoes `batch` and has not ended, or nothing. Errors of
// StateStore::UnfinishedBatches.
absl::StatusOr<std::optional<std::string>> UndoUnderWay(const BatchDesk& desk,
                                                        const std::string& batch);

// Cancels the plans that are stored and have not ended of batches for which `is_so`: also those
// that no line of their batch names, since the process was killed between the two. Errors of
// StateStore::UnfinishedPlans.
absl::Status CancelPlansOf(const BatchDesk& desk,
                           const std::function<bool(const std::string& batch)>& is_so);

// Durably takes the batch from one state to another, with `message` for people; one in another
// state is left as it is. One that had ended before keeps the time when it did. With `changing`
// held. Errors of StateStore::UpdateBatch.
absl::Status ChangeBatchState(const BatchDesk& desk, const std::string& id, state::BatchState from,
                              state::BatchState to, const std::string& message);

}  // namespace reinstate
