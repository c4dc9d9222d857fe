#include "server/restore/restore_run.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/restore/bound_identity.h"
#include "server/restore/certificate.h"
#include "server/restore/evidence.h"
#include "server/restore/plan_consents.h"
#include "server/restore/restore_audit.h"
#include "server/restore/restore_planner.h"
#include "server/restore/undo_planner.h"
#include "server/restore/undo_writer.h"
#include "server/restore/verifier.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// Planning, applying and reading back each go over the tenant once.
constexpr int kPasses = 3;
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(20);
constexpr absl::Duration kLongestBackoff = absl::Seconds(10);

absl::Duration Backoff(int attempt) {
  return std::min(kLongestBackoff, kFirstBackoff * (int64_t{1} << std::min(attempt, 20)));
}

// Whether another attempt can end better.
bool IsTransient(const absl::Status& status) {
  return HasReason(status, Reason::kLiveChanged) || HasReason(status, Reason::kTenantBusy) ||
         HasReason(status, Reason::kUnavailable) || HasReason(status, Reason::kSessionLost);
}

// Whether another try can say what became of a commit. Nobody cancels a settlement: its session was
// ended by somebody else then.
bool IsToBeAskedAgain(const absl::Status& status) {
  return HasReason(status, Reason::kCancelled) || IsTransient(status);
}

// Whether a failed Commit says that nothing was committed.
bool SurelyRolledBack(const absl::Status& status) {
  return HasReason(status, Reason::kLiveChanged) || HasReason(status, Reason::kDeadlineExceeded);
}

state::Failure ToFailure(const absl::Status& status) {
  state::Failure failure;
  failure.set_reason(ReasonOf(status));
  failure.set_message(std::string(status.message()));
  failure.set_code(static_cast<int>(status.code()));
  failure.set_retryable(IsTransient(status) ||
                        status.code() == absl::StatusCode::kDeadlineExceeded ||
                        status.code() == absl::StatusCode::kResourceExhausted);
  return failure;
}

bool IsUndo(const state::RestoreRecord& record) { return !record.order().undo_of().empty(); }

// A restore writes several times its rows to the log: indexes, and whole pages.
constexpr int64_t kLogPerByte = 4;

void WarnOfHealth(const StoreHealth& health, state::PlanSummary* summary) {
  if (!health.writable || !health.pressure.empty()) {
    summary->add_warnings(
        absl::StrCat("The store could not take the restore now: ", health.detail));
  }
  const int64_t log_bytes = summary->bytes_to_write() * kLogPerByte;
  if (health.log_headroom_bytes.has_value() && *health.log_headroom_bytes < log_bytes) {
    summary->add_warnings(
        absl::StrCat("The store's log may take ", *health.log_headroom_bytes,
                     " more bytes before a replication slot is lost; the restore may write about ",
                     log_bytes, ". Let the slot's reader catch up first, or give it more room."));
  }
}

}  // namespace

RestoreRun::~RestoreRun() { Close(); }

absl::Status RestoreRun::Hit(const char* place) const {
  FaultPoints* const faults = parts_.options->faults;
  return faults == nullptr ? absl::OkStatus() : faults->Hit(place);
}

ShouldEnd RestoreRun::ShouldEndWait() const {
  return [control = parts_.control] { return control->CheckWait(); };
}

absl::Status RestoreRun::Open() {
  Close();
  ASSIGN_OR_RETURN(const TenantId tenant, TenantId::Parse(record_.order().tenant()));
  ASSIGN_OR_RETURN(session_,
                   parts_.store->OpenTenant(tenant, {.purpose = record_.id(),
                                                     .lock_timeout = parts_.options->lock_timeout,
                                                     .should_end = ShouldEndWait()}));
  parts_.control->Attach(session_.get());
  return absl::OkStatus();
}

void RestoreRun::Close() {
  parts_.control->Attach(nullptr);
  session_.reset();
}

// Asked with the session open: by then another store may have the address of the one that was
// checked when the job began.
absl::Status RestoreRun::CheckStore() {
  ASSIGN_OR_RETURN(identity_, parts_.store->IdentityUnless(ShouldEndWait()));
  return CheckBoundIdentity(*parts_.state, record_.order().store(), identity_);
}

absl::StatusOr<TenantPlan> RestoreRun::MakePlan(bool find_conflicts, ProgressMeter* meter) {
  const state::RestoreOrder& order = record_.order();
  const std::string& folder = parts_.options->spill_path;
  const int64_t memory = parts_.options->memory_budget_bytes;
  if (IsUndo(record_)) {
    ASSIGN_OR_RETURN(const state::RestoreRecord undone, parts_.state->GetRestore(order.undo_of()));
    return UndoPlanner(folder, memory)
        .Plan(undone, *parts_.state, parts_.store, session_.get(), meter);
  }
  if (point_ == nullptr) {
    ASSIGN_OR_RETURN(const SnapshotId snapshot, SnapshotId::Parse(order.point().snapshot()));
    ASSIGN_OR_RETURN(point_, parts_.history->OpenPoint(snapshot));
  }
  return RestorePlanner(folder, memory)
      .Plan(order,
            {.point = point_.get(),
             .store = parts_.store,
             .session = session_.get(),
             .find_conflicts = find_conflicts},
            meter);
}

absl::StatusOr<state::PlanSummary> RestoreRun::PlanOnly() {
  RETURN_IF_ERROR(Open());
  RETURN_IF_ERROR(CheckStore());
  RETURN_IF_ERROR(session_->Begin());
  ProgressMeter meter(parts_.control, /*passes=*/1, record_.size_rows(), record_.size_bytes());
  ASSIGN_OR_RETURN(TenantPlan plan, MakePlan(/*find_conflicts=*/true, &meter));
  RETURN_IF_ERROR(session_->Rollback());
  WarnOfHealth(parts_.store->ProbeHealth(), &plan.summary);
  return std::move(plan.summary);
}

absl::Status RestoreRun::ApplyActions(const TenantPlan& plan, ProgressMeter* meter,
                                      state::Intent* intent) {
  meter->BeginPass(state::APPLYING, plan.actions.size(), plan.summary.bytes_to_write());
  const int64_t deletions = plan.actions.count(ChangeKind::kDelete);
  EvidenceCollector evidence(deletions, plan.actions.size() - deletions);
  UndoWriter undo(parts_.state, record_.id());
  Change change;
  RETURN_IF_ERROR(plan.actions.ForEach([&](const Action& action) -> absl::Status {
    RETURN_IF_ERROR(Hit("restore.applying"));
    const PlannedTable& planned = plan.tables[action.table];
    const std::string& table = planned.identity;
    change.kind = action.kind;
    change.table = table;
    change.key.Assign(action.key);
    change.old_payload = action.old_payload;
    change.new_payload = action.new_payload;
    RETURN_IF_ERROR(session_->Apply(change));
    // An undo is not undone: it is once.
    if (!IsUndo(record_)) {
      RETURN_IF_ERROR(undo.Add(action, table));
    }
    evidence.Add(action, table, planned.is_all_key);
    return meter->Tick(static_cast<int64_t>(action.key.size() + action.new_payload.size()));
  }));
  *intent->mutable_evidence() = std::move(evidence).Finish();
  return undo.Finish(intent);
}

absl::Status RestoreRun::Verify(const TenantPlan& plan, ProgressMeter* meter,
                                state::Intent* intent) {
  meter->BeginPass(state::VERIFYING, plan.expected_rows(), record_.size_bytes());
  RETURN_IF_ERROR(Hit("restore.verifying"));
  Verifier::Yardstick yardstick{.point = point_.get()};
  ASSIGN_OR_RETURN(yardstick.tenant, TenantId::Parse(record_.order().tenant()));
  if (!IsUndo(record_)) {
    yardstick.promise = record_.order().mode() == state::MIRROR
                            ? Verifier::Promise::kEqualsPoint
                            : Verifier::Promise::kEveryKeyIsThere;
  }
  ASSIGN_OR_RETURN(std::vector<state::TableFinding> findings,
                   Verifier::ReadBack(plan, yardstick, session_.get(), meter));
  for (state::TableFinding& finding : findings) {
    *intent->add_findings() = std::move(finding);
  }
  return absl::OkStatus();
}

absl::Status RestoreRun::Attempt() {
  if (session_ == nullptr) {
    RETURN_IF_ERROR(Open());
  }
  RETURN_IF_ERROR(CheckStore());
  // Asked of a store that has just answered: nothing would end the wait for one that does not.
  find_conflicts_ = find_conflicts_ || !parts_.store->Capabilities().keys_span_tenants;
  RETURN_IF_ERROR(session_->Begin());
  ProgressMeter meter(parts_.control, kPasses, record_.size_rows(), record_.size_bytes());
  RETURN_IF_ERROR(Hit("restore.planning"));
  ASSIGN_OR_RETURN(const TenantPlan plan, MakePlan(find_conflicts_, &meter));
  *record_.mutable_plan() = plan.summary;
  parts_.control->ReportPlan(plan.summary);
  RETURN_IF_ERROR(CheckConsents(record_.order(), plan.summary));

  state::Intent intent;
  *intent.mutable_plan() = plan.summary;
  intent.set_live_identity(identity_.id);
  intent.set_attempt(record_.attempts());
  if (point_ != nullptr) {
    intent.set_snapshot_root_digest_hex(absl::BytesToHexString(point_->snapshot().root_digest));
  }
  RETURN_IF_ERROR(ApplyActions(plan, &meter, &intent));
  RETURN_IF_ERROR(Verify(plan, &meter, &intent));
  ASSIGN_OR_RETURN(CommitToken token, session_->Seal());
  intent.set_commit_token(std::move(token.bytes));
  for (std::string& exception : session_->Exceptions()) {
    intent.add_exceptions(std::move(exception));
  }
  RETURN_IF_ERROR(CommitWithIntent(std::move(intent)));
  if (certificate_.has_value() && record_.order().mode() == state::MIRROR && !IsUndo(record_)) {
    LookAgain(plan, *certificate_);
  }
  return absl::OkStatus();
}

absl::Status RestoreRun::CommitWithIntent(state::Intent intent) {
  RETURN_IF_ERROR(parts_.control->EnterCommit());
  parts_.control->ReportPhase(state::COMMITTING);
  absl::Status status = Hit("restore.before_intent");
  if (status.ok()) {
    status = parts_.state->RecordIntent(record_.id(), intent);
  }
  if (!status.ok()) {
    parts_.control->LeaveCommit();
    return status;
  }
  *record_.mutable_intent() = std::move(intent);
  status = Hit("restore.after_intent");
  if (status.ok()) {
    status = session_->Commit(Now() + parts_.options->commit_timeout);
  }
  if (status.ok()) {
    status = Hit("restore.after_commit");
  }
  if (status.ok()) {
    return RecordSuccess(/*by_evidence=*/false);
  }
  if (SurelyRolledBack(status)) {
    RETURN_IF_ERROR(parts_.state->ClearIntent(record_.id()));
    record_.clear_intent();
    parts_.control->LeaveCommit();
    return status;
  }
  ASSIGN_OR_RETURN(const Settlement settlement, SettleIntent());
  if (settlement == Settlement::kRecorded) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kSessionLost,
                   absl::StrCat("the commit did not happen: ", status.message()));
}

absl::StatusOr<CommitOutcome> RestoreRun::FindOutcome() {
  RETURN_IF_ERROR(Open());
  ASSIGN_OR_RETURN(identity_, parts_.store->IdentityUnless(ShouldEndWait()));
  if (identity_.id != record_.intent().live_identity()) {
    return MakeError(Reason::kStoreIdentityChanged,
                     "the store is not the one that the restore was committed to; it cannot say "
                     "what became of it");
  }
  ASSIGN_OR_RETURN(const CommitOutcome outcome,
                   session_->Resolve({.bytes = record_.intent().commit_token()}));
  if (outcome != CommitOutcome::kNotKnown) {
    return outcome;
  }
  ASSIGN_OR_RETURN(const TenantMap map, parts_.store->Catalog());
  RETURN_IF_ERROR(session_->Begin());
  ASSIGN_OR_RETURN(const CommitOutcome judged,
                   JudgeEvidence(record_.intent().evidence(), map, session_.get()));
  RETURN_IF_ERROR(session_->Rollback());
  return judged;
}

absl::StatusOr<RestoreRun::Settlement> RestoreRun::SettleIntent() {
  parts_.control->EnterSettlement();
  parts_.control->ReportPhase(state::COMMITTING);
  for (int attempt = 0;; ++attempt) {
    const absl::StatusOr<CommitOutcome> outcome = FindOutcome();
    if (HasReason(outcome.status(), Reason::kShuttingDown)) {
      return outcome.status();  // the next run goes on with it
    }
    if (IsToBeAskedAgain(outcome.status())) {
      Close();
      // A store that does not answer settles nothing, and leaves no doubt either: it is asked
      // again.
      if (attempt + 1 >= parts_.options->max_attempts) {
        return MakeError(Reason::kUnavailable,
                         absl::StrCat("what became of the commit is not known yet: ",
                                      outcome.status().message()));
      }
      RETURN_IF_ERROR(parts_.control->SleepInSettlement(Backoff(attempt)));
      continue;
    }
    if (outcome.ok() && *outcome == CommitOutcome::kCommitted) {
      RETURN_IF_ERROR(RecordSuccess(/*by_evidence=*/true));
      return Settlement::kRecorded;
    }
    if (outcome.ok() && *outcome == CommitOutcome::kNotCommitted) {
      RETURN_IF_ERROR(parts_.state->ClearIntent(record_.id()));
      record_.clear_intent();
      parts_.control->LeaveCommit();
      return Settlement::kRunAgain;
    }
    RETURN_IF_ERROR(RecordInDoubt(outcome.status()));
    return Settlement::kRecorded;
  }
}

// While an intent is open the rows may be committed: another attempt would throw their undo away.
// The next run settles it.
bool RestoreRun::RunsAgain(const absl::Status& status) {
  const bool looked = std::exchange(find_conflicts_, true);
  // How a row ends that is in the way of others, or has no partition; and a plan that has
  // conflicts, whose digest is another one without them.
  const bool unexplained = !looked && (HasReason(status, Reason::kKeyConflict) ||
                                       HasReason(status, Reason::kUnsupported) ||
                                       HasReason(status, Reason::kPlanChanged));
  return !record_.has_intent() && (IsTransient(status) || unexplained);
}

absl::Status RestoreRun::RunAttempts() {
  absl::Status status;
  find_conflicts_ = IsUndo(record_) || parts_.options->max_attempts == 1;
  for (int attempt = 0; attempt < parts_.options->max_attempts; ++attempt) {
    if (attempt > 0) {
      RETURN_IF_ERROR(parts_.state->DiscardUndo(record_.id()));
      RETURN_IF_ERROR(parts_.control->Sleep(Backoff(attempt)));
    }
    record_.set_attempts(record_.attempts() + 1);
    status = Attempt();
    if (HasReason(status, Reason::kCancelled)) {
      // The session only knows that it was cut short; the control knows what for. If by somebody
      // else, as by an administrator of the store, that is no order to us.
      RETURN_IF_ERROR(parts_.control->Check());
      status = MakeError(Reason::kSessionLost,
                         absl::StrCat("somebody else has ended what it did: ", status.message()));
    }
    if (status.ok() || !RunsAgain(status)) {
      return status;
    }
    // The lock is kept over attempts unless the session is of no use any more.
    if (session_ != nullptr && !session_->Rollback().ok()) {
      Close();
    }
  }
  const bool lost_races =
      HasReason(status, Reason::kLiveChanged) || HasReason(status, Reason::kTenantBusy);
  return MakeError(
      lost_races ? Reason::kTenantBusy : Reason::kUnavailable,
      absl::StrCat("gave up after ", parts_.options->max_attempts,
                   " attempts; nothing was changed; the last one ended with: ", status.message()));
}

absl::StatusOr<state::RestoreRecord> RestoreRun::Run() {
  // That it runs is not stored: who runs it knows, and after a crash it is queued again.
  if (record_.started_us() == 0) {
    record_.set_started_us(absl::ToUnixMicros(Now()));
  }
  if (record_.has_intent()) {
    ASSIGN_OR_RETURN(const Settlement settlement, SettleIntent());
    if (settlement == Settlement::kRecorded) {
      return record_;
    }
  }
  const absl::Status status = RunAttempts();
  return status.ok() ? record_ : EndWith(status);
}

absl::StatusOr<state::RestoreRecord> RestoreRun::EndWith(const absl::Status& cause) {
  Close();
  // An intent that is still there says that the outcome could not be recorded: the next run settles
  // it.
  if (record_.has_intent()) {
    return cause;
  }
  RETURN_IF_ERROR(parts_.state->DiscardUndo(record_.id()));
  if (HasReason(cause, Reason::kShuttingDown) || HasReason(cause, Reason::kUnavailable)) {
    return cause;
  }
  if (HasReason(cause, Reason::kKeyConflict) && !record_.order().batch().empty()) {
    RETURN_IF_ERROR(RecordWait(cause));
    return record_;
  }
  RETURN_IF_ERROR(
      RecordEnd(HasReason(cause, Reason::kCancelled) ? state::CANCELLED : state::FAILED, cause));
  return record_;
}

absl::Status RestoreRun::RecordWait(const absl::Status& cause) {
  state::Wait wait;
  *wait.mutable_cause() = ToFailure(cause);
  wait.set_began_us(record_.started_us());
  ASSIGN_OR_RETURN(record_,
                   parts_.state->UpdateRestore(record_.id(), [&](state::RestoreRecord* stored) {
                     *stored->mutable_wait() = wait;
                     *stored->mutable_plan() = record_.plan();
                     stored->set_attempts(record_.attempts());
                     return absl::OkStatus();
                   }));
  return absl::OkStatus();
}

absl::Status RestoreRun::RecordEnd(state::JobState end, const absl::Status& cause) {
  record_.set_state(end);
  record_.clear_phase();
  record_.clear_wait();
  *record_.mutable_failure() = ToFailure(cause);
  record_.set_finished_us(absl::ToUnixMicros(Now()));
  if (end != state::CANCELLED) {
    return parts_.state->RecordOutcome(record_, std::nullopt,
                                       RestoreAudit(record_, "restore.failed"));
  }
  // Who asked for it was stored while this ran.
  ASSIGN_OR_RETURN(const state::RestoreRecord stored, parts_.state->GetRestore(record_.id()));
  record_.set_cancel_requested(stored.cancel_requested());
  *record_.mutable_cancelled_by() = stored.cancelled_by();
  record_.set_cancel_reason(stored.cancel_reason());
  record_.set_cancelled_alone(stored.cancelled_alone());
  return parts_.state->RecordOutcome(record_, std::nullopt, CancelAudit(record_));
}

absl::Status RestoreRun::RecordSuccess(bool by_evidence) {
  // The store is not asked again: it may be gone by now, and what is committed has to be recorded.
  *record_.mutable_plan() = record_.intent().plan();
  state::Certificate certificate = MakeCertificate(record_, identity_, Now(), by_evidence);
  record_.set_state(state::SUCCEEDED);
  record_.clear_phase();
  record_.clear_wait();
  record_.clear_failure();
  record_.set_finished_us(absl::ToUnixMicros(Now()));
  if (!IsUndo(record_)) {
    record_.set_undo_expires_us(absl::ToUnixMicros(Now() + parts_.options->undo_validity));
  }
  RETURN_IF_ERROR(parts_.state->RecordOutcome(record_, certificate,
                                              RestoreAudit(record_, "restore.succeeded")));
  certificate_ = std::move(certificate);
  return absl::OkStatus();
}

absl::Status RestoreRun::RecordInDoubt(const absl::Status& cause) {
  Close();
  record_.set_state(state::IN_DOUBT);
  record_.clear_phase();
  record_.clear_wait();
  *record_.mutable_failure() = ToFailure(
      MakeError(Reason::kCommitUnknown,
                absl::StrCat("it cannot be established whether the commit happened",
                             cause.ok() ? "" : absl::StrCat(" (", cause.message(), ")"),
                             "; look at the tenant and settle it with `reinstate restore resolve ",
                             record_.id(), "`")));
  return parts_.state->RecordOutcome(record_, std::nullopt,
                                     RestoreAudit(record_, "restore.in_doubt"));
}

void RestoreRun::LookAgain(const TenantPlan& plan, state::Certificate certificate) {
  const absl::Time now = Now();
  const auto look = [&]() -> absl::StatusOr<std::vector<state::TableFinding>> {
    RETURN_IF_ERROR(session_->Begin());
    return Verifier::LookAgain(plan, session_.get(), *parts_.control);
  };
  absl::StatusOr<std::vector<state::TableFinding>> differing = look();
  // The restore is done: that it could not be looked at again is no failure of it.
  if (differing.ok()) {
    AddSecondLook(now, *std::move(differing), &certificate);
  } else {
    AddMissingSecondLook(differing.status(), &certificate);
  }
  // Without this the certificate still says that it was not compared again.
  (void)parts_.state->ReplaceCertificate(certificate);
}

}  // namespace reinstate
