#pragma once

#include <chrono>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"
#include "storage/state/state.pb.h"

namespace reinstate {

class TenantSession;

// The line between a restore that runs and those who watch or stop it. Thread-safe.
class RunControl {
 public:
  // Called by the running restore; may be null. Must be quick.
  struct Listener {
    std::function<void(state::Phase)> on_phase;
    std::function<void(const state::Progress&)> on_progress;
    std::function<void(const state::PlanSummary&)> on_plan;
  };

  RunControl() : RunControl(Listener{}) {}
  explicit RunControl(Listener listener) : listener_(std::move(listener)) {}
  ~RunControl() = default;
  RunControl(const RunControl&) = delete;
  RunControl& operator=(const RunControl&) = delete;

  // A person no longer wants it. Has no effect once the intent is recorded.
  void Cancel();

  // The daemon stops: what has not recorded its intent rolls back and is to be queued again.
  void Stop();

  // CANCELLED or SHUTTING_DOWN if asked to end; otherwise OK. Asked by the running restore between
  // steps.
  absl::Status Check() const;

  // SHUTTING_DOWN if the daemon stops, whatever else was asked for: for what follows a commit.
  absl::Status CheckStop() const;

  // For those who wait for the store to ask, over and over: as Check. While a commit is settled
  // OK, unless the daemon stops and kSettlementTime have passed since it was told to, or, if that
  // was before the settlement began, kHeldSettlementTime since then: SHUTTING_DOWN then.
  absl::Status CheckWait() const;

  // As Check, after waiting for `duration` or until asked to end.
  absl::Status Sleep(absl::Duration duration);

  // From here on Cancel and Stop do not interrupt: the commit is under way. As Check if it was
  // asked to end before.
  absl::Status EnterCommit();

  // The same where the commit has been tried already: a cancel that came before has no effect any
  // more.
  void EnterSettlement();

  // As Sleep, but ended by Stop alone.
  absl::Status SleepInSettlement(absl::Duration duration);

  // The commit surely did not happen: it may be interrupted again.
  void LeaveCommit();

  // The session to cancel when asked to end, or null when it is about to be destroyed. Borrowed.
  void Attach(TenantSession* session);

  void ReportPhase(state::Phase phase) const;
  void ReportProgress(const state::Progress& progress) const;
  void ReportPlan(const state::PlanSummary& plan) const;

 private:
  enum class End { kNone, kCancel, kStop };

  // Enough for a store that answers. A store that does not must not keep a stop waiting.
  static constexpr std::chrono::seconds kSettlementTime{2};
  // Of one that is run to settle although it is held: it has no other time to.
  static constexpr std::chrono::seconds kHeldSettlementTime{30};

  void Ask(End end);
  absl::Status CheckLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckStopLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Listener listener_;
  mutable Mutex mu_;
  CondVar changed_;
  End end_ ABSL_GUARDED_BY(mu_) = End::kNone;  // what was asked for first
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool committing_ ABSL_GUARDED_BY(mu_) = false;
  // Until when a stop lets a settlement wait for the store.
  std::chrono::steady_clock::time_point settle_until_ ABSL_GUARDED_BY(mu_);
  TenantSession* session_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace reinstate
