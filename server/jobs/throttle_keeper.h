#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/store_governor.h"
#include "server/jobs/store_registry.h"
#include "server/jobs/store_throttle.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace reinstate {

// Keeps the throttles of the stores in step: what is stored with the store is what its governor and
// the runner of its restores go by, with what is still owed of it. Thread-safe. Borrows everything
// it is given.
class ThrottleKeeper {
 public:
  ThrottleKeeper(const Clock* clock, StoreRegistry* stores, StoreGovernor* governor,
                 JobRunner* runner)
      : clock_(clock), stores_(stores), governor_(governor), runner_(runner) {}

  // Has all stores governed, each by the throttle that is stored with it. Once, before the governor
  // is started.
  absl::Status Load();

  // Stores what restores of `store` owe its throttle, so that a process that is killed gives
  // nothing away: after a restore has begun and before it writes, and once it has ended. Does
  // nothing where there is no limit. Errors of the state, after which a restart may let restores
  // begin too soon.
  absl::Status KeepDebt(const std::string& store);

  // As RestoreManager::SetThrottle. Stores what is still owed as well.
  absl::Status Set(const std::string& store, const state::Throttle& throttle,
                   const state::Actor& actor, const std::string& reason);

 private:
  void Apply(const ServedStore& store, const state::Throttle& throttle);
  // As owed now. With `mu_` held.
  absl::Status StoreDebt(const std::string& store, const StoreThrottle::Debts& owed);

  const Clock* const clock_;
  StoreRegistry* const stores_;
  StoreGovernor* const governor_;
  JobRunner* const runner_;
  Mutex mu_;  // one change at a time, so that what holds is what was stored last
};

}  // namespace reinstate
