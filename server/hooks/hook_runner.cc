#include "server/hooks/hook_runner.h"

#include <algorithm>

#include "server/hooks/command_hook.h"
#include "server/hooks/hook_event.h"
#include "server/hooks/http_hook.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr absl::Duration kLongestBackoff = absl::Seconds(30);

absl::Status RunOnce(const Hook& hook, const std::string& event, const RunControl& control) {
  const ShouldEnd should_end = [&control] { return control.Check(); };
  return hook.command.empty() ? RunHttpHook(hook, event, should_end)
                              : RunCommandHook(hook, event, should_end);
}

}  // namespace

std::vector<const Hook*> HookRunner::For(Hook::When when, const std::string& store) const {
  std::vector<const Hook*> hooks;
  for (const Hook& hook : options_.hooks) {
    const bool for_store = hook.stores.empty() || std::find(hook.stores.begin(), hook.stores.end(),
                                                            store) != hook.stores.end();
    if (hook.when == when && for_store) {
      hooks.push_back(&hook);
    }
  }
  return hooks;
}

state::HookOutcome BegunOutcome(const Hook& hook) {
  state::HookOutcome outcome;
  outcome.set_name(hook.name);
  outcome.set_after(hook.when == Hook::When::kAfter);
  outcome.set_required(hook.required);
  return outcome;
}

absl::StatusOr<state::HookOutcome> HookRunner::Run(const Hook& hook,
                                                   const state::RestoreRecord& restore,
                                                   RunControl* control,
                                                   const OnAttempt& on_attempt) const {
  const std::string event = HookEvent(hook, restore);
  state::HookOutcome outcome = BegunOutcome(hook);
  absl::Duration backoff = options_.first_backoff;
  while (true) {
    RETURN_IF_ERROR(control->Check());
    if (on_attempt) {
      on_attempt(outcome.attempts() + 1);
    }
    const absl::Status attempt = RunOnce(hook, event, *control);
    outcome.set_attempts(outcome.attempts() + 1);
    if (!attempt.ok() && !HasReason(attempt, Reason::kHookFailed)) {
      return attempt;
    }
    outcome.set_succeeded(attempt.ok());
    outcome.set_message(std::string(attempt.message()));
    if (attempt.ok() || outcome.attempts() > hook.retries) {
      break;
    }
    RETURN_IF_ERROR(control->Sleep(backoff));
    backoff = std::min(backoff * 2, kLongestBackoff);
  }
  outcome.set_finished_us(absl::ToUnixMicros(options_.clock->Now()));
  return outcome;
}

}  // namespace reinstate
