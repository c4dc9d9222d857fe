#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/restore/progress_meter.h"
#include "server/restore/restore_engine.h"
#include "server/restore/tenant_plan.h"
#include "storage/history/point_reader.h"
#include "storage/live/live_store.h"
#include "storage/live/tenant_session.h"
#include "storage/state/state_store.h"

namespace reinstate {

// One run of one restore or undo, from wherever an earlier run left it to its end. Not thread-safe;
// used once.
//
// An attempt is one transaction: plan, apply, read back, seal, record the intent, commit. A race
// with the application costs an attempt; the tenant's lock is kept meanwhile. Before the intent is
// recorded, an end of the process leaves nothing to settle; after it, the next run finds out what
// became of the commit.
class RestoreRun {
 public:
  // What a run works with; all borrowed.
  struct Parts {
    const RestoreEngineOptions* options = nullptr;
    const History* history = nullptr;
    StateStore* state = nullptr;
    LiveStore* store = nullptr;
    RunControl* control = nullptr;
  };

  RestoreRun(const Parts& parts, state::RestoreRecord record)
      : parts_(parts), record_(std::move(record)) {}
  ~RestoreRun();
  RestoreRun(const RestoreRun&) = delete;
  RestoreRun& operator=(const RestoreRun&) = delete;

  // As RestoreEngine::Plan. The record need not be stored.
  absl::StatusOr<state::PlanSummary> PlanOnly();

  // As RestoreEngine::Run.
  absl::StatusOr<state::RestoreRecord> Run();

 private:
  enum class Settlement { kRecorded, kRunAgain };

  // Takes the tenant's lock.
  absl::Status Open();
  // Whether the session is one with the store that is registered.
  absl::Status CheckStore();
  void Close();
  absl::StatusOr<TenantPlan> MakePlan(bool find_conflicts, ProgressMeter* meter);

  absl::Status RunAttempts();
  // Whether another attempt can end better than one that ended with `status`; it looks for
  // conflicts.
  bool RunsAgain(const absl::Status& status);
  absl::Status Attempt();
  absl::Status ApplyActions(const TenantPlan& plan, ProgressMeter* meter, state::Intent* intent);
  absl::Status Verify(const TenantPlan& plan, ProgressMeter* meter, state::Intent* intent);
  absl::Status CommitWithIntent(state::Intent intent);
  void LookAgain(const TenantPlan& plan, state::Certificate certificate);

  // Finds out what became of the commit of record_.intent().
  absl::StatusOr<Settlement> SettleIntent();
  absl::StatusOr<CommitOutcome> FindOutcome();

  absl::Status RecordSuccess(bool by_evidence);
  absl::Status RecordInDoubt(const absl::Status& cause);
  absl::Status RecordEnd(state::JobState end, const absl::Status& cause);
  absl::Status RecordWait(const absl::Status& cause);
  absl::StatusOr<state::RestoreRecord> EndWith(const absl::Status& cause);

  // For waits for the store before there is a session to cancel.
  ShouldEnd ShouldEndWait() const;

  absl::Status Hit(const char* place) const;
  absl::Time Now() const { return parts_.options->clock->Now(); }

  const Parts parts_;
  state::RestoreRecord record_;
  std::unique_ptr<PointReader> point_;  // null for an undo
  StoreIdentity identity_;              // of the store, once the session was open
  std::unique_ptr<TenantSession> session_;
  // Nearly always nothing is in the way of the rows of the point, and if something is, writing them
  // fails: the attempts after that look for conflicts, and name them all.
  bool find_conflicts_ = false;
  std::optional<state::Certificate> certificate_;  // once recorded
};

}  // namespace reinstate
