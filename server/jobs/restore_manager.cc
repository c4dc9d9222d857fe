#include "server/jobs/restore_manager.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/jobs/eta_estimator.h"
#include "server/jobs/hook_jobs.h"
#include "server/jobs/job_failure.h"
#include "server/jobs/job_log.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/order_checker.h"
#include "server/jobs/plan_jobs.h"
#include "server/jobs/restore_pins.h"
#include "server/jobs/store_governor.h"
#include "server/jobs/throttle_keeper.h"
#include "server/restore/restore_run.h"
#include "storage/base/error.h"
#include "storage/base/id_generator.h"
#include "storage/base/status_macros.h"
#include "storage/state/job_state_words.h"

namespace reinstate {
namespace {

bool HasEnded(const state::RestoreRecord& record) {
  switch (record.state()) {
    case state::SUCCEEDED:
    case state::FAILED:
    case state::CANCELLED:
    case state::UNDONE:
      return true;
    default:
      return false;
  }
}

absl::Status NotCancellable(const state::RestoreRecord& record, std::string_view why) {
  return MakeError(
      Reason::kNotCancellable,
      absl::StrCat("restore ", record.id(), " cannot be cancelled: ", std::string(why)));
}

// The first who asked stays the one who did.
void MarkCancelled(const state::Actor& actor, const std::string& reason,
                   state::RestoreRecord* record) {
  if (!record->cancel_requested()) {
    record->set_cancel_requested(true);
    *record->mutable_cancelled_by() = actor;
    record->set_cancel_reason(reason);
  }
}

// Whether this is what became of a restore that was in doubt, by the same word of the same person.
bool WasResolvedSo(const state::RestoreRecord& record, bool committed, const state::Actor& actor,
                   const std::string& reason) {
  const bool is_committed = record.state() == state::SUCCEEDED || record.state() == state::UNDONE;
  return HasEnded(record) && is_committed == committed && !record.resolved_by().empty() &&
         record.resolved_by() == actor.name() && record.resolved_reason() == reason;
}

// What the store had to bear of a restore that has ended: rolled back or not.
StoreThrottle::Size WrittenBy(const state::RestoreRecord& record) {
  return {.rows = record.plan().rows_to_change(), .bytes = record.plan().bytes_to_write()};
}

class RestoreManagerImpl final : public RestoreManager {
 public:
  RestoreManagerImpl(const RestoreManagerOptions& options, StoreRegistry* stores, History* history,
                     StateStore* state, RestoreEngine* engine)
      : options_(options),
        stores_(stores),
        state_(state),
        engine_(engine),
        pins_(stores, history),
        checker_(stores, history, state, options.clock),
        ids_(options.clock),
        hooks_(
            {.hooks = options.hooks, .first_backoff = options.hook_backoff, .clock = options.clock},
            state, &watchers_, &observers_),
        governor_({.probe_every = options.probe_every,
                   .clock = options.clock,
                   .observer = options.observer},
                  {.jobs = [this](const std::string& store) { return JobsOf(store); },
                   .ask_again = [this](const std::string& store) { restores_.AskGate(store); }}),
        restores_(
            {.threads = options.workers,
             .aging = options.aging,
             .clock = options.clock,
             .gate = &governor_},
            [this](const std::string& id, RunControl* control) { return RunRestore(id, control); },
            [this](const std::string& id, const JobRunner::View& view) { OnReport(id, view); }),
        throttles_(stores, &governor_, &restores_),
        plans_(options.clock, stores, state, engine, &watchers_) {
    if (options.observer != nullptr) {
      observers_.push_back(options.observer);
    }
  }

  ~RestoreManagerImpl() override { Shutdown(); }
  RestoreManagerImpl(const RestoreManagerImpl&) = delete;
  RestoreManagerImpl& operator=(const RestoreManagerImpl&) = delete;

  absl::Status Start() override;
  void Shutdown() override {
    restores_.Stop();
    hooks_.Shutdown();
    governor_.Shutdown();
    plans_.Shutdown();
  }

  absl::StatusOr<state::RestoreRecord> CreateRestore(const RequestKey& request,
                                                     state::RestoreOrder order,
                                                     bool validate_only) override;
  absl::StatusOr<state::RestoreRecord> CreateUndo(const RequestKey& request,
                                                  state::RestoreOrder order,
                                                  bool validate_only) override;
  absl::StatusOr<Created> CreateAll(std::vector<state::RestoreRecord>* records, bool hold,
                                    const std::function<absl::StatusOr<Created>()>& store) override;
  void Hold(const std::vector<std::string>& ids) override { restores_.Hold(ids); }
  void Release(const std::vector<std::string>& ids) override { restores_.Release(ids); }
  absl::Status SetPriority(const std::string& id, int32_t priority) override;
  void Observe(JobObserver* observer) override {
    observers_.push_back(observer);
    plans_.Observe(observer);
  }
  absl::StatusOr<state::PlanRecord> CreatePlan(const RequestKey& request,
                                               state::RestoreOrder order) override;
  absl::StatusOr<state::PlanRecord> GetPlan(const std::string& id) const override {
    return plans_.Get(id);
  }
  absl::StatusOr<state::RestoreRecord> GetRestore(const std::string& id) const override;
  absl::StatusOr<std::vector<state::RestoreRecord>> ListRestores(const RestoreFilter& filter,
                                                                 const std::string& after,
                                                                 int64_t limit) const override;
  absl::StatusOr<state::RestoreRecord> CancelRestore(const std::string& id,
                                                     const state::Actor& actor,
                                                     const std::string& reason) override;
  absl::StatusOr<state::RestoreRecord> ResolveRestore(const std::string& id, bool committed,
                                                      const state::Actor& actor,
                                                      const std::string& reason) override;
  Eta EstimateEnd(const state::RestoreRecord& record) const override;
  std::map<std::string, Load> Loads() const override;
  absl::Status SetThrottle(const std::string& store, const state::Throttle& throttle,
                           const state::Actor& actor, const std::string& reason) override {
    return throttles_.Set(store, throttle, actor, reason);
  }
  std::optional<std::string> HoldingBack(const std::string& store) const override {
    const std::optional<StoreGovernor::Hold> hold = governor_.HoldingBack(store);
    return hold.has_value() ? std::optional<std::string>(hold->sentence) : std::nullopt;
  }
  Watch WatchJob(const std::string& id, std::function<void()> on_change) override {
    return watchers_.Watch(id, std::move(on_change));
  }

 private:
  using CheckedRecord = absl::StatusOr<state::RestoreRecord>;

  // The restore or plan that `request` has made before, or nullopt.
  absl::StatusOr<std::optional<std::string>> Earlier(const RequestKey& request) const {
    return state_->FindRequest(request);
  }
  absl::StatusOr<state::RestoreRecord> Enqueue(const RequestKey& request,
                                               state::RestoreRecord record);
  absl::Status Resume(const state::RestoreRecord& record);
  absl::Status EndCancelled(state::RestoreRecord record);
  absl::Status CancelRemoved(const std::string& id, const state::Actor& actor,
                             const std::string& reason);

  JobRunner::Outcome RunRestore(const std::string& id, RunControl* control);
  absl::StatusOr<state::RestoreRecord> RunChecked(const std::string& id, RunControl* control);
  absl::StatusOr<state::RestoreRecord> Refuse(state::RestoreRecord record,
                                              const absl::Status& cause);
  absl::StatusOr<state::RestoreRecord> EndUnbegun(const std::string& id, const absl::Status& why);
  void BlockInDoubt(const state::RestoreRecord& record);
  void OnReport(const std::string& id, const JobRunner::View& view);
  void AddPresent(state::RestoreRecord* record) const;
  void TellEnded(const state::RestoreRecord& record);
  // The restore `id` has begun, has moved on, or has left its worker.
  void TellChanged(const std::string& id, bool running);

  StoreGovernor::Jobs JobsOf(const std::string& store) const;

  static Scheduler::Job ToJob(const state::RestoreRecord& record);

  const RestoreManagerOptions options_;
  StoreRegistry* const stores_;
  StateStore* const state_;
  RestoreEngine* const engine_;
  RestorePins pins_;
  const OrderChecker checker_;
  IdGenerator ids_;
  JobWatchers watchers_;
  std::vector<JobObserver*> observers_;  // borrowed
  mutable Mutex mu_;
  EtaEstimator eta_ ABSL_GUARDED_BY(mu_);
  HookJobs hooks_;
  StoreGovernor governor_;  // its threads use the runner: both are shut down before either ends
  JobRunner restores_;      // after all that its threads use
  ThrottleKeeper throttles_;
  PlanJobs plans_;
};

// --- Start ---

Scheduler::Job RestoreManagerImpl::ToJob(const state::RestoreRecord& record) {
  return {.id = record.id(),
          .store = record.order().store(),
          .tenant = record.order().tenant(),
          .priority = record.order().priority(),
          .size_rows = record.size_rows(),
          .size_bytes = record.size_bytes(),
          .queued = absl::FromUnixMicros(record.created_us())};
}

absl::Status RestoreManagerImpl::Start() {
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
  restores_.Start();
  governor_.Start();
  return plans_.Start();
}

absl::Status RestoreManagerImpl::Resume(const state::RestoreRecord& record) {
  switch (record.state()) {
    case state::IN_DOUBT:
      restores_.Block(record.order().store(), record.order().tenant());
      return absl::OkStatus();
    case state::QUEUED:
      // What was cancelled before its commit, when the daemon was stopped.
      if (record.cancel_requested() && !record.has_intent()) {
        return EndCancelled(record);
      }
      restores_.Add(ToJob(record));
      return absl::OkStatus();
    default:
      return MakeError(
          Reason::kInternal,
          absl::StrCat("restore ", record.id(), " is stored in state ",
                       JobStateWords(record.state()), ", from which this version cannot go on"));
  }
}

StoreGovernor::Jobs RestoreManagerImpl::JobsOf(const std::string& store) const {
  const std::map<std::string, Scheduler::Depth> depths = restores_.Depths();
  const auto found = depths.find(store);
  return found == depths.end() ? StoreGovernor::Jobs()
                               : StoreGovernor::Jobs{.queued = found->second.queued,
                                                     .running = found->second.running};
}

// --- Orders ---

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::Enqueue(const RequestKey& request,
                                                                 state::RestoreRecord record) {
  record.set_id(ids_.Next("rst"));
  hooks_.Prepare(&record);
  RETURN_IF_ERROR(pins_.Pin(record));
  const bool undo = !record.order().undo_of().empty();
  const absl::StatusOr<Created> created = state_->CreateRestore(
      request, record, RestoreAudit(record, undo ? "undo.created" : "restore.created"));
  if (!created.ok() || created->existed) {
    pins_.Unpin(record);
  }
  RETURN_IF_ERROR(created.status());
  ASSIGN_OR_RETURN(state::RestoreRecord stored, state_->GetRestore(created->id));
  if (!created->existed) {
    restores_.Add(ToJob(stored));
  }
  return stored;
}

absl::StatusOr<Created> RestoreManagerImpl::CreateAll(
    std::vector<state::RestoreRecord>* records, bool hold,
    const std::function<absl::StatusOr<Created>()>& store) {
  std::vector<std::string> ids;
  absl::Status pinned;
  for (state::RestoreRecord& record : *records) {
    hooks_.Prepare(&record);
    pinned = pins_.Pin(record);
    if (!pinned.ok()) {
      break;
    }
    ids.push_back(record.id());
  }
  // Until all are queued: the first must not begin only because they are the first.
  restores_.Hold(ids);
  absl::StatusOr<Created> created = pinned.ok() ? store() : pinned;
  if (!created.ok() || created->existed) {
    restores_.Release(ids);
    for (size_t i = 0; i < ids.size(); ++i) {
      pins_.Unpin((*records)[i]);
    }
    return created;
  }
  const absl::Time now = options_.clock->Now();
  for (const state::RestoreRecord& record : *records) {
    Scheduler::Job job = ToJob(record);
    job.queued = now;
    restores_.Add(std::move(job));
  }
  if (!hold) {
    restores_.Release(ids);
  }
  return created;
}

absl::Status RestoreManagerImpl::SetPriority(const std::string& id, int32_t priority) {
  ASSIGN_OR_RETURN(const state::RestoreRecord record, state_->GetRestore(id));
  if (HasEnded(record)) {
    return absl::OkStatus();
  }
  const auto changed = state_->UpdateRestore(id, [&](state::RestoreRecord* stored) {
    stored->mutable_order()->set_priority(priority);
    return absl::OkStatus();
  });
  restores_.SetPriority(id, priority);
  // Refused only if it has ended meanwhile.
  return changed.ok() || HasReason(changed.status(), Reason::kInternal) ? absl::OkStatus()
                                                                        : changed.status();
}

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::CreateRestore(const RequestKey& request,
                                                                       state::RestoreOrder order,
                                                                       bool validate_only) {
  // First of all, since what is checked below may have changed since the same call came before.
  ASSIGN_OR_RETURN(const auto earlier, Earlier(request));
  if (earlier.has_value()) {
    return GetRestore(*earlier);
  }
  ASSIGN_OR_RETURN(state::RestoreRecord record,
                   checker_.CheckRestore(std::move(order), OrderChecker::Consents::kRequired));
  if (validate_only) {
    return record;
  }
  return Enqueue(request, std::move(record));
}

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::CreateUndo(const RequestKey& request,
                                                                    state::RestoreOrder order,
                                                                    bool validate_only) {
  ASSIGN_OR_RETURN(const auto earlier, Earlier(request));
  if (earlier.has_value()) {
    return GetRestore(*earlier);
  }
  ASSIGN_OR_RETURN(state::RestoreRecord record, checker_.CheckUndo(std::move(order)));
  if (validate_only) {
    return record;
  }
  return Enqueue(request, std::move(record));
}

absl::StatusOr<state::PlanRecord> RestoreManagerImpl::CreatePlan(const RequestKey& request,
                                                                 state::RestoreOrder order) {
  ASSIGN_OR_RETURN(const auto earlier, Earlier(request));
  if (earlier.has_value()) {
    return GetPlan(*earlier);
  }
  ASSIGN_OR_RETURN(const state::RestoreRecord checked,
                   order.undo_of().empty()
                       ? checker_.CheckRestore(std::move(order), OrderChecker::Consents::kShown)
                       : checker_.CheckUndo(std::move(order)));
  return plans_.Create(request, checked);
}

// --- Reading ---

void RestoreManagerImpl::AddPresent(state::RestoreRecord* record) const {
  if (HasEnded(*record) || record->state() == state::IN_DOUBT) {
    return;
  }
  const auto view = restores_.Find(record->id());
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

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::GetRestore(const std::string& id) const {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  AddPresent(&record);
  return record;
}

absl::StatusOr<std::vector<state::RestoreRecord>> RestoreManagerImpl::ListRestores(
    const RestoreFilter& filter, const std::string& after, int64_t limit) const {
  ASSIGN_OR_RETURN(auto records, state_->ListRestores(filter, after, limit));
  for (state::RestoreRecord& record : records) {
    AddPresent(&record);
  }
  return records;
}

RestoreManager::Eta RestoreManagerImpl::EstimateEnd(const state::RestoreRecord& record) const {
  EtaEstimator::Estimate estimate;
  const absl::Time now = options_.clock->Now();
  const int64_t bytes_up_to = restores_.BytesUpTo(record.id());
  MutexLock lock(&mu_);
  if (record.state() == state::RUNNING) {
    estimate = eta_.Running(record.id(), now);
  } else if (record.state() == state::QUEUED) {
    estimate = eta_.Queued(bytes_up_to, options_.workers);
  }
  return {.known = estimate.known,
          .rows_per_second = estimate.rows_per_second,
          .low = estimate.low,
          .high = estimate.high};
}

std::map<std::string, RestoreManager::Load> RestoreManagerImpl::Loads() const {
  std::map<std::string, Load> loads;
  for (const auto& [store, depth] : restores_.Depths()) {
    // A tenant is blocked while one restore of it is in doubt.
    loads[store] = {
        .queued = depth.queued, .running = depth.running, .in_doubt = depth.blocked_tenants};
  }
  return loads;
}

// --- Running ---

void RestoreManagerImpl::TellEnded(const state::RestoreRecord& record) {
  for (JobObserver* const observer : observers_) {
    observer->RestoreEnded(record);
  }
  hooks_.Follow(record);
}

void RestoreManagerImpl::TellChanged(const std::string& id, bool running) {
  for (JobObserver* const observer : observers_) {
    observer->RestoreChanged(id, running);
  }
  watchers_.Notify(id);
}

void RestoreManagerImpl::OnReport(const std::string& id, const JobRunner::View& view) {
  {
    MutexLock lock(&mu_);
    eta_.Progressed(id, view.progress);
  }
  TellChanged(id, /*running=*/true);
}

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::Refuse(state::RestoreRecord record,
                                                                const absl::Status& cause) {
  record.set_state(state::FAILED);
  record.clear_phase();
  *record.mutable_failure() = FailureOf(cause);
  record.set_finished_us(absl::ToUnixMicros(options_.clock->Now()));
  RETURN_IF_ERROR(
      state_->RecordOutcome(record, std::nullopt, RestoreAudit(record, "restore.failed")));
  TellEnded(record);
  return record;
}

// Of a restore that `why` kept from beginning while the hooks before it were run.
absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::EndUnbegun(const std::string& id,
                                                                    const absl::Status& why) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  if (HasReason(why, Reason::kHookFailed)) {
    return Refuse(std::move(record), why);
  }
  if (!HasReason(why, Reason::kCancelled)) {
    return why;
  }
  RETURN_IF_ERROR(EndCancelled(record));
  return state_->GetRestore(id);
}

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::RunChecked(const std::string& id,
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
    return record.has_intent() ? store.status() : Refuse(std::move(record), store.status());
  }
  const absl::Status identity = stores_->CheckIdentity(name);
  if (!identity.ok() && !HasReason(identity, Reason::kUnavailable) && !record.has_intent()) {
    return Refuse(std::move(record), identity);
  }
  if (const absl::Status hooks = hooks_.RunBefore(record, control); !hooks.ok()) {
    return EndUnbegun(id, hooks);
  }
  ASSIGN_OR_RETURN(state::RestoreRecord ended, engine_->Run(id, (*store)->live, control));
  TellEnded(ended);
  return ended;
}

// Somebody may have settled it between its record and the block, and lifted what was not there yet.
void RestoreManagerImpl::BlockInDoubt(const state::RestoreRecord& record) {
  restores_.Block(record.order().store(), record.order().tenant());
  const auto now = state_->GetRestore(record.id());
  if (now.ok() && now->state() != state::IN_DOUBT) {
    restores_.Unblock(record.order().store(), record.order().tenant());
  }
}

JobRunner::Outcome RestoreManagerImpl::RunRestore(const std::string& id, RunControl* control) {
  {
    MutexLock lock(&mu_);
    eta_.Started(id, options_.clock->Now());
  }
  TellChanged(id, /*running=*/true);
  const absl::StatusOr<state::RestoreRecord> record = RunChecked(id, control);
  {
    MutexLock lock(&mu_);
    const bool succeeded = record.ok() && record->state() == state::SUCCEEDED;
    eta_.Ended(id, record.ok() ? record->size_bytes() : 0, succeeded, options_.clock->Now());
  }
  governor_.Settle(id, record.ok() ? WrittenBy(*record) : StoreThrottle::Size());
  if (record.ok() && record->state() == state::IN_DOUBT) {
    BlockInDoubt(*record);
  } else if (record.ok()) {
    pins_.Unpin(*record);
  }
  if (record.ok()) {
    LogEnded(*record);
  } else {
    LogInterrupted(id, record.status());
  }
  TellChanged(id, /*running=*/false);
  return record.ok() ? JobRunner::Outcome::kDone : JobRunner::Outcome::kAgain;
}

// --- Cancel and resolve ---

// Of a restore that bears who asked for it.
absl::Status RestoreManagerImpl::EndCancelled(state::RestoreRecord record) {
  record.set_state(state::CANCELLED);
  record.clear_phase();
  record.set_finished_us(absl::ToUnixMicros(options_.clock->Now()));
  *record.mutable_failure() = FailureOf(MakeError(
      Reason::kCancelled,
      absl::StrCat("cancelled by ", record.cancelled_by().name(), "; nothing was changed")));
  RETURN_IF_ERROR(state_->RecordOutcome(record, std::nullopt, CancelAudit(record)));
  TellEnded(record);
  pins_.Unpin(record);
  watchers_.Notify(record.id());
  return absl::OkStatus();
}

// Of a restore that is no longer queued, so that nobody else changes it. It is read again: it may
// have run since it was looked at.
absl::Status RestoreManagerImpl::CancelRemoved(const std::string& id, const state::Actor& actor,
                                               const std::string& reason) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  if (record.has_intent()) {
    return NotCancellable(record, "it is being committed; undo it afterwards");
  }
  MarkCancelled(actor, reason, &record);
  return EndCancelled(std::move(record));
}

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::CancelRestore(const std::string& id,
                                                                       const state::Actor& actor,
                                                                       const std::string& reason) {
  ASSIGN_OR_RETURN(const state::RestoreRecord record, GetRestore(id));
  if (record.state() == state::CANCELLED) {
    return record;
  }
  if (HasEnded(record)) {
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
  if (restores_.Remove(id)) {
    const absl::Status ended = CancelRemoved(id, actor, reason);
    if (!ended.ok()) {
      restores_.Add(ToJob(record));
      return ended;
    }
    return GetRestore(id);
  }
  // Stored as well, so that it is not begun again if the daemon stops before it has ended.
  const auto marked = state_->UpdateRestore(id, [&](state::RestoreRecord* stored) {
    MarkCancelled(actor, reason, stored);
    return absl::OkStatus();
  });
  restores_.Cancel(id);
  // Refused only if it has ended meanwhile: what it is now is the answer.
  return marked.ok() || HasReason(marked.status(), Reason::kInternal) ? GetRestore(id) : marked;
}

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::ResolveRestore(const std::string& id,
                                                                        bool committed,
                                                                        const state::Actor& actor,
                                                                        const std::string& reason) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  // The process may have ended before it could be recorded that the call was carried out.
  if (!WasResolvedSo(record, committed, actor, reason)) {
    ASSIGN_OR_RETURN(record, engine_->Resolve(id, committed, actor, reason));
    TellEnded(record);
  }
  pins_.Unpin(record);
  restores_.Unblock(record.order().store(), record.order().tenant());
  watchers_.Notify(id);
  return record;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RestoreManager>> RestoreManager::Create(
    const RestoreManagerOptions& options, StoreRegistry* stores, History* history,
    StateStore* state, RestoreEngine* engine) {
  if (options.workers < 1) {
    return MakeError(
        Reason::kConfigInvalid,
        absl::StrCat("the number of workers must be at least 1, not ", options.workers));
  }
  return std::make_unique<RestoreManagerImpl>(options, stores, history, state, engine);
}

}  // namespace reinstate
