#pragma once

#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/jobs/batch_orders.h"
#include "server/jobs/batch_shelf.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/shrink_watch.h"
#include "server/jobs/store_registry.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/state/state_store.h"

namespace reinstate {

struct BatchStepperOptions {
  absl::Duration shrink_watch = absl::Seconds(2);
  const Clock* clock = Clock::System();
};

// Does with each batch what comes next, on a thread of its own: plans a dry run, looks whether
// tenants still lose rows, goes on to the next store of a group, cancels, ends. A step looks at
// what is so, does one thing, and is durable; it may be repeated, so that a restart just goes on.
//
// Thread-safe; borrows what it is given. `changing` is held while lines change.
class BatchStepper {
 public:
  BatchStepper(const BatchStepperOptions& options, StoreRegistry* stores, StateStore* state,
               RestoreManager* restores, const BatchOrders* orders, BatchShelf* shelf,
               Mutex* changing);
  ~BatchStepper();  // as Stop
  BatchStepper(const BatchStepper&) = delete;
  BatchStepper& operator=(const BatchStepper&) = delete;

  // Once.
  void Start();
  // Waits for the step under way. May be repeated.
  void Stop();

  // Something of the batch has changed: look at it. Quick.
  void Wake(const std::string& batch);

  // Adds to `parts` the line with new restores for those that FAILED or were CANCELLED.
  absl::Status TryAgain(const BatchBoard::Line& line, BatchParts* parts) const;

 private:
  void Run();
  void WakeAt(const std::string& batch, absl::Time time);
  absl::Status Step(const std::string& id);

  std::vector<state::BatchLine> UnplannedLines(const std::string& id) const;
  absl::Status PlanLine(const state::BatchRecord& batch, state::BatchLine* line);
  absl::Status MakePlans(const std::string& id);
  absl::Status EndPlanning(const std::string& id);
  absl::StatusOr<std::string> AddDigests(BatchParts* parts) const;
  absl::Status LookForShrinking(const std::string& id);
  absl::Status EndChecking(const std::string& id, const std::vector<std::string>& shrunken);
  absl::Status BeginDue(const std::string& id);
  absl::Status CancelRest(const state::BatchRecord& batch);
  absl::Status LeaveDue(const std::string& id);
  absl::Status GoOnIfDue(const state::BatchRecord& batch);
  absl::Status EndIfDone(const std::string& id);
  // With `changing_` held.
  absl::Status Change(const std::string& id, state::BatchState from, state::BatchState to,
                      const std::string& message);
  using Due = std::vector<std::pair<state::BatchLine, size_t>>;
  Due DueLines(const std::string& id) const;
  std::vector<state::BatchLine> LinesOf(const std::string& id) const;

  const BatchStepperOptions options_;
  StoreRegistry* const stores_;
  StateStore* const state_;
  RestoreManager* const restores_;
  const BatchOrders* const orders_;
  BatchShelf* const shelf_;
  Mutex* const changing_;
  // What was seen of a batch that is CHECKING.
  struct Seen {
    absl::Time at;
    LiveRows rows;
  };
  std::map<std::string, Seen> seen_;  // for the thread only

  Mutex mu_;
  CondVar changed_;
  std::map<std::string, absl::Time> due_ ABSL_GUARDED_BY(mu_);  // batch -> when to look at it
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace reinstate
