#include "server/jobs/restore_jobs.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_failure.h"
#include "server/jobs/job_log.h"
#include "server/restore/restore_audit.h"
#include "spdlog/spdlog.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/state/job_state_words.h"
#include "storage/state/restore_index.h"

namespace reinstate {
namespace {

// Of a restore whose store is not available. One that cannot be reached at all begins none (see
// StoreGovernor), so that these are some minutes of a store that answers, but not to this restore.
constexpr int kMostRuns = 10;

Scheduler::Job ToJob(const state::RestoreRecord& record, absl::Time queued) {
  return {.id = record.id(),
          .store = record.order().store(),
          .tenant = record.order().tenant(),
          .priority = record.order().priority(),
          .size_rows = record.size_rows(),
          .size_bytes = record.size_bytes(),
          .queued = queued};
}

// Told of at each look at what holds back restores of the store; no id of a job looks like this.
std::string HoldTopic(const std::string& store) { return absl::StrCat("store/", store); }

absl::Status NotCancellable(const state::RestoreRecord& record, std::string_view why) {
  return MakeError(
      Reason::kNotCancellable,
      absl::StrCat("restore ", record.id(), " cannot be cancelled: ", std::string(why)));
}

// The first who asked stays the one who did.
void MarkCancelled(const RestoreJobs::CancelOrder& order, state::RestoreRecord* record) {
  if (!record->cancel_requested()) {
    record->set_cancel_requested(true);
    *record->mutable_cancelled_by() = order.actor;
    record->set_cancel_reason(order.reason);
    record->set_cancelled_alone(!order.with_batch);
  }
}

// Whether this is what became of a restore that was in doubt, by the same word of the same person.
bool WasResolvedSo(const state::RestoreRecord& record, bool committed, const state::Actor& actor,
                   const std::string& reason) {
  const bool is_committed = record.state() == state::SUCCEEDED || record.state() == state::UNDONE;
  return HasEnded(record.state()) && is_committed == committed && !record.resolved_by().empty() &&
         record.resolved_by() == actor.name() && record.resolved_reason() == reason;
}

// What the store had to bear of a restore that has ended: rolled back or not.
StoreThrottle::Size WrittenBy(const state::RestoreRecord& record) {
  return {.rows = record.plan().rows_to_change(), .bytes = record.plan().bytes_to_write()};
}

}  // namespace

RestoreJobs::RestoreJobs(const RestoreManagerOptions& options, const Parts& parts)
    : clock_(options.clock),
      workers_(options.workers),
      stores_(parts.stores),
      state_(parts.state),
      engine_(parts.engine),
      watchers_(parts.watchers),
      pins_(parts.stores, parts.history),
      postponed_(kMostRuns),
      hooks_(
          {.hooks = options.hooks, .first_backoff = options.hook_backoff, .clock = options.clock},
          parts.state, parts.watchers, &observers_),
      governor_({.probe_every = options.probe_every,
                 .clock = options.clock,
                 .observer = options.observer},
                {.jobs = [this](const std::string& store) { return JobsOf(store); },
                 .ask_again =
                     [this](const std::string& store) {
                       runner_.AskGate(store);
                       watchers_->Notify(HoldTopic(store));
                     }}),
      runner_(
          {.threads = options.workers,
           .aging = options.aging,
           .clock = options.clock,
           .gate = &governor_,
           .on_waits = [this](const std::string& id) { OnWaits(id); }},
          [this](const std::string& id, RunControl* control) { return Run(id, control); },
          [this](const std::string& id, const JobRunner::View& view) { OnReport(id, view); }),
      throttles_(options.clock, parts.stores, &governor_, &runner_) {
  if (options.observer != nullptr) {
    observers_.push_back(options.observer);
  }
}

// --- Start ---

absl::Status RestoreJobs::Start() {
  RETURN_IF_ERROR(hooks_.Start());
  RETURN_IF_ERROR(throttles_.Load());
  ASSIGN_OR_RETURN(const auto unfinished, state_->UnfinishedRestores());
  std::set<std::string> ids;
  for (const state::RestoreRecord& record : unfinished) {
    ids.insert(record.id());
    // A crash of the machine may have lost the pin. What has no snapshot any more fails when it
    // runs, with a word on why.
    pins_.Pin(record).IgnoreError();
    RETURN_IF_ERROR(Resume(record));
  }
  RETURN_IF_ERROR(pins_.ReleaseForgotten(ids));
  runner_.Start();
  governor_.Start();
  return absl::OkStatus();
}

absl::Status RestoreJobs::Resume(const state::RestoreRecord& record) {
  switch (record.state()) {
    case state::IN_DOUBT:
      runner_.Block(record.order().store(), record.order().tenant());
      return absl::OkStatus();
    case state::QUEUED:
      // What was cancelled before its commit, when the daemon was stopped.
      if (record.cancel_requested() && !record.has_intent()) {
        return EndCancelled(record);
      }
      if (record.has_wait()) {
        runner_.Hold({record.id()});
      }
      Enqueue(record);
      return absl::OkStatus();
    default:
      return MakeError(
          Reason::kInternal,
          absl::StrCat("restore ", record.id(), " is stored in state ",
                       JobStateWords(record.state()), ", from which this version cannot go on"));
  }
}

StoreGovernor::Jobs RestoreJobs::JobsOf(const std::string& store) const {
  const std::map<std::string, Scheduler::Depth> depths = runner_.Depths();
  const auto found = depths.find(store);
  return found == depths.end() ? StoreGovernor::Jobs()
                               : StoreGovernor::Jobs{.queued = found->second.queued,
                                                     .running = found->second.running};
}

void RestoreJobs::Shutdown() {
  runner_.Stop();
  hooks_.Shutdown();
  governor_.Shutdown();
}

// --- Queue ---

absl::Status RestoreJobs::Prepare(state::RestoreRecord* record) {
  hooks_.Prepare(record);
  return pins_.Pin(*record);
}

void RestoreJobs::Add(const state::RestoreRecord& record, absl::Time queued) {
  runner_.Add(ToJob(record, queued));
}

void RestoreJobs::Enqueue(const state::RestoreRecord& record) {
  Add(record, absl::FromUnixMicros(record.created_us()));
}

void RestoreJobs::Hold(const std::vector<std::string>& ids) {
  std::vector<std::string> held;
  for (const std::string& id : ids) {
    const auto record = state_->GetRestore(id);
    if (record.ok() && record->has_intent()) {
      runner_.HoldOnceSettled(id);
    } else {
      held.push_back(id);
    }
  }
  runner_.Hold(held);
}

absl::Status RestoreJobs::SetPriority(const std::string& id, int32_t priority) {
  ASSIGN_OR_RETURN(const state::RestoreRecord record, state_->GetRestore(id));
  if (HasEnded(record.state())) {
    return absl::OkStatus();
  }
  const auto changed = state_->UpdateRestore(id, [&](state::RestoreRecord* stored) {
    stored->mutable_order()->set_priority(priority);
    return absl::OkStatus();
  });
  runner_.SetPriority(id, priority);
  // Refused only if it has ended meanwhile.
  return changed.ok() || HasReason(changed.status(), Reason::kInternal) ? absl::OkStatus()
                                                                        : changed.status();
}

// --- Reading ---

absl::StatusOr<state::RestoreRecord> RestoreJobs::Get(const std::string& id) const {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  AddPresent(&record);
  return record;
}

void RestoreJobs::AddPresent(state::RestoreRecord* record) const {
  if (HasEnded(record->state()) || record->state() == state::IN_DOUBT) {
    return;
  }
  const auto view = runner_.Find(record->id());
  if (!view.has_value()) {
    return;
  }
  record->set_state(state::RUNNING);
  record->set_phase(view->phase);
  if (view->progress.total_bytes() > 0 || view->progress.rows() > 0) {
    *record->mutable_progress() = view->progress;
  }
  if (view->plan.has_value()) {
    *record->mutable_plan() = *view->plan;
  }
}

RestoreJobs::Eta RestoreJobs::EstimateEnd(const state::RestoreRecord& record) const {
  EtaEstimator::Estimate estimate;
  const absl::Time now = clock_->Now();
  const int64_t bytes_up_to = runner_.BytesUpTo(record.id());
  MutexLock lock(&mu_);
  if (record.state() == state::RUNNING) {
    estimate = eta_.Running(record.id(), now);
  } else if (record.state() == state::QUEUED) {
    estimate = eta_.Queued(bytes_up_to, workers_);
  }
  return {.known = estimate.known,
          .rows_per_second = estimate.rows_per_second,
          .low = estimate.low,
          .high = estimate.high};
}

int RestoreJobs::Lanes(const std::vector<std::string>& stores) const {
  int lanes = 0;
  for (const std::string& store : stores) {
    lanes += std::min(workers_, runner_.Limit(store).value_or(workers_));
  }
  return std::min(workers_, lanes);
}

std::map<std::string, RestoreJobs::Load> RestoreJobs::Loads() const {
  std::map<std::string, Load> loads;
  for (const auto& [store, depth] : runner_.Depths()) {
    // A tenant is blocked while one restore of it is in doubt.
    loads[store] = {
        .queued = depth.queued, .running = depth.running, .in_doubt = depth.blocked_tenants};
  }
  return loads;
}

std::optional<std::string> RestoreJobs::HoldingBack(const std::string& store) const {
  const std::optional<StoreGovernor::Hold> hold = governor_.HoldingBack(store);
  return hold.has_value() ? std::optional<std::string>(hold->sentence) : postponed_.Why(store);
}

std::optional<std::string> RestoreJobs::WhyQueued(const state::RestoreRecord& record) const {
  if (record.state() != state::QUEUED) {
    return std::nullopt;
  }
  if (record.has_wait()) {
    return WaitSentence(record.wait().cause());
  }
  return HoldingBack(record.order().store());
}

std::shared_ptr<void> RestoreJobs::WatchHold(const std::string& store,
                                             std::function<void()> on_change) {
  return watchers_->Watch(HoldTopic(store), std::move(on_change));
}

std::shared_ptr<void> RestoreJobs::Watch(const std::string& id, std::function<void()> on_change) {
  const auto record = state_->GetRestore(id);
  if (!record.ok() || HasEnded(record->state())) {
    return watchers_->Watch(id, std::move(on_change));
  }
  using Both = std::pair<std::shared_ptr<void>, std::shared_ptr<void>>;
  return std::make_shared<Both>(WatchHold(record->order().store(), on_change),
                                watchers_->Watch(id, on_change));
}

// --- Running ---

void RestoreJobs::TellEnded(const state::RestoreRecord& record) {
  postponed_.Forget(record.id());
  for (JobObserver* const observer : observers_) {
    observer->RestoreEnded(record);
  }
  hooks_.Follow(record);
}

void RestoreJobs::TellChanged(const std::string& id, bool running) {
  for (JobObserver* const observer : observers_) {
    observer->RestoreChanged(id, running);
  }
  watchers_->Notify(id);
}

void RestoreJobs::OnReport(const std::string& id, const JobRunner::View& view) {
  {
    MutexLock lock(&mu_);
    eta_.Progressed(id, view.progress);
  }
  TellChanged(id, /*running=*/true);
}

absl::StatusOr<state::RestoreRecord> RestoreJobs::Refuse(state::RestoreRecord record,
                                                         const state::Failure& failure) {
  record.set_state(state::FAILED);
  record.clear_phase();
  record.clear_wait();
  *record.mutable_failure() = failure;
  record.set_finished_us(absl::ToUnixMicros(clock_->Now()));
  RETURN_IF_ERROR(
      state_->RecordOutcome(record, std::nullopt, RestoreAudit(record, "restore.failed")));
  TellEnded(record);
  return record;
}

// Of a restore whose store was not available: to be run again, unless that was the last time.
absl::StatusOr<state::RestoreRecord> RestoreJobs::Postpone(const std::string& id,
                                                           const absl::Status& why) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  const bool again = postponed_.Postpone(id, record.order().store(), why);
  // What may be committed does not end before the store has said what became of it.
  if (record.has_intent()) {
    return why;
  }
  if (record.cancel_requested()) {
    RETURN_IF_ERROR(EndCancelled(record));
    return state_->GetRestore(id);
  }
  return again ? why : Refuse(std::move(record), FailureOf(why));
}

// Of a restore that `why` kept from beginning, before the hooks before it were run or by them.
absl::StatusOr<state::RestoreRecord> RestoreJobs::EndUnbegun(const std::string& id,
                                                             const absl::Status& why) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  if (HasReason(why, Reason::kHookFailed)) {
    return Refuse(std::move(record), FailureOf(why));
  }
  if (!HasReason(why, Reason::kCancelled)) {
    return why;
  }
  RETURN_IF_ERROR(EndCancelled(record));
  return state_->GetRestore(id);
}

absl::StatusOr<state::RestoreRecord> RestoreJobs::RunChecked(const std::string& id,
                                                             RunControl* control) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  if (record.cancel_requested() && !record.has_intent()) {
    RETURN_IF_ERROR(EndCancelled(record));
    return state_->GetRestore(id);
  }
  const std::string& name = record.order().store();
  const absl::StatusOr<const ServedStore*> store = stores_->Find(name);
  if (!store.ok()) {
    // With an intent recorded the outcome is open; it stays so until the store is configured again.
    return record.has_intent() ? store.status()
                               : Refuse(std::move(record), FailureOf(store.status()));
  }
  const absl::Status identity =
      stores_->CheckIdentity(name, [control] { return control->CheckWait(); });
  if (const absl::Status ended = control->CheckWait(); !ended.ok() && !record.has_intent()) {
    return EndUnbegun(id, ended);
  }
  if (!identity.ok() && !HasReason(identity, Reason::kUnavailable) && !record.has_intent()) {
    return Refuse(std::move(record), FailureOf(identity));
  }
  KeepDebt(name);
  if (const absl::Status hooks = hooks_.RunBefore(record, control); !hooks.ok()) {
    return EndUnbegun(id, hooks);
  }
  absl::StatusOr<state::RestoreRecord> ended = engine_->Run(id, (*store)->live, control);
  if (HasReason(ended.status(), Reason::kUnavailable)) {
    return Postpone(id, ended.status());
  }
  if (ended.ok() && !ended->has_wait()) {
    TellEnded(*ended);
  }
  return ended;
}

void RestoreJobs::KeepDebt(const std::string& store) {
  if (const absl::Status kept = throttles_.KeepDebt(store); !kept.ok()) {
    spdlog::warn("what is owed of the throttle was not stored store={} {}: {}", store,
                 ReasonOf(kept), std::string(kept.message()));
  }
}

// Somebody may have settled it between its record and the block, and lifted what was not there yet.
void RestoreJobs::BlockInDoubt(const state::RestoreRecord& record) {
  runner_.Block(record.order().store(), record.order().tenant());
  const auto now = state_->GetRestore(record.id());
  if (now.ok() && now->state() != state::IN_DOUBT) {
    runner_.Unblock(record.order().store(), record.order().tenant());
  }
}

JobRunner::Outcome RestoreJobs::Run(const std::string& id, RunControl* control) {
  {
    MutexLock lock(&mu_);
    eta_.Started(id, clock_->Now());
  }
  postponed_.Begin(id);
  TellChanged(id, /*running=*/true);
  const absl::StatusOr<state::RestoreRecord> record = RunChecked(id, control);
  {
    MutexLock lock(&mu_);
    const bool succeeded = record.ok() && record->state() == state::SUCCEEDED;
    eta_.Ended(id, record.ok() ? record->size_bytes() : 0, succeeded, clock_->Now());
  }
  KeepDebt(governor_.Settle(id, record.ok() ? WrittenBy(*record) : StoreThrottle::Size()));
  if (record.ok() && record->state() == state::IN_DOUBT) {
    BlockInDoubt(*record);
  } else if (record.ok() && HasEnded(record->state())) {
    pins_.Unpin(*record);
  }
  if (!record.ok()) {
    LogInterrupted(id, record.status());
  } else if (record->has_wait()) {
    LogWaits(*record);
  } else {
    LogEnded(*record);
  }
  TellChanged(id, /*running=*/false);
  if (!record.ok()) {
    const auto stored = state_->GetRestore(id);
    return stored.ok() && stored->has_intent() ? JobRunner::Outcome::kUnsettled
                                               : JobRunner::Outcome::kAgain;
  }
  return record->has_wait() ? JobRunner::Outcome::kWaits : JobRunner::Outcome::kDone;
}

// --- Waiting for others ---

void RestoreJobs::TellWaits(const state::RestoreRecord& record) {
  for (JobObserver* const observer : observers_) {
    observer->RestoreWaits(record);
  }
  watchers_->Notify(record.id());
}

void RestoreJobs::OnWaits(const std::string& id) {
  const absl::StatusOr<state::RestoreRecord> record = state_->GetRestore(id);
  // What was cancelled meanwhile ends as that once it is run; what cannot be read is tried again.
  if (!record.ok() || record->cancel_requested()) {
    runner_.Release({id});
    return;
  }
  TellWaits(*record);
}

absl::Status RestoreJobs::RunAgain(const std::string& id) {
  const auto record = state_->UpdateRestore(id, [](state::RestoreRecord* stored) {
    stored->clear_wait();
    stored->clear_plan();
    return absl::OkStatus();
  });
  if (!record.ok()) {
    // Refused only if it has ended meanwhile.
    return HasReason(record.status(), Reason::kInternal) ? absl::OkStatus() : record.status();
  }
  TellWaits(*record);
  runner_.Release({id});
  return absl::OkStatus();
}

absl::Status RestoreJobs::GiveUp(const std::string& id, const state::Failure& failure) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  if (!record.has_wait() || !runner_.Remove(id)) {
    return absl::OkStatus();
  }
  record.set_started_us(record.wait().began_us());
  const auto ended = Refuse(record, failure);
  if (!ended.ok()) {
    Enqueue(record);  // it is held, as before
    return ended.status();
  }
  runner_.Release({id});
  pins_.Unpin(*ended);
  LogEnded(*ended);
  watchers_->Notify(id);
  return absl::OkStatus();
}

// --- Cancel and resolve ---

// Of a restore that bears who asked for it.
absl::Status RestoreJobs::EndCancelled(state::RestoreRecord record) {
  record.set_state(state::CANCELLED);
  record.clear_phase();
  record.clear_wait();
  record.set_finished_us(absl::ToUnixMicros(clock_->Now()));
  *record.mutable_failure() = FailureOf(MakeError(
      Reason::kCancelled,
      absl::StrCat("cancelled by ", record.cancelled_by().name(), "; nothing was changed")));
  RETURN_IF_ERROR(state_->RecordOutcome(record, std::nullopt, CancelAudit(record)));
  TellEnded(record);
  pins_.Unpin(record);
  watchers_->Notify(record.id());
  return absl::OkStatus();
}

// Of a restore that is no longer queued, so that nobody else changes it. It is read again: it may
// have run since it was looked at.
absl::Status RestoreJobs::CancelRemoved(const std::string& id, const CancelOrder& order) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  if (record.has_intent()) {
    return NotCancellable(record, "it is being committed; undo it afterwards");
  }
  MarkCancelled(order, &record);
  return EndCancelled(std::move(record));
}

absl::StatusOr<state::RestoreRecord> RestoreJobs::Cancel(const std::string& id,
                                                         const CancelOrder& order) {
  ASSIGN_OR_RETURN(const state::RestoreRecord record, Get(id));
  if (record.state() == state::CANCELLED) {
    return record;
  }
  if (HasEnded(record.state())) {
    return NotCancellable(record, "it has ended");
  }
  if (record.state() == state::IN_DOUBT) {
    return NotCancellable(record,
                          "it may have been committed; settle it with `reinstate restore "
                          "resolve`");
  }
  if (record.has_intent() || record.phase() == state::COMMITTING) {
    return NotCancellable(record, "it is being committed; undo it afterwards");
  }
  if (runner_.Remove(id)) {
    const absl::Status ended = CancelRemoved(id, order);
    if (!ended.ok()) {
      Enqueue(record);
      return ended;
    }
    runner_.Release({id});
    return Get(id);
  }
  // Stored as well, so that it is not begun again if the daemon stops before it has ended.
  const auto marked = state_->UpdateRestore(id, [&](state::RestoreRecord* stored) {
    MarkCancelled(order, stored);
    return absl::OkStatus();
  });
  runner_.Cancel(id);
  runner_.Release({id});  // what is held in the queue by then ends once it is run
  // Refused only if it has ended meanwhile: what it is now is the answer.
  return marked.ok() || HasReason(marked.status(), Reason::kInternal) ? Get(id) : marked;
}

absl::StatusOr<state::RestoreRecord> RestoreJobs::Resolve(const std::string& id, bool committed,
                                                          const state::Actor& actor,
                                                          const std::string& reason) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  // The process may have ended before it could be recorded that the call was carried out.
  if (!WasResolvedSo(record, committed, actor, reason)) {
    ASSIGN_OR_RETURN(record, engine_->Resolve(id, committed, actor, reason));
    TellEnded(record);
  }
  pins_.Unpin(record);
  runner_.Unblock(record.order().store(), record.order().tenant());
  watchers_->Notify(id);
  return record;
}

}  // namespace reinstate
