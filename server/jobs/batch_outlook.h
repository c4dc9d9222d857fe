#pragma once

#include "absl/time/time.h"
#include "server/jobs/batch_board.h"
#include "server/jobs/batch_view.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/restore_times.h"
#include "storage/base/clock.h"

namespace reinstate {

// How long a batch takes, as far as that can be said: of one that goes on the time left, of a dry
// run that is PLANNED what its restores would take. By what earlier restores of its stores took
// until its own have been measured; if none ever was, only that is said. How long planning took
// says nothing of it: that waits behind other plans and for stores that do not answer.
//
// Thread-safe; borrows what it is given.
class BatchOutlook {
 public:
  BatchOutlook(const Clock* clock, const RestoreManager* restores, const RestoreTimes* times)
      : clock_(clock), restores_(restores), times_(times) {}

  // What there is to go by, besides the batch itself.
  struct Basis {
    int lanes = 1;
    RestoreTimes::Earlier earlier;
  };
  Basis BasisFor(const state::BatchRecord& batch) const;

  // Adds to the view of a batch what is to be said by its board; the batch, if it is RUNNING, has
  // been so since `since`. Asks nobody.
  void Add(const BatchBoard& board, const Basis& basis, absl::Time since, BatchView* view) const;

  // Adds what is to be said besides: how long its stores hold back what is queued, and by what all
  // this goes.
  void Complete(const Basis& basis, BatchView* view) const;

 private:
  const Clock* const clock_;
  const RestoreManager* const restores_;
  const RestoreTimes* const times_;
};

}  // namespace reinstate
