#include "tests/unit/server/jobs/scripted_engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

void ScriptedEngine::Write(const std::string& tenant, Script script) {
  MutexLock lock(&mu_);
  scripts_[tenant] = script;
}

void ScriptedEngine::Release(const std::string& tenant) {
  MutexLock lock(&mu_);
  released_.insert(tenant);
}

void ScriptedEngine::AwaitBegun(size_t runs) {
  MutexLock lock(&mu_);
  while (begun_.size() < runs) {
    changed_.Wait(&mu_);
  }
}

std::vector<std::string> ScriptedEngine::begun() const {
  MutexLock lock(&mu_);
  return begun_;
}

void ScriptedEngine::AwaitPlanned(size_t plans) {
  MutexLock lock(&mu_);
  while (planned_.size() < plans) {
    changed_.Wait(&mu_);
  }
}

std::vector<std::string> ScriptedEngine::planned() const {
  MutexLock lock(&mu_);
  return planned_;
}

int ScriptedEngine::most_at_once() const {
  MutexLock lock(&mu_);
  return most_at_once_;
}

absl::Status ScriptedEngine::Hold(const std::string& tenant, RunControl* control) {
  MutexLock lock(&mu_);
  while (scripts_[tenant].hold && !released_.contains(tenant)) {
    if (absl::Status asked = control->Check(); !asked.ok()) {
      return asked;
    }
    changed_.WaitFor(&mu_, absl::Milliseconds(1));
  }
  return absl::OkStatus();
}

absl::StatusOr<state::PlanSummary> ScriptedEngine::Plan(const state::RestoreOrder& order,
                                                        LiveStore* /*store*/, RunControl* control) {
  {
    MutexLock lock(&mu_);
    planned_.push_back(order.tenant());
    changed_.SignalAll();
  }
  RETURN_IF_ERROR(Hold(order.tenant(), control));
  {
    MutexLock lock(&mu_);
    if (scripts_[order.tenant()].end == state::FAILED) {
      return MakeError(Reason::kKeyConflict, "as scripted");
    }
  }
  state::PlanSummary summary;
  summary.set_digest("digest of " + order.tenant());
  summary.set_rows_to_change(3);
  return summary;
}

void ScriptedEngine::Leave() {
  MutexLock lock(&mu_);
  --running_;
}

absl::StatusOr<state::RestoreRecord> ScriptedEngine::End(const std::string& id,
                                                         state::JobState state, absl::Time started,
                                                         const std::string& needs) {
  Leave();  // before others can see that it has ended
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  {
    MutexLock lock(&mu_);
    if (state == state::SUCCEEDED && !needs.empty() && !restored_.contains(needs)) {
      state = state::FAILED;
      record.mutable_failure()->set_reason("KEY_CONFLICT");
      record.mutable_failure()->set_message("rows refer to rows of " + needs);
    }
    if (state == state::SUCCEEDED) {
      restored_.insert(record.order().tenant());
    }
  }
  if (state == state::FAILED && !needs.empty() && !record.order().batch().empty()) {
    return state_->UpdateRestore(id, [&](state::RestoreRecord* stored) {
      *stored->mutable_wait()->mutable_cause() = record.failure();
      stored->mutable_wait()->set_began_us(absl::ToUnixMicros(started));
      return absl::OkStatus();
    });
  }
  record.set_state(state);
  record.clear_wait();
  record.set_started_us(absl::ToUnixMicros(started));
  record.set_finished_us(absl::ToUnixMicros(absl::Now()));
  record.set_undo_expires_us(state == state::SUCCEEDED ? record.created_us() + 86'400'000'000 : 0);
  AuditDraft audit;
  audit.set_action("restore.ended");
  std::optional<state::Certificate> certificate;
  if (state == state::SUCCEEDED) {
    certificate.emplace().set_restore(id);
  }
  RETURN_IF_ERROR(state_->RecordOutcome(record, certificate, audit));
  return record;
}

absl::StatusOr<state::RestoreRecord> ScriptedEngine::Run(const std::string& id,
                                                         LiveStore* /*store*/,
                                                         RunControl* control) {
  const absl::Time started = absl::Now();
  ASSIGN_OR_RETURN(const state::RestoreRecord record, state_->GetRestore(id));
  const std::string tenant = record.order().tenant();
  Script script;
  {
    MutexLock lock(&mu_);
    script = scripts_[tenant];
    --scripts_[tenant].unrecorded;
    ++running_;
    most_at_once_ = std::max(most_at_once_, running_);
  }
  control->ReportPhase(state::APPLYING);
  state::Progress progress;
  progress.set_rows(1);
  progress.set_total_rows(2);
  progress.set_bytes(10);
  progress.set_total_bytes(20);
  control->ReportProgress(progress);
  if (script.intent_before_hold) {
    control->EnterSettlement();
    control->ReportPhase(state::COMMITTING);
  }
  {
    MutexLock lock(&mu_);
    begun_.push_back(tenant);
    changed_.SignalAll();
  }
  if (script.unrecorded > 0) {
    Leave();
    return MakeError(script.unrecorded_for, "scripted");
  }
  RunControl deaf;  // a commit hears nothing
  const absl::Status asked = Hold(tenant, script.intent_before_hold ? &deaf : control);
  if (HasReason(asked, Reason::kShuttingDown)) {
    Leave();
    return asked;
  }
  return End(id, asked.ok() ? script.end : state::CANCELLED, started, script.needs);
}

absl::StatusOr<state::RestoreRecord> ScriptedEngine::Resolve(const std::string& id, bool committed,
                                                             const state::Actor& actor,
                                                             const std::string& reason) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  if (record.state() != state::IN_DOUBT) {
    return MakeError(Reason::kNotInDoubt, "scripted");
  }
  record.set_state(committed ? state::SUCCEEDED : state::FAILED);
  record.set_undo_expires_us(committed ? record.created_us() + 86'400'000'000 : 0);
  record.set_resolved_by(actor.name());
  record.set_resolved_reason(reason);
  RETURN_IF_ERROR(state_->RecordOutcome(record, std::nullopt, AuditDraft()));
  return record;
}

}  // namespace reinstate
