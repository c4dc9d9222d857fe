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
#include "absl/time/time.h"
#include "server/jobs/eta_estimator.h"
#include "server/jobs/hook_jobs.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/postponed_jobs.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/restore_pins.h"
#include "server/jobs/store_governor.h"
#include "server/jobs/store_registry.h"
#include "server/jobs/throttle_keeper.h"
#include "server/restore/restore_engine.h"
#include "storage/base/mutex.h"
#include "storage/state/state_store.h"

namespace reinstate {

// What becomes of restores and undos that are stored: queued, run with their hooks on a fixed pool
// of workers as their stores bear it, cancelled, settled, ended.
//
// Thread-safe. Borrows everything it is given. Functions not described are as RestoreManager's.
class RestoreJobs {
 public:
  using Eta = RestoreManager::Eta;
  using Load = RestoreManager::Load;

  struct Parts {
    StoreRegistry* stores;
    History* history;
    StateStore* state;
    RestoreEngine* engine;
    JobWatchers* watchers;  // told of changes
  };

  RestoreJobs(const RestoreManagerOptions& options, const Parts& parts);
  ~RestoreJobs() { Shutdown(); }
  RestoreJobs(const RestoreJobs&) = delete;
  RestoreJobs& operator=(const RestoreJobs&) = delete;

  // Has `observer` told of restores. Before Start.
  void Observe(JobObserver* observer) { observers_.push_back(observer); }

  // Goes on with what an earlier process left. Once.
  absl::Status Start();

  // Restores that are committing finish; the others roll back and stay queued. May be repeated, by
  // one thread at a time.
  void Shutdown();

  // Says in a record that is about to be stored what is to follow it, and pins its snapshot.
  // SNAPSHOT_NOT_FOUND.
  absl::Status Prepare(state::RestoreRecord* record);
  // Lifts the pin of a record that was prepared and then not stored.
  void Abandon(const state::RestoreRecord& record) { pins_.Unpin(record); }

  // Queues a stored restore, as of `queued`.
  void Add(const state::RestoreRecord& record, absl::Time queued);

  // What has an intent is run until it is settled, and held then.
  void Hold(const std::vector<std::string>& ids);
  void Release(const std::vector<std::string>& ids) { runner_.Release(ids); }
  absl::Status SetPriority(const std::string& id, int32_t priority);
  absl::Status RunAgain(const std::string& id);
  absl::Status GiveUp(const std::string& id, const state::Failure& failure);
  absl::StatusOr<bool> RunFailedHooksAgain(const std::string& id) {
    return hooks_.RunFailedAgain(id);
  }

  struct CancelOrder {
    state::Actor actor;
    std::string reason;
    bool with_batch = false;  // not by itself
  };
  absl::StatusOr<state::RestoreRecord> Cancel(const std::string& id, const CancelOrder& order);
  absl::StatusOr<state::RestoreRecord> Resolve(const std::string& id, bool committed,
                                               const state::Actor& actor,
                                               const std::string& reason);

  absl::StatusOr<state::RestoreRecord> Get(const std::string& id) const;
  // Adds to what is stored of a restore what is known of it while it runs.
  void AddPresent(state::RestoreRecord* record) const;
  Eta EstimateEnd(const state::RestoreRecord& record) const;
  std::map<std::string, Load> Loads() const;
  int Lanes(const std::vector<std::string>& stores) const;

  absl::Status SetThrottle(const std::string& store, const state::Throttle& throttle,
                           const state::Actor& actor, const std::string& reason) {
    return throttles_.Set(store, throttle, actor, reason);
  }
  std::optional<std::string> HoldingBack(const std::string& store) const;
  std::optional<std::string> WhyQueued(const state::RestoreRecord& record) const;
  std::shared_ptr<void> WatchHold(const std::string& store, std::function<void()> on_change);
  std::shared_ptr<void> Watch(const std::string& id, std::function<void()> on_change);
  absl::Time HeldUntil(const std::string& store, const StoreThrottle::Size& before) const {
    return governor_.HeldUntil(store, before);
  }

 private:
  void Enqueue(const state::RestoreRecord& record);
  absl::Status Resume(const state::RestoreRecord& record);
  absl::Status EndCancelled(state::RestoreRecord record);
  absl::Status CancelRemoved(const std::string& id, const CancelOrder& order);

  JobRunner::Outcome Run(const std::string& id, RunControl* control);
  absl::StatusOr<state::RestoreRecord> RunChecked(const std::string& id, RunControl* control);
  absl::StatusOr<state::RestoreRecord> Refuse(state::RestoreRecord record,
                                              const state::Failure& failure);
  absl::StatusOr<state::RestoreRecord> Postpone(const std::string& id, const absl::Status& why);
  absl::StatusOr<state::RestoreRecord> EndUnbegun(const std::string& id, const absl::Status& why);
  void KeepDebt(const std::string& store);
  void BlockInDoubt(const state::RestoreRecord& record);
  void OnReport(const std::string& id, const JobRunner::View& view);
  // A restore waits for others of its batch, and is queued again.
  void OnWaits(const std::string& id);
  void TellEnded(const state::RestoreRecord& record);
  void TellWaits(const state::RestoreRecord& record);
  // The restore `id` has begun, has moved on, or has left its worker.
  void TellChanged(const std::string& id, bool running);

  StoreGovernor::Jobs JobsOf(const std::string& store) const;

  const Clock* const clock_;
  const int workers_;
  StoreRegistry* const stores_;
  StateStore* const state_;
  RestoreEngine* const engine_;
  JobWatchers* const watchers_;
  RestorePins pins_;
  std::vector<JobObserver*> observers_;  // borrowed
  mutable Mutex mu_;
  EtaEstimator eta_ ABSL_GUARDED_BY(mu_);
  PostponedJobs postponed_;
  HookJobs hooks_;
  StoreGovernor governor_;  // its threads use the runner: both are shut down before either ends
  JobRunner runner_;        // after all that its threads use
  ThrottleKeeper throttles_;
};

}  // namespace reinstate
