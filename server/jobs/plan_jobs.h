#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/postponed_jobs.h"
#include "server/jobs/store_registry.h"
#include "server/restore/restore_engine.h"
#include "storage/base/id_generator.h"
#include "storage/base/mutex.h"
#include "storage/state/state_store.h"

namespace reinstate {

// Plans as durable jobs, on threads of their own, so that nobody who wants to look waits for a
// giant to be restored. Thread-safe; borrows what it is given.
class PlanJobs {
 public:
  // `watchers` are told of changes.
  PlanJobs(const Clock* clock, StoreRegistry* stores, StateStore* state, RestoreEngine* engine,
           JobWatchers* watchers);

  // Goes on with what an earlier process left. Once.
  absl::Status Start();

  // Has `observer` told of plans that ended. Before Start.
  void Observe(JobObserver* observer) { observers_.push_back(observer); }

  // What runs is left for the next start. Blocks until the threads have ended.
  void Shutdown() { runner_.Stop(); }

  // Stores and queues the plan of the restore or undo `checked`, which OrderChecker has made.
  absl::StatusOr<state::PlanRecord> Create(const RequestKey& request,
                                           const state::RestoreRecord& checked);

  // Ends those that have not ended as FAILED, with the reason CANCELLED, soon: what is queued never
  // begins, and what runs is asked to end. Others are left as they are. Also before Start. Quick.
  void Cancel(const std::vector<std::string>& ids);

  // With the present progress of a running one. PLAN_NOT_FOUND.
  absl::StatusOr<state::PlanRecord> Get(const std::string& id) const;

 private:
  JobRunner::Outcome Run(const std::string& id, RunControl* control);
  absl::StatusOr<state::PlanSummary> PlanUnlessCancelled(const state::PlanRecord& plan,
                                                         RunControl* control);
  bool IsCancelled(const std::string& id) const;
  void ForgetCancelled(const std::string& id);

  const Clock* const clock_;
  StoreRegistry* const stores_;
  StateStore* const state_;
  RestoreEngine* const engine_;
  JobWatchers* const watchers_;
  std::vector<JobObserver*> observers_;  // borrowed
  IdGenerator ids_;
  PostponedJobs postponed_;
  mutable Mutex mu_;
  std::set<std::string> cancelled_ ABSL_GUARDED_BY(mu_);  // and have not ended
  JobRunner runner_;                                      // after all that its threads use
};

}  // namespace reinstate
