#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/hooks/hook_runner.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_watchers.h"
#include "server/restore/run_control.h"
#include "storage/state/state_store.h"

namespace reinstate {

// The hooks of restores as steps of their jobs: those before one on the thread that runs it, those
// after it on threads of their own, so that one that hangs holds up no restore. What came of each
// is stored as it comes, so that after a restart only those are run (again) that are not known to
// have been. Each is run at least once, not exactly once.
//
// Thread-safe. Borrows what it is given.
class HookJobs {
 public:
  // `observers` may grow until Start.
  HookJobs(HookRunnerOptions options, StateStore* state, JobWatchers* watchers,
           const std::vector<JobObserver*>* observers);
  ~HookJobs() { Shutdown(); }
  HookJobs(const HookJobs&) = delete;
  HookJobs& operator=(const HookJobs&) = delete;

  // Goes on with the hooks that an earlier process has left. Once, before Follow is called.
  absl::Status Start();

  // Ends the hooks that run, which are run again after the next start. May be repeated, by one
  // thread at a time.
  void Shutdown() { after_.Stop(); }

  // Says in a record that is about to be stored whether hooks are to follow it.
  void Prepare(state::RestoreRecord* record) const;

  // Runs the hooks before a restore, `record` being what is stored of it: not those that have
  // succeeded in an earlier run of it, and none if its intent is recorded. HOOK_FAILED if one that
  // is required fails, which ends the others; CANCELLED or SHUTTING_DOWN if `control` says so;
  // errors of the state.
  absl::Status RunBefore(const state::RestoreRecord& record, RunControl* control);

  // Has the hooks after `record` run, if it has ended and any are pending.
  void Follow(const state::RestoreRecord& record);

  // Has the hooks after the restore `id` run again that have failed, and not the others: durable
  // once it returns. The failure of one that is not configured any more stays. False, and nothing
  // happens, if the restore has not succeeded, or none has failed or any is still to be run.
  // RESTORE_NOT_FOUND; errors of the state.
  absl::StatusOr<bool> RunFailedAgain(const std::string& id);

 private:
  absl::Status Keep(const std::string& id, const state::HookOutcome& outcome);
  void TellRuns(const std::string& restore, const std::optional<HookAttempt>& attempt) const;
  // As HookRunner::Run, and tells of it.
  absl::StatusOr<state::HookOutcome> RunHook(const Hook& hook, const state::RestoreRecord& record,
                                             RunControl* control) const;
  std::vector<const Hook*> Left(const state::RestoreRecord& record) const;
  absl::Status RunAfter(const std::string& id, RunControl* control);

  const HookRunner runner_;
  StateStore* const state_;
  JobWatchers* const watchers_;
  const std::vector<JobObserver*>* const observers_;
  JobRunner after_;  // after all that its threads use
};

}  // namespace reinstate
