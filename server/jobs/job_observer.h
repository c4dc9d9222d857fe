#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// What a hook of a restore is at.
struct HookAttempt {
  std::string name;
  bool after = false;    // the restore; else before it
  int64_t attempt = 1;   // from 1
  int64_t attempts = 1;  // at most
};

// Is told what became of jobs, e.g. to count it. Implementations are thread-safe, quick, and do not
// call back in.
class JobObserver {
 public:
  virtual ~JobObserver() = default;

  // It was recorded that `restore` (or undo) SUCCEEDED, FAILED, was CANCELLED or is IN_DOUBT. Twice
  // for one that was in doubt and is resolved.
  virtual void RestoreEnded(const state::RestoreRecord& restore) = 0;

  // It was recorded that `restore` waits for others of its batch (see its `wait`), or does so no
  // longer.
  virtual void RestoreWaits(const state::RestoreRecord& /*restore*/) {}

  // A worker began with the restore, or left it; or what it reports has changed.
  virtual void RestoreChanged(const std::string& /*restore*/, bool /*running*/) {}

  // It was recorded that `plan` is READY or has FAILED.
  virtual void PlanEnded(const state::PlanRecord& /*plan*/) {}

  // An attempt of a hook of the restore has begun; nullopt: no hook of it is run any more.
  virtual void HookRuns(const std::string& /*restore*/,
                        const std::optional<HookAttempt>& /*attempt*/) {}

  // A hook of a restore was run, with all of its attempts, which took `time`. An outcome without
  // finished_us: it was interrupted, since the restore was cancelled or the daemon stops.
  virtual void HookRan(const state::HookOutcome& /*outcome*/, absl::Duration /*time*/) {}

  // It was recorded that hooks that had failed after `restore` are to be run again.
  virtual void HooksBeginAgain(const state::RestoreRecord& /*restore*/) {}

  // It was recorded what became of the hooks after `restore`, which had ended before.
  virtual void HooksEnded(const state::RestoreRecord& /*restore*/) {}

  // For `time` more, restores of `store` waited for `reason`: "rows_per_second",
  // "bytes_per_second", or the pressure that the store reported.
  virtual void RestoresHeldBack(const std::string& /*store*/, const std::string& /*reason*/,
                                absl::Duration /*time*/) {}

  // It was recorded that `job` SUCCEEDED, FAILED or was CANCELLED.
  virtual void HistoryJobEnded(const state::HistoryJob& job) = 0;
};

}  // namespace reinstate
