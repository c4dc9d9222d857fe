#include "server/jobs/plan_jobs.h"

#include "server/jobs/job_failure.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int kThreads = 2;
// Of a plan of a batch whose store is not available: a restart of it is waited for.
constexpr int kMostRuns = 6;

Scheduler::Job ToJob(const state::PlanRecord& record) {
  return {.id = record.id(),
          .store = record.order().store(),
          .tenant = record.order().tenant(),
          .size_bytes = record.progress().total_bytes(),
          .queued = absl::FromUnixMicros(record.created_us())};
}

}  // namespace

PlanJobs::PlanJobs(const Clock* clock, StoreRegistry* stores, StateStore* state,
                   RestoreEngine* engine, JobWatchers* watchers)
    : clock_(clock),
      stores_(stores),
      state_(state),
      engine_(engine),
      watchers_(watchers),
      ids_(clock),
      postponed_(kMostRuns),
      runner_(
          {.threads = kThreads, .clock = clock},
          [this](const std::string& id, RunControl* control) { return Run(id, control); },
          [this](const std::string& id, const JobRunner::View&) { watchers_->Notify(id); }) {}

absl::Status PlanJobs::Start() {
  ASSIGN_OR_RETURN(const auto plans, state_->UnfinishedPlans());
  for (const state::PlanRecord& plan : plans) {
    runner_.Add(ToJob(plan));
  }
  runner_.Start();
  return absl::OkStatus();
}

absl::StatusOr<state::PlanRecord> PlanJobs::Create(const RequestKey& request,
                                                   const state::RestoreRecord& checked) {
  state::PlanRecord record;
  record.set_id(ids_.Next("plan"));
  *record.mutable_order() = checked.order();
  record.set_label(checked.label());
  *record.mutable_progress() = checked.progress();
  ASSIGN_OR_RETURN(const Created created, state_->CreatePlan(request, record));
  ASSIGN_OR_RETURN(state::PlanRecord stored, state_->GetPlan(created.id));
  if (!created.existed) {
    runner_.Add(ToJob(stored));
  }
  return stored;
}

bool PlanJobs::IsCancelled(const std::string& id) const {
  MutexLock lock(&mu_);
  return cancelled_.contains(id);
}

void PlanJobs::ForgetCancelled(const std::string& id) {
  MutexLock lock(&mu_);
  cancelled_.erase(id);
}

void PlanJobs::Cancel(const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    {
      MutexLock lock(&mu_);
      if (!cancelled_.insert(id).second) {
        continue;
      }
    }
    const auto plan = state_->GetPlan(id);
    if (!plan.ok() || plan->state() != state::PLAN_QUEUED) {
      ForgetCancelled(id);
    } else if (runner_.Remove(id)) {
      runner_.Add(ToJob(*plan));  // to end at once, also if it waits for a store
    } else {
      runner_.Cancel(id);
    }
  }
}

absl::StatusOr<state::PlanRecord> PlanJobs::Get(const std::string& id) const {
  ASSIGN_OR_RETURN(state::PlanRecord plan, state_->GetPlan(id));
  const auto view = runner_.Find(id);
  if (view.has_value() && plan.state() == state::PLAN_QUEUED) {
    plan.set_state(state::PLAN_RUNNING);
    *plan.mutable_progress() = view->progress;
  }
  return plan;
}

absl::StatusOr<state::PlanSummary> PlanJobs::PlanUnlessCancelled(const state::PlanRecord& plan,
                                                                 RunControl* control) {
  absl::StatusOr<state::PlanSummary> summary = absl::UnknownError("not planned yet");
  if (!IsCancelled(plan.id())) {
    ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(plan.order().store()));
    summary = engine_->Plan(plan.order(), store->live, control);
  }
  if (!summary.ok() && !HasReason(summary.status(), Reason::kShuttingDown) &&
      IsCancelled(plan.id())) {
    return MakeError(Reason::kCancelled, "the batch was cancelled before this was planned");
  }
  return summary;
}

JobRunner::Outcome PlanJobs::Run(const std::string& id, RunControl* control) {
  absl::StatusOr<state::PlanRecord> plan = state_->GetPlan(id);
  if (!plan.ok()) {
    return HasReason(plan.status(), Reason::kPlanNotFound) ? JobRunner::Outcome::kDone
                                                           : JobRunner::Outcome::kAgain;
  }
  const absl::StatusOr<state::PlanSummary> summary = PlanUnlessCancelled(*plan, control);
  if (HasReason(summary.status(), Reason::kShuttingDown)) {
    return JobRunner::Outcome::kDone;  // the next start plans again
  }
  const bool unavailable = HasReason(summary.status(), Reason::kUnavailable) ||
                           HasReason(summary.status(), Reason::kSessionLost);
  // Who waits for a single plan hears of it at once.
  if (unavailable && !plan->order().batch().empty() &&
      postponed_.Postpone(id, plan->order().store(), summary.status())) {
    return JobRunner::Outcome::kAgain;
  }
  postponed_.Forget(id);
  plan->set_finished_us(absl::ToUnixMicros(clock_->Now()));
  if (summary.ok()) {
    plan->set_state(state::PLAN_READY);
    *plan->mutable_summary() = *summary;
  } else {
    plan->set_state(state::PLAN_FAILED);
    *plan->mutable_failure() = FailureOf(summary.status());
  }
  const absl::Status stored = state_->PutPlan(*plan);
  if (stored.ok()) {
    ForgetCancelled(id);
    for (JobObserver* const observer : observers_) {
      observer->PlanEnded(*plan);
    }
  }
  watchers_->Notify(id);
  return stored.ok() ? JobRunner::Outcome::kDone : JobRunner::Outcome::kAgain;
}

}  // namespace reinstate
