#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/restore/run_control.h"
#include "storage/base/clock.h"
#include "storage/base/fault_points.h"
#include "storage/history/history.h"
#include "storage/live/live_store.h"
#include "storage/state/state_store.h"

namespace reinstate {

struct RestoreEngineOptions {
  std::string spill_path;                   // a folder for temporary files; cleared at Create
  int64_t memory_budget_bytes = 8LL << 20;  // a running restore; what is beyond goes to spill_path
  absl::Duration lock_timeout = absl::Seconds(10);
  absl::Duration commit_timeout = absl::Seconds(60);
  int max_attempts = 6;  // of a run that loses races, or gets no answer from the store
  absl::Duration undo_validity = absl::Hours(24 * 30);
  const Clock* clock = Clock::System();
  FaultPoints* faults = nullptr;
};

// Plans and executes restores and undos of one tenant: the six steps of the design. Knows no
// particular store, but works only on the one that the state has as order.store():
// STORE_IDENTITY_CHANGED if it is given another one.
//
// Thread-safe: each call works on the calling thread. Borrows history and state, which outlive it.
class RestoreEngine {
 public:
  static absl::StatusOr<std::unique_ptr<RestoreEngine>> Create(RestoreEngineOptions options,
                                                               History* history, StateStore* state);

  virtual ~RestoreEngine() = default;

  // What `order` would do to the tenant as it is now; changes nothing. Holds the tenant's lock
  // meanwhile. Conflicts and consents that are missing are part of the summary, not errors.
  virtual absl::StatusOr<state::PlanSummary> Plan(const state::RestoreOrder& order,
                                                  LiveStore* store, RunControl* control) = 0;

  // Runs the unfinished restore `id` to an end and records it in the state: SUCCEEDED, FAILED,
  // CANCELLED or IN_DOUBT, which the returned record says. If an earlier process has recorded an
  // intent, first finds out what became of it. Where one that belongs to a batch would fail as
  // KEY_CONFLICT it is recorded as QUEUED with a `wait` instead, since what is in its way or
  // missing may be rows of others of the batch: whoever runs it says when it runs again, or that it
  // fails.
  //
  // An error only where nothing was recorded: SHUTTING_DOWN (rolled back, to be run again);
  // UNAVAILABLE (the store does not answer, nor did it after some attempts: the same); or the state
  // store's own. The tenant is then as before, or will be settled by the next Run.
  virtual absl::StatusOr<state::RestoreRecord> Run(const std::string& id, LiveStore* store,
                                                   RunControl* control) = 0;

  // Settles a restore that is IN_DOUBT, by the word of a person. NOT_IN_DOUBT.
  virtual absl::StatusOr<state::RestoreRecord> Resolve(const std::string& id, bool committed,
                                                       const state::Actor& actor,
                                                       const std::string& reason) = 0;
};

}  // namespace reinstate
