#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
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
  Mutex* changing = nullptr;  // held by whoever changes lines, for all of it
  std::function<void(const std::string& batch)> wake;  // something of the batch has changed: go on
  const Clock* clock = Clock::System();
};

// Durably takes the batch from one state to another, with `message` for people; one in another
// state is left as it is. With `changing` held. Errors of StateStore::UpdateBatch.
absl::Status ChangeBatchState(const BatchDesk& desk, const std::string& id, state::BatchState from,
                              state::BatchState to, const std::string& message);

}  // namespace reinstate
