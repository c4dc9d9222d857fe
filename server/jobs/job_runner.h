#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/jobs/scheduler.h"
#include "server/jobs/start_gate.h"
#include "server/jobs/worker_pool.h"
#include "server/restore/run_control.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/state/state.pb.h"

namespace reinstate {

struct JobRunnerOptions {
  int threads = 1;
  absl::Duration aging = absl::Minutes(10);  // see Scheduler
  const Clock* clock = Clock::System();
  StartGate* gate = nullptr;  // borrowed; may be null: stores hold nothing back
  // Called when a job that waits (see JobRunner::Outcome) is queued again; quick. May be null.
  std::function<void(const std::string& id)> on_waits;
};

// Runs jobs on a pool of its own in the order of a Scheduler, and holds what is known of them only
// while they run. Thread-safe.
class JobRunner {
 public:
  enum class Outcome {
    kDone,   // or it will not be run by this process again
    kAgain,  // nothing could be recorded: to be tried again after a while
    kWaits,  // to be held in the queue until Release
    // As kAgain, and also while it is held: what it committed is not known yet.
    kUnsettled,
  };

  // What a running job reports.
  struct View {
    absl::Time started;
    state::Phase phase = state::PHASE_UNSPECIFIED;
    state::Progress progress;
    std::optional<state::PlanSummary> plan;
  };

  // Runs the job, on a thread of the pool.
  using Work = std::function<Outcome(const std::string& id, RunControl* control)>;
  // Called after each change of what a running job reports. Must be quick and not call back in.
  using OnReport = std::function<void(const std::string& id, const View& view)>;

  JobRunner(const JobRunnerOptions& options, Work work, OnReport on_report);
  ~JobRunner();  // as Stop
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  // Begins to run what was and will be added. Once.
  void Start();

  // Asks running jobs to stop and waits until the threads have ended. What is queued stays so. May
  // be repeated, by one thread at a time.
  void Stop();

  // As Scheduler; at once.
  void SetLimit(const std::string& store, int limit);
  std::optional<int> Limit(const std::string& store) const;

  // Asks the gate anew when jobs of `store` may begin.
  void AskGate(const std::string& store);

  void Add(Scheduler::Job job);

  // Takes a job out of the queue, so that it will not be run. False if it is not queued (any more).
  bool Remove(const std::string& id);

  // Asks a running job to end. False if it does not run.
  bool Cancel(const std::string& id);

  // Keeps jobs from being run until Release: those that are queued stay so, those that run are
  // asked to roll back and are queued again. To be called before a job is added, too. What has left
  // as kUnsettled is held as by HoldOnceSettled.
  void Hold(const std::vector<std::string>& ids);
  // The same of a job that may have committed: it is run until it has found out, and asked to roll
  // back what it would do besides.
  void HoldOnceSettled(const std::string& id);
  void Release(const std::vector<std::string>& ids);

  // Gives a queued job another priority. False if it is not queued.
  bool SetPriority(const std::string& id, int32_t priority);

  void Block(const std::string& store, const std::string& tenant);
  void Unblock(const std::string& store, const std::string& tenant);

  // nullopt if the job does not run.
  std::optional<View> Find(const std::string& id) const;

  // As Scheduler.
  int64_t BytesUpTo(const std::string& id) const;
  std::map<std::string, Scheduler::Depth> Depths() const;

 private:
  struct Running;

  std::shared_ptr<RunControl> HoldLocked(const std::string& id, bool is_settled)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AskGateLocked(const std::string& store) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  WorkerPool::Task NextTask();
  WorkerPool::Task Begin(Scheduler::Job job, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunOne(const Scheduler::Job& job, Running* running);
  void Leave(const Scheduler::Job& job, Outcome outcome, Running* running);
  void AddLater(Scheduler::Job job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  template <typename Change>
  void Report(const std::string& id, Running* running, const Change& change);

  const JobRunnerOptions options_;
  const Work work_;
  const OnReport on_report_;
  mutable Mutex mu_;
  CondVar changed_;
  Scheduler scheduler_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::unique_ptr<Running>> running_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> settling_ ABSL_GUARDED_BY(mu_);       // to be held once they have run
  std::set<std::string> unsettled_ ABSL_GUARDED_BY(mu_);      // their last run was kUnsettled
  std::map<std::string, int> failures_ ABSL_GUARDED_BY(mu_);  // by job: how often it was kAgain
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace reinstate
