#pragma once

#include <optional>
#include <string>

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

// What a job of the history does, once it runs: takes a snapshot, verifies one, or applies
// retention. Thread-safe, for different stores; borrows what it is given.
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

  // Ends what a retention that was interrupted left of the store's witnesses. Before the first job.
  absl::Status SettleWitnesses(const ServedStore& store);

 private:
  absl::StatusOr<Result> TakeSnapshot(state::HistoryJob* job, RunControl* control);
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
