#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

// Keeps the witnesses in the state in step with the snapshots of the history while retention drops
// some. Whatever crashes when: no snapshot is there that the state does not know (it would be taken
// for an older copy), and none is missing that the state insists on (the history would be taken for
// incomplete). Thread-safe; borrows what it is given.
class WitnessKeeper {
 public:
  WitnessKeeper(const History* history, StateStore* state) : history_(history), state_(state) {}

  // Before retention: marks the witnesses of the snapshots of `lineage` that it may drop.
  absl::Status BeforeRetention(uint32_t lineage, const RetentionPolicy& policy, absl::Time now);

  // After retention, and at a start: removes the marked witnesses of snapshots that are gone, and
  // the mark of the others. Nothing of `lineage` is dropped meanwhile.
  absl::Status Settle(uint32_t lineage);

 private:
  const History* const history_;
  StateStore* const state_;
};

}  // namespace reinstate
