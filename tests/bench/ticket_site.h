#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/bench/baselines.h"
#include "tests/bench/bench_daemon.h"
#include "tests/support/ticket_tracker.h"

namespace reinstate::bench {

// A ticket tracker whose records are in a daemon's embedded store. Not thread-safe. Every error of
// a call ends the benchmark.
class TicketSite {
 public:
  // Starts a daemon with default settings on the folder `data_path`, which is emptied, and puts all
  // records of `tracker` (borrowed) into it.
  static absl::StatusOr<std::unique_ptr<TicketSite>> Load(const TicketTracker* tracker,
                                                          const std::string& data_path);

  // Fails if the snapshot does not have all records.
  absl::StatusOr<BenchDaemon::SnapshotRun> TakeSnapshot();

  // Changes one in `one_in` records of every tenant.
  absl::Status ChangeRecords(int64_t one_in, uint64_t edition);

  // Deletes the tenants with these indices, waits until the store has cleaned up after it, restores
  // all of them from the newest snapshot at once, and checks that all of their records were
  // inserted.
  absl::StatusOr<BenchDaemon::RestoreRun> DeleteAndRestore(std::span<const size_t> tenants);

  // As DeleteAndRestore, by the command line program `cli`: the time from its start to its exit.
  absl::StatusOr<absl::Duration> DeleteAndRestoreByCommandLine(size_t tenant,
                                                               const std::string& cli);

  BenchDaemon* daemon() { return daemon_.get(); }
  const TicketTracker& tracker() const { return *tracker_; }

 private:
  TicketSite(const TicketTracker* tracker, std::unique_ptr<BenchDaemon> daemon)
      : tracker_(tracker), daemon_(std::move(daemon)) {}

  absl::Status PutAll();
  absl::Status DeleteTenant(size_t tenant);

  const TicketTracker* const tracker_;
  const std::unique_ptr<BenchDaemon> daemon_;
};

// All records of a tracker, or of one tenant, in the order and with the keys that a sorted file of
// them has: tenant, table, key.
KeyedRecords AllRecords(const TicketTracker& tracker);
KeyedRecords RecordsOf(const TicketTracker& tracker, std::span<const size_t> tenants);

}  // namespace reinstate::bench
