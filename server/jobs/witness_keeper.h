#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

// Keeps the witnesses in the state in step with the snapshots of the history. Whatever crashes
// when: a snapshot that was dropped on purpose has no witness, or the history would be refused as
// incomplete at the next start. Thread-safe; borrows what it is given.
class WitnessKeeper {
 public:
  WitnessKeeper(const History* history, StateStore* state) : history_(history), state_(state) {}

  // Before retention: removes the witnesses of the snapshots of `lineage` that it may drop.
  absl::Status BeforeRetention(uint32_t lineage, const RetentionPolicy& policy, absl::Time now);

  // After retention, and at a start: adds a witness for each snapshot that is there and has none.
  absl::Status Complete(uint32_t lineage);

 private:
  const History* const history_;
  StateStore* const state_;
};

}  // namespace reinstate
