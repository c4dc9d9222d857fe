#include "server/jobs/hook_jobs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_log.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/state/restore_index.h"

namespace reinstate {
namespace {

constexpr int kThreads = 4;

bool IsOf(const state::HookOutcome& outcome, const Hook& hook) {
  return outcome.name() == hook.name && outcome.after() == (hook.when == Hook::When::kAfter);
}

bool HasSucceeded(const state::RestoreRecord& record, const Hook& hook) {
  return std::any_of(record.hooks().begin(), record.hooks().end(), [&](const auto& outcome) {
    return IsOf(outcome, hook) && outcome.succeeded();
  });
}

bool HasFailedAfter(const state::HookOutcome& outcome) {
  return outcome.after() && !outcome.succeeded();
}

// In the place of what was known of the same hook.
void Put(const state::HookOutcome& outcome, state::RestoreRecord* record) {
  for (state::HookOutcome& earlier : *record->mutable_hooks()) {
    if (earlier.name() == outcome.name() && earlier.after() == outcome.after()) {
      earlier = outcome;
      return;
    }
  }
  *record->add_hooks() = outcome;
}

Scheduler::Job ToJob(const state::RestoreRecord& record) {
  return {.id = record.id(),
          .store = record.order().store(),
          .tenant = record.order().tenant(),
          .priority = record.order().priority(),
          .queued = absl::FromUnixMicros(record.finished_us())};
}

absl::Status RequiredHookFailed(const state::HookOutcome& outcome) {
  return MakeError(
      Reason::kHookFailed,
      absl::StrCat("the hook ", outcome.name(),
                   ", which is required before a restore, failed; nothing was changed. At attempt ",
                   outcome.attempts(), " it ", outcome.message()));
}

}  // namespace

HookJobs::HookJobs(HookRunnerOptions options, StateStore* state, JobWatchers* watchers,
                   const std::vector<JobObserver*>* observers)
    : runner_(std::move(options)),
      state_(state),
      watchers_(watchers),
      observers_(observers),
      after_(
          {.threads = kThreads, .clock = runner_.clock()},
          [this](const std::string& id, RunControl* control) {
            const absl::Status done = RunAfter(id, control);
            // When the daemon stops, the next start goes on with what is pending.
            return done.ok() || HasReason(done, Reason::kShuttingDown) ? JobRunner::Outcome::kDone
                                                                       : JobRunner::Outcome::kAgain;
          },
          [](const std::string&, const JobRunner::View&) {}) {}

absl::Status HookJobs::Start() {
  ASSIGN_OR_RETURN(const auto pending, state_->RestoresWithPendingHooks());
  for (const state::RestoreRecord& record : pending) {
    after_.Add(ToJob(record));
  }
  after_.Start();
  return absl::OkStatus();
}

void HookJobs::Prepare(state::RestoreRecord* record) const {
  record->set_hooks_pending(!runner_.For(Hook::When::kAfter, record->order().store()).empty());
}

void HookJobs::TellRuns(const std::string& restore,
                        const std::optional<HookAttempt>& attempt) const {
  for (JobObserver* const observer : *observers_) {
    observer->HookRuns(restore, attempt);
  }
}

absl::StatusOr<state::HookOutcome> HookJobs::RunHook(const Hook& hook,
                                                     const state::RestoreRecord& record,
                                                     RunControl* control) const {
  const absl::Time begun = runner_.clock()->Now();
  HookAttempt now{
      .name = hook.name, .after = hook.when == Hook::When::kAfter, .attempts = hook.retries + 1};
  absl::StatusOr<state::HookOutcome> outcome = runner_.Run(hook, record, control, [&](int attempt) {
    now.attempt = attempt;
    TellRuns(record.id(), now);
  });
  TellRuns(record.id(), std::nullopt);
  // A clock that was set back takes no time away.
  const absl::Duration time = std::max(absl::ZeroDuration(), runner_.clock()->Now() - begun);
  for (JobObserver* const observer : *observers_) {
    observer->HookRan(outcome.ok() ? *outcome : BegunOutcome(hook), time);
  }
  if (outcome.ok()) {
    LogHook(record.id(), *outcome);
  }
  return outcome;
}

// --- Before ---

absl::Status HookJobs::Keep(const std::string& id, const state::HookOutcome& outcome) {
  const auto kept = state_->UpdateRestore(id, [&](state::RestoreRecord* record) {
    Put(outcome, record);
    return absl::OkStatus();
  });
  watchers_->Notify(id);
  return kept.status();
}

absl::Status HookJobs::RunBefore(const state::RestoreRecord& record, RunControl* control) {
  if (record.has_intent()) {
    return absl::OkStatus();
  }
  for (const Hook* hook : runner_.For(Hook::When::kBefore, record.order().store())) {
    if (HasSucceeded(record, *hook)) {
      continue;
    }
    // That it was begun is known from here on: whoever it told of the restore is told of its end.
    RETURN_IF_ERROR(Keep(record.id(), BegunOutcome(*hook)));
    ASSIGN_OR_RETURN(const state::HookOutcome outcome, RunHook(*hook, record, control));
    RETURN_IF_ERROR(Keep(record.id(), outcome));
    if (hook->required && !outcome.succeeded()) {
      return RequiredHookFailed(outcome);
    }
  }
  return absl::OkStatus();
}

// --- After ---

void HookJobs::Follow(const state::RestoreRecord& record) {
  if (HasEnded(record.state()) && record.hooks_pending()) {
    after_.Add(ToJob(record));
  }
}

absl::StatusOr<bool> HookJobs::RunFailedAgain(const std::string& id) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  if (record.state() != state::SUCCEEDED || record.hooks_pending()) {
    return false;
  }
  // The failure of one that is configured no longer stays, since nothing would make up for it.
  const std::vector<const Hook*> hooks = runner_.For(Hook::When::kAfter, record.order().store());
  std::vector<state::HookOutcome> kept(record.hooks().begin(), record.hooks().end());
  std::erase_if(kept, [&](const state::HookOutcome& outcome) {
    return HasFailedAfter(outcome) &&
           std::any_of(hooks.begin(), hooks.end(),
                       [&](const Hook* hook) { return IsOf(outcome, *hook); });
  });
  if (static_cast<int>(kept.size()) == record.hooks_size()) {
    return false;
  }
  // What has no outcome is still to be run, also after a crash.
  ASSIGN_OR_RETURN(record, state_->RecordHooks(id, kept, /*pending=*/true));
  for (JobObserver* const observer : *observers_) {
    observer->HooksBeginAgain(record);
  }
  watchers_->Notify(id);
  Follow(record);
  return true;
}

std::vector<const Hook*> HookJobs::Left(const state::RestoreRecord& record) const {
  std::vector<const Hook*> left = runner_.For(Hook::When::kAfter, record.order().store());
  std::erase_if(left, [&](const Hook* hook) {
    return std::any_of(record.hooks().begin(), record.hooks().end(),
                       [&](const auto& outcome) { return IsOf(outcome, *hook); });
  });
  return left;
}

absl::Status HookJobs::RunAfter(const std::string& id, RunControl* control) {
  ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
  while (record.hooks_pending()) {
    const std::vector<const Hook*> left = Left(record);
    std::vector<state::HookOutcome> hooks(record.hooks().begin(), record.hooks().end());
    if (!left.empty()) {
      ASSIGN_OR_RETURN(hooks.emplace_back(), RunHook(*left.front(), record, control));
    }
    ASSIGN_OR_RETURN(record, state_->RecordHooks(id, hooks, /*pending=*/left.size() > 1));
    if (!record.hooks_pending()) {
      for (JobObserver* const observer : *observers_) {
        observer->HooksEnded(record);
      }
    }
    watchers_->Notify(id);
  }
  return absl::OkStatus();
}

}  // namespace reinstate
