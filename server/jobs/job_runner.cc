#include "server/jobs/job_runner.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace reinstate {
namespace {

constexpr absl::Duration kFirstRetry = absl::Seconds(1);
constexpr absl::Duration kLongestRetry = absl::Minutes(1);
// How long a thread sleeps at most while a job waits for its time: the clock may be set.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

}  // namespace

struct JobRunner::Running {
  View view;  // guarded by mu_ of the runner
  // Shared with who asks it to end, which may take a while and is done without the lock.
  std::shared_ptr<RunControl> control;
  bool held = false;  // was asked to roll back by Hold: guarded by mu_ too
};

JobRunner::JobRunner(const JobRunnerOptions& options, Work work, OnReport on_report)
    : options_(options),
      work_(std::move(work)),
      on_report_(std::move(on_report)),
      scheduler_(options.aging) {}

JobRunner::~JobRunner() { Stop(); }

void JobRunner::Start() {
  pool_ = std::make_unique<WorkerPool>(options_.threads, [this] { return NextTask(); });
}

void JobRunner::Stop() {
  std::vector<std::shared_ptr<RunControl>> controls;
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    for (const auto& [id, running] : running_) {
      controls.push_back(running->control);
    }
    changed_.SignalAll();
  }
  for (const auto& control : controls) {
    control->Stop();
  }
  if (pool_ != nullptr) {
    pool_->Join();
  }
}

void JobRunner::SetLimit(const std::string& store, int limit) {
  MutexLock lock(&mu_);
  scheduler_.SetLimit(store, limit);
  changed_.SignalAll();
}

std::optional<int> JobRunner::Limit(const std::string& store) const {
  MutexLock lock(&mu_);
  return scheduler_.Limit(store);
}

void JobRunner::AskGate(const std::string& store) {
  MutexLock lock(&mu_);
  AskGateLocked(store);
  changed_.SignalAll();
}

void JobRunner::AskGateLocked(const std::string& store) {
  if (options_.gate != nullptr) {
    scheduler_.HoldStore(store, options_.gate->HeldUntil(store));
  }
}

void JobRunner::Add(Scheduler::Job job) {
  MutexLock lock(&mu_);
  AskGateLocked(job.store);  // what is known of the store by now holds for it
  scheduler_.Add(std::move(job));
  changed_.SignalAll();
}

bool JobRunner::Remove(const std::string& id) {
  MutexLock lock(&mu_);
  failures_.erase(id);
  settling_.erase(id);
  unsettled_.erase(id);
  return scheduler_.Remove(id);
}

bool JobRunner::Cancel(const std::string& id) {
  std::shared_ptr<RunControl> control;
  {
    MutexLock lock(&mu_);
    const auto found = running_.find(id);
    if (found == running_.end()) {
      return false;
    }
    control = found->second->control;
  }
  control->Cancel();
  return true;
}

// Returns the control of the job if it runs and is to be stopped, which is done without the lock.
std::shared_ptr<RunControl> JobRunner::HoldLocked(const std::string& id, bool is_settled) {
  const auto found = running_.find(id);
  if (found == running_.end() && !is_settled) {
    settling_.insert(id);
    scheduler_.Release(id);
    changed_.SignalAll();
    return nullptr;
  }
  settling_.erase(id);
  scheduler_.Hold(id);
  if (found == running_.end()) {
    return nullptr;
  }
  found->second->held = true;
  return found->second->control;
}

void JobRunner::Hold(const std::vector<std::string>& ids) {
  std::vector<std::shared_ptr<RunControl>> controls;
  {
    MutexLock lock(&mu_);
    for (const std::string& id : ids) {
      if (auto control = HoldLocked(id, !unsettled_.contains(id)); control != nullptr) {
        controls.push_back(std::move(control));
      }
    }
  }
  for (const auto& control : controls) {
    control->Stop();
  }
}

void JobRunner::HoldOnceSettled(const std::string& id) {
  std::shared_ptr<RunControl> control;
  {
    MutexLock lock(&mu_);
    control = HoldLocked(id, /*is_settled=*/false);
  }
  if (control != nullptr) {
    control->Stop();
  }
}

void JobRunner::Release(const std::vector<std::string>& ids) {
  MutexLock lock(&mu_);
  for (const std::string& id : ids) {
    settling_.erase(id);
    scheduler_.Release(id);
  }
  changed_.SignalAll();
}

bool JobRunner::SetPriority(const std::string& id, int32_t priority) {
  MutexLock lock(&mu_);
  return scheduler_.SetPriority(id, priority);
}

void JobRunner::Block(const std::string& store, const std::string& tenant) {
  MutexLock lock(&mu_);
  scheduler_.Block(store, tenant);
}

void JobRunner::Unblock(const std::string& store, const std::string& tenant) {
  MutexLock lock(&mu_);
  scheduler_.Unblock(store, tenant);
  changed_.SignalAll();
}

std::optional<JobRunner::View> JobRunner::Find(const std::string& id) const {
  MutexLock lock(&mu_);
  const auto found = running_.find(id);
  return found == running_.end() ? std::nullopt : std::optional<View>(found->second->view);
}

int64_t JobRunner::BytesUpTo(const std::string& id) const {
  MutexLock lock(&mu_);
  return scheduler_.BytesUpTo(id, options_.clock->Now());
}

std::map<std::string, Scheduler::Depth> JobRunner::Depths() const {
  MutexLock lock(&mu_);
  return scheduler_.Depths();
}

template <typename Change>
void JobRunner::Report(const std::string& id, Running* running, const Change& change) {
  View view;
  {
    MutexLock lock(&mu_);
    change(&running->view);
    view = running->view;
  }
  on_report_(id, view);
}

WorkerPool::Task JobRunner::Begin(Scheduler::Job job, absl::Time now) {
  auto made = std::make_unique<Running>();
  Running* const running = made.get();
  const std::string id = job.id;
  running->view.started = now;
  RunControl::Listener listener;
  listener.on_phase = [=, this](state::Phase phase) {
    Report(id, running, [&](View* view) { view->phase = phase; });
  };
  listener.on_progress = [=, this](const state::Progress& progress) {
    Report(id, running, [&](View* view) { view->progress = progress; });
  };
  listener.on_plan = [=, this](const state::PlanSummary& plan) {
    Report(id, running, [&](View* view) { view->plan = plan; });
  };
  running->control = std::make_shared<RunControl>(std::move(listener));
  if (settling_.erase(id) > 0) {
    scheduler_.Hold(id);
    running->held = true;
    running->control->Stop();  // nobody has attached a session to it yet
  }
  running_.emplace(id, std::move(made));
  return [this, job = std::move(job), running] { RunOne(job, running); };
}

WorkerPool::Task JobRunner::NextTask() {
  MutexLock lock(&mu_);
  while (!stopping_) {
    const absl::Time now = options_.clock->Now();
    if (auto job = scheduler_.Take(now); job.has_value()) {
      if (options_.gate != nullptr) {
        options_.gate->Begin(*job);
        AskGateLocked(job->store);
      }
      return Begin(*std::move(job), now);
    }
    if (const auto next = scheduler_.NextStart(now); next.has_value()) {
      changed_.WaitFor(&mu_, std::clamp(*next - now, absl::Milliseconds(1), kLongestSleep));
    } else {
      changed_.Wait(&mu_);
    }
  }
  return nullptr;
}

void JobRunner::RunOne(const Scheduler::Job& job, Running* running) {
  const Outcome outcome = work_(job.id, running->control.get());
  Leave(job, outcome, running);
  if (outcome == Outcome::kWaits && options_.on_waits) {
    options_.on_waits(job.id);
  }
}

void JobRunner::Leave(const Scheduler::Job& job, Outcome outcome, Running* running) {
  MutexLock lock(&mu_);
  const bool held = running->held;
  scheduler_.Finish(job.id);
  running_.erase(job.id);
  unsettled_.erase(job.id);
  if (outcome == Outcome::kWaits) {
    scheduler_.Hold(job.id);
    scheduler_.Add(job);
  } else if (outcome == Outcome::kUnsettled) {
    unsettled_.insert(job.id);
    if (held && scheduler_.IsHeld(job.id)) {
      scheduler_.Release(job.id);
      settling_.insert(job.id);
    }
    AddLater(job);
  } else if (outcome == Outcome::kAgain && held) {
    scheduler_.Add(job);  // It did not fail: once released it may begin at once.
  } else if (outcome == Outcome::kAgain) {
    AddLater(job);
  } else {
    failures_.erase(job.id);
  }
  changed_.SignalAll();
}

void JobRunner::AddLater(Scheduler::Job job) {
  const int failures = std::min(10, failures_[job.id]++);
  job.not_before =
      options_.clock->Now() + std::min(kLongestRetry, kFirstRetry * (int64_t{1} << failures));
  scheduler_.Add(std::move(job));
}

}  // namespace reinstate
