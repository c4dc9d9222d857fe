#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/store_registry.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

// When a store's snapshots are taken by themselves, and which are kept.
struct StoreSchedule {
  absl::Duration every = absl::ZeroDuration();  // zero: never
  RetentionPolicy retention;                    // applied after each scheduled snapshot
};

struct HistoryJobsOptions {
  std::map<std::string, StoreSchedule> schedules;  // by store
  CollapseThresholds collapse;
  int snapshot_readers = 2;  // shards that are read at once
  std::string imports_path;  // the folder of dumps that are to be imported; must exist
  const Clock* clock = Clock::System();
  JobObserver* observer = nullptr;  // borrowed; may be null
};

// Snapshots, imports, verification and retention as durable jobs, one at a time a store, and the
// schedule. Thread-safe; as RestoreManager otherwise: an interrupted job runs again after the next
// start.
class HistoryJobs {
 public:
  static absl::StatusOr<std::unique_ptr<HistoryJobs>> Create(const HistoryJobsOptions& options,
                                                             StoreRegistry* stores,
                                                             History* history, StateStore* state);
  virtual ~HistoryJobs() = default;

  virtual absl::Status Start() = 0;
  virtual void Shutdown() = 0;

  // Queues job.kind() for job.store(). STORE_NOT_FOUND, SNAPSHOT_NOT_FOUND, STORE_IDENTITY_CHANGED,
  // REQUEST_ID_REUSED. With OK an import owns its file, job.dump() in the folder of imports, if the
  // job that is returned names it.
  virtual absl::StatusOr<state::HistoryJob> CreateJob(const RequestKey& request,
                                                      state::HistoryJob job,
                                                      bool validate_only) = 0;
  // Whether a dump could be imported next: see HistoryWork::CheckDumpInstant.
  virtual absl::Status CheckDumpInstant(const std::string& store, const std::string& lineage,
                                        absl::Time instant) const = 0;
  virtual absl::StatusOr<state::HistoryJob> GetJob(const std::string& id) const = 0;
  virtual absl::StatusOr<std::vector<state::HistoryJob>> ListJobs(const std::string& store,
                                                                  const std::string& after,
                                                                  int64_t limit) const = 0;
  virtual absl::StatusOr<state::HistoryJob> CancelJob(const std::string& id,
                                                      const state::Actor& actor,
                                                      const std::string& reason) = 0;

  // As RestoreManager::WatchJob.
  virtual std::shared_ptr<void> WatchJob(const std::string& id,
                                         std::function<void()> on_change) = 0;
};

}  // namespace reinstate
