#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/history_jobs.h"
#include "server/jobs/store_registry.h"
#include "server/jobs/witness_keeper.h"
#include "server/restore/run_control.h"
#include "server/snapshot/snapshotter.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

// What a job of the history does, once it runs: takes a snapshot, imports one, verifies one, or
// applies retention. Thread-safe, for different stores; borrows what it is given.
class HistoryWork {
 public:
  HistoryWork(const HistoryJobsOptions& options, StoreRegistry* stores, History* history,
              StateStore* state);

  // What a job has come to, besides what it wrote into its record.
  struct Result {
    std::optional<state::WitnessRecord> witness;  // of the snapshot that was taken
  };

  // Does what `job` says, and writes into it what it found. Ends soon with CANCELLED once `control`
  // is asked to end. May be repeated after a crash: what was done is found and not done again.
  absl::StatusOr<Result> Perform(state::HistoryJob* job, RunControl* control);

  // Whether a dump of `instant` can be the next snapshot of the lineage `lineage` of imported dumps
  // of `store`. CLOCK_JUMPED if it is not after the last one, or is to come.
  absl::Status CheckDumpInstant(const std::string& store, const std::string& lineage,
                                absl::Time instant) const;

  // Where the dump of a job is.
  std::string DumpPath(const state::HistoryJob& job) const;

  // Removes files of dumps that none of `jobs` is to import.
  absl::Status RemoveDumpsBut(const std::vector<state::HistoryJob>& jobs) const;

  // Ends what a retention that was interrupted left of the store's witnesses. Before the first job.
  absl::Status SettleWitnesses(const ServedStore& store);

 private:
  absl::StatusOr<Result> TakeSnapshot(state::HistoryJob* job, RunControl* control);
  absl::StatusOr<Result> ImportSnapshot(state::HistoryJob* job, RunControl* control);
  absl::StatusOr<Snapshotter::Order> OrderFor(const state::HistoryJob& job, uint32_t lineage,
                                              RunControl* control) const;
  absl::Status ApplyRetentionTo(uint32_t lineage, const RetentionPolicy& policy,
                                RunControl* control, RetentionReport* report);
  absl::StatusOr<Result> VerifySnapshot(const state::HistoryJob& job, RunControl* control);
  absl::StatusOr<Result> ApplyRetention(state::HistoryJob* job, RunControl* control);
  absl::StatusOr<std::optional<SnapshotInfo>> TakenBefore(uint32_t lineage,
                                                          const std::string& job) const;

  const HistoryJobsOptions options_;
  StoreRegistry* const stores_;
  History* const history_;
  Snapshotter snapshotter_;
  WitnessKeeper witnesses_;
};

}  // namespace reinstate
