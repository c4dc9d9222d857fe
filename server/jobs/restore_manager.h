#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/hooks/hook.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/store_registry.h"
#include "server/jobs/store_throttle.h"
#include "server/restore/restore_engine.h"
#include "storage/state/state_store.h"

namespace reinstate {

struct RestoreManagerOptions {
  int workers = 4;                           // restores (of different tenants) that run at once
  absl::Duration aging = absl::Minutes(10);  // waiting this long counts as one step of priority
  const Clock* clock = Clock::System();
  JobObserver* observer = nullptr;                 // borrowed; may be null
  absl::Duration probe_every = absl::Seconds(1);   // see StoreGovernor
  std::vector<Hook> hooks;                         // run before and after restores, in this order
  absl::Duration hook_backoff = absl::Seconds(1);  // see HookRunnerOptions
};

// Restores, undos and plans as durable jobs: accepts orders, runs them on a fixed pool of workers,
// tells watchers.
//
// Thread-safe. A call returns once its order is durable; work goes on without the caller. At Start,
// everything that has not ended goes on. Borrows everything it is given.
class RestoreManager {
 public:
  static absl::StatusOr<std::unique_ptr<RestoreManager>> Create(
      const RestoreManagerOptions& options, StoreRegistry* stores, History* history,
      StateStore* state, RestoreEngine* engine);
  virtual ~RestoreManager() = default;  // as Shutdown

  // Goes on with what an earlier process left. Once, before the first call arrives.
  virtual absl::Status Start() = 0;

  // Restores that are committing finish; the others roll back and stay queued. Blocks until the
  // workers have ended.
  virtual void Shutdown() = 0;

  // Checks `order` (whose point is resolved here from order.point().requested()), stores and queues
  // it. STORE_NOT_FOUND, TENANT_ID_INVALID, TENANT_NOT_AT_POINT, errors of ResolvePoint,
  // POINT_SHRUNKEN unless accepted, TABLE_NOT_FOUND, TENANT_IN_DOUBT, STORE_IDENTITY_CHANGED,
  // REQUEST_ID_REUSED; PLAN_NOT_FOUND and PLAN_CHANGED if order.plan() names a plan that is not
  // there, or is of another order. With `validate_only` nothing is stored and the returned record
  // has no id.
  virtual absl::StatusOr<state::RestoreRecord> CreateRestore(const RequestKey& request,
                                                             state::RestoreOrder order,
                                                             bool validate_only) = 0;

  // Queues the undo of the restore order.undo_of(); store and tenant are taken from it.
  // RESTORE_NOT_FOUND; NOT_UNDOABLE (did not succeed, was undone, its undo has expired or is under
  // way).
  virtual absl::StatusOr<state::RestoreRecord> CreateUndo(const RequestKey& request,
                                                          state::RestoreOrder order,
                                                          bool validate_only) = 0;

  // Completes restores of CreateRestore or CreateUndo with `validate_only`, which got ids since,
  // and has `store` store all of them in one step or none; then queues them. With `hold` they wait
  // for Release. SNAPSHOT_NOT_FOUND, errors of `store`.
  virtual absl::StatusOr<Created> CreateAll(
      std::vector<state::RestoreRecord>* records, bool hold,
      const std::function<absl::StatusOr<Created>()>& store) = 0;

  // Keeps restores from being run until Release: those that run roll back, unless they commit, and
  // are queued again. What may have been committed is found out about all the same. Not stored: to
  // be called again before Start.
  virtual void Hold(const std::vector<std::string>& ids) = 0;
  virtual void Release(const std::vector<std::string>& ids) = 0;

  // Has a restore that waits for others of its batch (see its `wait`) run again; the second: ends
  // it as FAILED. Nothing happens to one that does not wait any more. RESTORE_NOT_FOUND.
  virtual absl::Status RunAgain(const std::string& id) = 0;
  virtual absl::Status GiveUp(const std::string& id, const state::Failure& failure) = 0;

  // Has the hooks after a restore run again that have failed, and nothing else; once it returns
  // that is durable. The failure of a hook that is not configured any more stays. False, and
  // nothing happens, if the restore has not succeeded, or none has failed or any is still to be
  // run. RESTORE_NOT_FOUND.
  virtual absl::StatusOr<bool> RunFailedHooksAgain(const std::string& id) = 0;

  // Gives a restore another priority, which counts if it has not begun. RESTORE_NOT_FOUND.
  virtual absl::Status SetPriority(const std::string& id, int32_t priority) = 0;

  // Has `observer` told of restores and plans, besides that of the options. Before Start.
  virtual void Observe(JobObserver* observer) = 0;

  // Begins a plan of a restore, or of an undo if order.undo_of() is set. Errors as for creating,
  // but what needs consent is in the plan instead.
  virtual absl::StatusOr<state::PlanRecord> CreatePlan(const RequestKey& request,
                                                       state::RestoreOrder order) = 0;

  // Ends plans that have not ended as FAILED, with the reason CANCELLED: soon, and what is queued
  // without a look at its store. Quick; also before Start.
  virtual void CancelPlans(const std::vector<std::string>& ids) = 0;

  virtual absl::StatusOr<state::PlanRecord> GetPlan(const std::string& id) const = 0;

  // With the running restore's present progress.
  virtual absl::StatusOr<state::RestoreRecord> GetRestore(const std::string& id) const = 0;
  virtual absl::StatusOr<std::vector<state::RestoreRecord>> ListRestores(
      const RestoreFilter& filter, const std::string& after, int64_t limit) const = 0;

  // A queued one ends at once, a running one soon. OK if it is CANCELLED already; NOT_CANCELLABLE
  // once it commits or has ended otherwise.
  virtual absl::StatusOr<state::RestoreRecord> CancelRestore(const std::string& id,
                                                             const state::Actor& actor,
                                                             const std::string& reason) = 0;

  // As CancelRestore, of a restore of a batch that is cancelled as a whole: a retry of the batch
  // does it after all, and leaves what was cancelled by itself.
  virtual absl::StatusOr<state::RestoreRecord> CancelWithBatch(const std::string& id,
                                                               const state::Actor& actor,
                                                               const std::string& reason) = 0;

  // NOT_IN_DOUBT, unless it was settled before by the same word of the same person.
  virtual absl::StatusOr<state::RestoreRecord> ResolveRestore(const std::string& id, bool committed,
                                                              const state::Actor& actor,
                                                              const std::string& reason) = 0;

  // Seconds until a restore is likely to end, from its bytes and the measured throughput.
  struct Eta {
    bool known = false;
    double rows_per_second = 0;
    absl::Duration low;
    absl::Duration high;
  };
  virtual Eta EstimateEnd(const state::RestoreRecord& record) const = 0;

  // How many restores may run at once in these stores, by the workers and the stores' limits.
  virtual int Lanes(const std::vector<std::string>& stores) const = 0;

  // The restores of a store that have not ended.
  struct Load {
    int64_t queued = 0;
    int64_t running = 0;
    int64_t in_doubt = 0;
  };
  // Of each store that has any. Cheap: reads nothing that is stored.
  virtual std::map<std::string, Load> Loads() const = 0;

  // Sets how fast restores may write into `store`, at once and durably; what runs goes on.
  // STORE_NOT_FOUND; INVALID_ARGUMENT (a negative limit); UNAVAILABLE if it never could be reached.
  virtual absl::Status SetThrottle(const std::string& store, const state::Throttle& throttle,
                                   const state::Actor& actor, const std::string& reason) = 0;

  // Why no restore is begun in `store` just now, as a sentence; nullopt if nothing holds back.
  virtual std::optional<std::string> HoldingBack(const std::string& store) const = 0;
  // As WatchJob: called whenever HoldingBack(store) may have changed.
  virtual std::shared_ptr<void> WatchHold(const std::string& store,
                                          std::function<void()> on_change) = 0;

  // Why `record`, which is QUEUED, is not begun just now, as a sentence: its store, or others of
  // its batch. nullopt if it is not QUEUED or nothing holds it back.
  virtual std::optional<std::string> WhyQueued(const state::RestoreRecord& record) const = 0;

  // Until when the throttle of `store` or its health lets no restore begin that follows others of
  // `before`, which have yet to begin; in the past if neither holds back, in the infinite future if
  // nobody knows.
  virtual absl::Time HeldUntil(const std::string& store,
                               const StoreThrottle::Size& before) const = 0;

  // Calls `on_change` (from any thread; quick, must not call back in) whenever the restore or plan
  // with this id changes, or what holds back restores of its store may have, until the returned
  // guard is destroyed, which waits for a call under way.
  using Watch = std::shared_ptr<void>;
  virtual Watch WatchJob(const std::string& id, std::function<void()> on_change) = 0;
};

}  // namespace reinstate
