#include "server/restore/run_control.h"

#include <algorithm>

#include "storage/base/error.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

using std::chrono::steady_clock;

void RunControl::Cancel() { Ask(End::kCancel); }

void RunControl::Stop() { Ask(End::kStop); }

void RunControl::Ask(End end) {
  MutexLock lock(&mu_);
  if (end_ == End::kNone) {
    end_ = end;
  }
  if (end == End::kStop) {
    const auto until = steady_clock::now() + kSettlementTime;
    settle_until_ = stopping_ ? std::min(settle_until_, until) : until;
    stopping_ = true;
  }
  // Under the lock, so that the session cannot be detached and destroyed meanwhile. Cancel does not
  // block.
  if (session_ != nullptr && !committing_) {
    session_->Cancel();
  }
  changed_.SignalAll();
}

absl::Status RunControl::CheckLocked() const {
  switch (end_) {
    case End::kNone:
      return absl::OkStatus();
    case End::kCancel:
      return MakeError(Reason::kCancelled, "the restore was cancelled; nothing was changed");
    case End::kStop:
      return MakeError(Reason::kShuttingDown,
                       "the daemon is stopping; the restore goes on after its next start");
  }
  return absl::OkStatus();
}

absl::Status RunControl::Check() const {
  MutexLock lock(&mu_);
  return CheckLocked();
}

absl::Status RunControl::CheckStopLocked() const {
  return stopping_ ? MakeError(Reason::kShuttingDown, "the daemon was stopped") : absl::OkStatus();
}

absl::Status RunControl::CheckStop() const {
  MutexLock lock(&mu_);
  return CheckStopLocked();
}

absl::Status RunControl::CheckWait() const {
  MutexLock lock(&mu_);
  if (!committing_) {
    return CheckLocked();
  }
  return steady_clock::now() < settle_until_ ? absl::OkStatus() : CheckStopLocked();
}

absl::Status RunControl::Sleep(absl::Duration duration) {
  MutexLock lock(&mu_);
  if (end_ == End::kNone) {
    changed_.WaitFor(&mu_, duration);
  }
  return CheckLocked();
}

absl::Status RunControl::EnterCommit() {
  MutexLock lock(&mu_);
  absl::Status status = CheckLocked();
  committing_ = status.ok();
  return status;
}

void RunControl::EnterSettlement() {
  MutexLock lock(&mu_);
  committing_ = true;
  settle_until_ = steady_clock::now() + (stopping_ ? kHeldSettlementTime : kSettlementTime);
}

absl::Status RunControl::SleepInSettlement(absl::Duration duration) {
  {
    MutexLock lock(&mu_);
    if (!stopping_) {
      changed_.WaitFor(&mu_, duration);
    }
  }
  return CheckStop();
}

void RunControl::LeaveCommit() {
  MutexLock lock(&mu_);
  committing_ = false;
}

void RunControl::Attach(TenantSession* session) {
  MutexLock lock(&mu_);
  session_ = session;
  if (session_ != nullptr && end_ != End::kNone && !committing_) {
    session_->Cancel();
  }
}

void RunControl::ReportPhase(state::Phase phase) const {
  if (listener_.on_phase) {
    listener_.on_phase(phase);
  }
}

void RunControl::ReportProgress(const state::Progress& progress) const {
  if (listener_.on_progress) {
    listener_.on_progress(progress);
  }
}

void RunControl::ReportPlan(const state::PlanSummary& plan) const {
  if (listener_.on_plan) {
    listener_.on_plan(plan);
  }
}

}  // namespace reinstate
