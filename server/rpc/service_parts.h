#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "server/jobs/batch_manager.h"
#include "server/jobs/history_jobs.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/store_registry.h"
#include "storage/base/clock.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

class StoreMonitor;

// What the services delegate to; borrowed, and outlives them.
struct ServiceParts {
  StoreRegistry* stores = nullptr;
  StoreMonitor* monitor = nullptr;
  History* history = nullptr;
  StateStore* state = nullptr;
  RestoreManager* restores = nullptr;
  BatchManager* batches = nullptr;
  HistoryJobs* history_jobs = nullptr;
  std::map<std::string, StoreSchedule> schedules;  // by store
  std::string imports_path;                        // the folder into which dumps are received
  const Clock* clock = Clock::System();
  // Why nothing may be changed (a lost state, a history with gaps); OK if all is well. Reading goes
  // on.
  absl::Status read_only;
};

// `parts.read_only`, for a call that would change something.
inline absl::Status CheckWritable(const ServiceParts& parts) { return parts.read_only; }

}  // namespace reinstate
