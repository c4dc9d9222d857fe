#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/api/client.h"
#include "tests/bench/baselines.h"
#include "tests/support/daemon_process.h"
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

  // Stops the daemon and starts it again, so that its peak memory counts anew.
  absl::Status Restart();

  // As Restart, and removes the history and all that the daemon knows of it in between.
  absl::Status RestartWithoutHistory();

  struct SnapshotRun {
    absl::Duration time;  // of the job
    int64_t added_bytes = 0;
    int64_t disk_bytes = 0;  // of the whole history afterwards
  };
  absl::StatusOr<SnapshotRun> TakeSnapshot();

  // Changes one in `one_in` records of every tenant.
  absl::Status ChangeRecords(int64_t one_in, uint64_t edition);

  struct RestoreRun {
    absl::Duration time;  // from the first start to the last end: planned, applied, verified, undo
    int64_t rows = 0;     // inserted
  };
  // Deletes the tenants with these indices, waits until the store has cleaned up after it, restores
  // all of them from the newest snapshot at once, and checks that all of their records were
  // inserted.
  absl::StatusOr<RestoreRun> DeleteAndRestore(std::span<const size_t> tenants);

  // Waits until the daemon has nothing to do in the background any more, such as compactions of
  // what came before: they would be measured as if they belonged to what comes next. Gives up after
  // a minute.
  void AwaitQuiet() const;

  // As DeleteAndRestore, by the command line program `cli`: the time from its start to its exit.
  absl::StatusOr<absl::Duration> DeleteAndRestoreByCommandLine(size_t tenant,
                                                               const std::string& cli);

  // The most memory that the daemon has had resident since it was started (VmHWM).
  absl::StatusOr<int64_t> PeakBytesSinceStart() const;

  // The same over all of its runs.
  absl::StatusOr<int64_t> PeakBytes() const;

  const TicketTracker& tracker() const { return *tracker_; }

 private:
  TicketSite(const TicketTracker* tracker, std::string data_path)
      : tracker_(tracker), data_path_(std::move(data_path)) {}

  absl::Status Start();
  absl::Status Stop();
  absl::Status PutAll();
  absl::Status DeleteTenant(size_t tenant);
  absl::StatusOr<std::string> BeginRestore(size_t tenant);

  const TicketTracker* const tracker_;
  const std::string data_path_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::unique_ptr<ReinstateClient> client_;
  int64_t peak_bytes_ = 0;  // of earlier runs
};

// All records of a tracker, or of one tenant, in the order and with the keys that a sorted file of
// them has: tenant, table, key.
KeyedRecords AllRecords(const TicketTracker& tracker);
KeyedRecords RecordsOf(const TicketTracker& tracker, std::span<const size_t> tenants);

}  // namespace reinstate::bench
