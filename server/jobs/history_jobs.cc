#include "server/jobs/history_jobs.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/jobs/history_work.h"
#include "server/jobs/job_audit.h"
#include "server/jobs/job_failure.h"
#include "server/jobs/job_log.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/snapshot_schedule.h"
#include "server/jobs/worker_pool.h"
#include "server/snapshot/store_lineages.h"
#include "storage/base/error.h"
#include "storage/base/id_generator.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// Jobs of different stores at once. The history itself takes one snapshot at a time.
constexpr int kThreads = 2;
constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kCleanUpEvery = absl::Hours(1);
constexpr absl::Duration kOrderAgainAfter = absl::Minutes(1);  // what could not be stored
constexpr int64_t kJobsLookedAt = 1000;  // for the last snapshot of each store, at a start

bool HasEnded(const state::HistoryJob& job) {
  return job.state() == state::SUCCEEDED || job.state() == state::FAILED ||
         job.state() == state::CANCELLED;
}

state::Actor Daemon() {
  state::Actor actor;
  actor.set_name("reinstated");
  actor.set_verified(true);
  return actor;
}

class HistoryJobsImpl final : public HistoryJobs {
 public:
  HistoryJobsImpl(const HistoryJobsOptions& options, StoreRegistry* stores, History* history,
                  StateStore* state)
      : options_(options),
        stores_(stores),
        history_(history),
        state_(state),
        work_(options, stores, history, state),
        ids_(options.clock),
        runner_(
            {.threads = kThreads, .clock = options.clock},
            [this](const std::string& id, RunControl* control) { return Run(id, control); },
            [this](const std::string& id, const JobRunner::View&) { watchers_.Notify(id); }) {
    MutexLock lock(&mu_);
    for (const auto& [store, schedule] : options_.schedules) {
      schedule_.Set(store, schedule.every);
    }
  }

  ~HistoryJobsImpl() override { Shutdown(); }
  HistoryJobsImpl(const HistoryJobsImpl&) = delete;
  HistoryJobsImpl& operator=(const HistoryJobsImpl&) = delete;

  absl::Status Start() override;
  void Shutdown() override;
  absl::StatusOr<state::HistoryJob> CreateJob(const RequestKey& request, state::HistoryJob job,
                                              bool validate_only) override;
  absl::Status CheckDumpInstant(const std::string& store, const std::string& lineage,
                                absl::Time instant) const override {
    return work_.CheckDumpInstant(store, lineage, instant);
  }
  absl::StatusOr<state::HistoryJob> GetJob(const std::string& id) const override;
  absl::StatusOr<std::vector<state::HistoryJob>> ListJobs(const std::string& store,
                                                          const std::string& after,
                                                          int64_t limit) const override;
  absl::StatusOr<state::HistoryJob> CancelJob(const std::string& id, const state::Actor& actor,
                                              const std::string& reason) override;
  std::shared_ptr<void> WatchJob(const std::string& id, std::function<void()> on_change) override {
    return watchers_.Watch(id, std::move(on_change));
  }

 private:
  using Scheduled = std::pair<std::string, state::JobKind>;  // a store, and what to do with it

  absl::Status Check(const state::HistoryJob& job) const;
  void Enqueue(const state::HistoryJob& job);
  void AddPresent(state::HistoryJob* job) const;
  absl::Status End(state::HistoryJob job, const absl::StatusOr<HistoryWork::Result>& result);

  JobRunner::Outcome Run(const std::string& id, RunControl* control);
  WorkerPool::Task NextTick();
  void Tick();
  std::set<Scheduled> TakeDue(absl::Time now);
  void Order(const Scheduled& scheduled, absl::Time now);

  const HistoryJobsOptions options_;
  StoreRegistry* const stores_;
  History* const history_;
  StateStore* const state_;
  HistoryWork work_;
  IdGenerator ids_;
  JobWatchers watchers_;
  Mutex mu_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  SnapshotSchedule schedule_ ABSL_GUARDED_BY(mu_);
  // What could not be ordered, and when it is tried again.
  std::map<Scheduled, absl::Time> owed_ ABSL_GUARDED_BY(mu_);
  absl::Time cleaned_up_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  JobRunner runner_;  // after all that its threads use
  std::unique_ptr<WorkerPool> ticker_;
};

// --- Start and end ---

absl::Status HistoryJobsImpl::Start() {
  for (const ServedStore* store : stores_->List()) {
    RETURN_IF_ERROR(work_.SettleWitnesses(*store));
    ASSIGN_OR_RETURN(const auto jobs, state_->ListHistoryJobs(store->name, "", kJobsLookedAt));
    const auto last = std::find_if(jobs.begin(), jobs.end(), [](const state::HistoryJob& job) {
      return job.kind() == state::TAKE_SNAPSHOT;
    });
    if (last != jobs.end()) {
      MutexLock lock(&mu_);
      schedule_.Began(store->name, absl::FromUnixMicros(last->created_us()));
    }
  }
  ASSIGN_OR_RETURN(const auto unfinished, state_->UnfinishedHistoryJobs());
  RETURN_IF_ERROR(work_.RemoveDumpsBut(unfinished));
  for (const state::HistoryJob& job : unfinished) {
    ASSIGN_OR_RETURN(const state::HistoryJob queued,
                     state_->UpdateHistoryJob(job.id(), [](state::HistoryJob* stored) {
                       stored->set_state(state::QUEUED);
                       return absl::OkStatus();
                     }));
    Enqueue(queued);
  }
  runner_.Start();
  ticker_ = std::make_unique<WorkerPool>(1, [this] { return NextTick(); });
  return absl::OkStatus();
}

void HistoryJobsImpl::Shutdown() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    stop_.SignalAll();
  }
  if (ticker_ != nullptr) {
    ticker_->Join();
  }
  runner_.Stop();
}

// --- Orders ---

absl::Status HistoryJobsImpl::Check(const state::HistoryJob& job) const {
  ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(job.store()));
  switch (job.kind()) {
    case state::TAKE_SNAPSHOT:
      return stores_->CheckIdentity(job.store());
    case state::VERIFY_SNAPSHOT: {
      ASSIGN_OR_RETURN(const SnapshotId id, SnapshotId::Parse(job.snapshot()));
      const std::optional<LineageOwner> owner = OwnerOf(*history_, id.lineage);
      if (!owner.has_value() || owner->store != store->name) {
        return MakeError(Reason::kSnapshotNotFound,
                         absl::StrCat(id.ToString(), " is no snapshot of store ", job.store()));
      }
      return history_->GetSnapshot(id).status();
    }
    case state::IMPORT_SNAPSHOT:
      return CheckLineageName(job.lineage());
    case state::APPLY_RETENTION:
      return absl::OkStatus();
    default:
      return MakeError(Reason::kInvalidArgument, "the kind of the job is not given");
  }
}

void HistoryJobsImpl::Enqueue(const state::HistoryJob& job) {
  if (job.kind() == state::TAKE_SNAPSHOT) {
    MutexLock lock(&mu_);
    schedule_.Began(job.store(), absl::FromUnixMicros(job.created_us()));
  }
  // All jobs of a store are of one 'tenant', so that they run one at a time and in order.
  runner_.Add({.id = job.id(),
               .store = job.store(),
               .tenant = "",
               .queued = absl::FromUnixMicros(job.created_us())});
}

absl::StatusOr<state::HistoryJob> HistoryJobsImpl::CreateJob(const RequestKey& request,
                                                             state::HistoryJob job,
                                                             bool validate_only) {
  ASSIGN_OR_RETURN(const auto earlier, state_->FindRequest(request));
  if (earlier.has_value()) {
    return GetJob(*earlier);
  }
  RETURN_IF_ERROR(Check(job));
  if (validate_only) {
    return job;
  }
  job.set_id(ids_.Next("job"));
  ASSIGN_OR_RETURN(const Created created,
                   state_->CreateHistoryJob(request, job, JobAudit(job, "ordered")));
  ASSIGN_OR_RETURN(const state::HistoryJob stored, state_->GetHistoryJob(created.id));
  if (!created.existed) {
    Enqueue(stored);
  }
  return stored;
}

// --- Reading ---

void HistoryJobsImpl::AddPresent(state::HistoryJob* job) const {
  const auto view = HasEnded(*job) ? std::nullopt : runner_.Find(job->id());
  if (view.has_value()) {
    job->set_state(state::RUNNING);
    *job->mutable_progress() = view->progress;
  }
}

absl::StatusOr<state::HistoryJob> HistoryJobsImpl::GetJob(const std::string& id) const {
  ASSIGN_OR_RETURN(state::HistoryJob job, state_->GetHistoryJob(id));
  AddPresent(&job);
  return job;
}

absl::StatusOr<std::vector<state::HistoryJob>> HistoryJobsImpl::ListJobs(const std::string& store,
                                                                         const std::string& after,
                                                                         int64_t limit) const {
  ASSIGN_OR_RETURN(auto jobs, state_->ListHistoryJobs(store, after, limit));
  for (state::HistoryJob& job : jobs) {
    AddPresent(&job);
  }
  return jobs;
}

// --- Cancel ---

absl::StatusOr<state::HistoryJob> HistoryJobsImpl::CancelJob(const std::string& id,
                                                             const state::Actor& actor,
                                                             const std::string& reason) {
  ASSIGN_OR_RETURN(const state::HistoryJob job, GetJob(id));
  if (job.state() == state::CANCELLED) {
    return job;
  }
  if (HasEnded(job)) {
    return MakeError(Reason::kNotCancellable,
                     absl::StrCat("job ", id, " cannot be cancelled: it has ended"));
  }
  auto marked = state_->UpdateHistoryJob(id, [&](state::HistoryJob* stored) {
    // The first who asked stays the one who did.
    if (!stored->cancel_requested()) {
      stored->set_cancel_requested(true);
      *stored->mutable_cancelled_by() = actor;
      stored->set_cancel_reason(reason);
    }
    return absl::OkStatus();
  });
  if (!marked.ok() && !HasReason(marked.status(), Reason::kInternal)) {
    return marked;
  }
  if (marked.ok() && runner_.Remove(id)) {
    const absl::Status cancelled =
        MakeError(Reason::kCancelled, absl::StrCat("cancelled by ", actor.name()));
    RETURN_IF_ERROR(End(*marked, cancelled));
  } else {
    runner_.Cancel(id);
  }
  return GetJob(id);
}

// --- Running ---

absl::Status HistoryJobsImpl::End(state::HistoryJob job,
                                  const absl::StatusOr<HistoryWork::Result>& result) {
  job.set_finished_us(absl::ToUnixMicros(options_.clock->Now()));
  if (result.ok()) {
    job.set_state(state::SUCCEEDED);
  } else {
    const bool cancelled = HasReason(result.status(), Reason::kCancelled);
    job.set_state(cancelled ? state::CANCELLED : state::FAILED);
    *job.mutable_failure() = FailureOf(result.status());
  }
  if (job.state() == state::CANCELLED) {
    // Who asked for it was stored while this ran.
    ASSIGN_OR_RETURN(const state::HistoryJob stored, state_->GetHistoryJob(job.id()));
    job.set_cancel_requested(stored.cancel_requested());
    *job.mutable_cancelled_by() = stored.cancelled_by();
    job.set_cancel_reason(stored.cancel_reason());
  }
  const std::string_view what = job.state() == state::SUCCEEDED   ? "succeeded"
                                : job.state() == state::CANCELLED ? "cancelled"
                                                                  : "failed";
  absl::Status ended =
      state_->EndHistoryJob(job, result.ok() ? result->witness : std::nullopt, JobAudit(job, what));
  if (ended.ok()) {
    if (!job.dump().empty()) {
      std::error_code left_to_the_next_start;
      std::filesystem::remove(work_.DumpPath(job), left_to_the_next_start);
    }
    LogEnded(job);
    if (options_.observer != nullptr) {
      options_.observer->HistoryJobEnded(job);
    }
  } else {
    LogInterrupted(job.id(), ended);
  }
  watchers_.Notify(job.id());
  return ended;
}

JobRunner::Outcome HistoryJobsImpl::Run(const std::string& id, RunControl* control) {
  absl::StatusOr<state::HistoryJob> job =
      state_->UpdateHistoryJob(id, [this](state::HistoryJob* stored) {
        stored->set_state(state::RUNNING);
        stored->set_started_us(absl::ToUnixMicros(options_.clock->Now()));
        return absl::OkStatus();
      });
  if (!job.ok()) {
    // INTERNAL: it was cancelled at the last moment.
    return HasReason(job.status(), Reason::kInternal) ? JobRunner::Outcome::kDone
                                                      : JobRunner::Outcome::kAgain;
  }
  watchers_.Notify(id);
  absl::StatusOr<HistoryWork::Result> result = MakeError(Reason::kCancelled, "cancelled");
  if (!job->cancel_requested()) {
    result = work_.Perform(&*job, control);
  }
  if (HasReason(control->Check(), Reason::kShuttingDown) && !result.ok()) {
    return JobRunner::Outcome::kDone;  // the next start runs it again
  }
  if (!End(*job, result).ok()) {
    return JobRunner::Outcome::kAgain;
  }
  if (result.ok() && job->kind() == state::TAKE_SNAPSHOT && job->scheduled()) {
    Order({job->store(), state::APPLY_RETENTION}, options_.clock->Now());
  }
  return JobRunner::Outcome::kDone;
}

// --- Schedule ---

WorkerPool::Task HistoryJobsImpl::NextTick() {
  MutexLock lock(&mu_);
  if (!stopping_) {
    stop_.WaitFor(&mu_, kTick);
  }
  return stopping_ ? WorkerPool::Task() : [this] { Tick(); };
}

// What is due by the schedule, and what is still owed.
std::set<HistoryJobsImpl::Scheduled> HistoryJobsImpl::TakeDue(absl::Time now) {
  MutexLock lock(&mu_);
  std::set<Scheduled> due;
  for (const auto& [store, schedule] : options_.schedules) {
    if (schedule_.IsDue(store, now)) {
      due.emplace(store, state::TAKE_SNAPSHOT);
      // Also if the order fails, so that it is not tried again at every tick.
      schedule_.Began(store, now);
    }
  }
  for (const auto& [scheduled, time] : owed_) {
    // The clock may have been set back.
    if (now >= time || time - now > kOrderAgainAfter) {
      due.insert(scheduled);
    }
  }
  for (const Scheduled& scheduled : due) {
    owed_.erase(scheduled);
  }
  return due;
}

void HistoryJobsImpl::Tick() {
  const absl::Time now = options_.clock->Now();
  for (const Scheduled& scheduled : TakeDue(now)) {
    Order(scheduled, now);
  }
  bool clean_up = false;
  {
    MutexLock lock(&mu_);
    clean_up = now - cleaned_up_ >= kCleanUpEvery || now < cleaned_up_;
    cleaned_up_ = clean_up ? now : cleaned_up_;
  }
  if (clean_up) {
    // Nothing depends on it; what fails is tried again at the next hour.
    state_->RemoveExpired().IgnoreError();
  }
}

void HistoryJobsImpl::Order(const Scheduled& scheduled, absl::Time now) {
  state::HistoryJob job;
  job.set_id(ids_.Next("job"));
  job.set_kind(scheduled.second);
  job.set_store(scheduled.first);
  job.set_scheduled(true);
  *job.mutable_actor() = Daemon();
  // Not checked before: a store that is away becomes a failed job that people see.
  const absl::StatusOr<Created> created =
      state_->CreateHistoryJob(RequestKey(), job, JobAudit(job, "ordered"));
  if (!created.ok()) {
    LogNotOrdered(job, created.status());
    MutexLock lock(&mu_);
    owed_[scheduled] = now + kOrderAgainAfter;
    return;
  }
  job.set_created_us(absl::ToUnixMicros(now));
  Enqueue(job);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HistoryJobs>> HistoryJobs::Create(const HistoryJobsOptions& options,
                                                                 StoreRegistry* stores,
                                                                 History* history,
                                                                 StateStore* state) {
  for (const auto& [store, schedule] : options.schedules) {
    if (schedule.every < absl::ZeroDuration()) {
      return MakeError(
          Reason::kConfigInvalid,
          absl::StrCat("snapshots of store ", store, " cannot be taken at a negative interval"));
    }
  }
  return std::make_unique<HistoryJobsImpl>(options, stores, history, state);
}

}  // namespace reinstate
