#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/hooks/hook.h"
#include "server/restore/run_control.h"
#include "storage/base/clock.h"
#include "storage/state/state.pb.h"

namespace reinstate {

struct HookRunnerOptions {
  std::vector<Hook> hooks;                          // in the order in which they are run
  absl::Duration first_backoff = absl::Seconds(1);  // before the second attempt; then it doubles
  const Clock* clock = Clock::System();
};

// Runs the hooks of the configuration, each with its attempts. Thread-safe; keeps nothing.
class HookRunner {
 public:
  explicit HookRunner(HookRunnerOptions options) : options_(std::move(options)) {}

  const Clock* clock() const { return options_.clock; }

  // The hooks for restores of `store`, in their order. They live as long as this.
  std::vector<const Hook*> For(Hook::When when, const std::string& store) const;

  // Runs `hook` for `restore` until an attempt succeeds or none is left; blocks meanwhile. The
  // outcome says which. CANCELLED or SHUTTING_DOWN if `control` asked it to end: what the hook has
  // done by then is not known. `on_attempt`, unless it is null, is told of each attempt as it
  // begins, the first being 1.
  using OnAttempt = std::function<void(int attempt)>;
  absl::StatusOr<state::HookOutcome> Run(const Hook& hook, const state::RestoreRecord& restore,
                                         RunControl* control,
                                         const OnAttempt& on_attempt = nullptr) const;

 private:
  const HookRunnerOptions options_;
};

// The outcome of a hook that is about to be run.
state::HookOutcome BegunOutcome(const Hook& hook);

}  // namespace reinstate
