#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/api/client.h"
#include "tests/support/daemon_process.h"

namespace reinstate::bench {

absl::Time ToTime(const google::protobuf::Timestamp& time);

// A daemon over one store, called as a client does. Not thread-safe.
class BenchDaemon {
 public:
  struct Options {
    std::string data_path;               // emptied
    std::vector<std::string> arguments;  // besides the folder
    std::string store = "main";
  };
  static absl::StatusOr<std::unique_ptr<BenchDaemon>> Start(Options options);

  // Stops it and starts it again, so that its peak memory counts anew.
  absl::Status Restart();

  // As Restart, and removes the history and all that the daemon knows of it in between.
  absl::Status RestartWithoutHistory();

  struct SnapshotRun {
    absl::Duration time;  // of the job
    int64_t rows = 0;
    int64_t added_bytes = 0;
    int64_t disk_bytes = 0;  // of the whole history afterwards
  };
  absl::StatusOr<SnapshotRun> TakeSnapshot();

  struct RestoreRun {
    absl::Duration time;  // from the first start to the last end: planned, applied, verified, undo
    absl::Duration busy;  // of all restores together
    int64_t inserted = 0;
  };
  // Restores all of these tenants from the newest snapshot at once.
  absl::StatusOr<RestoreRun> Restore(std::span<const std::string> tenants);

  // Restores a tenant by the command line program `cli`: the time from its start to its exit.
  absl::StatusOr<absl::Duration> RestoreByCommandLine(const std::string& tenant,
                                                      const std::string& cli);

  // Waits until the daemon has nothing to do in the background any more, such as compactions of
  // what came before: they would be measured as if they belonged to what comes next. Gives up after
  // a minute.
  void AwaitQuiet() const;

  // The most memory that the daemon has had resident since it was started (VmHWM).
  absl::StatusOr<int64_t> PeakBytesSinceStart() const;

  // The same over all of its runs.
  absl::StatusOr<int64_t> PeakBytes() const;

  // Where it serves.
  const std::string& address() const { return daemon_->address(); }

  ReinstateClient* client() { return client_.get(); }

 private:
  explicit BenchDaemon(Options options) : options_(std::move(options)) {}

  absl::Status Open();
  absl::Status Stop();
  absl::StatusOr<std::string> BeginRestore(const std::string& tenant);

  const Options options_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::unique_ptr<ReinstateClient> client_;
  int64_t peak_bytes_ = 0;  // of earlier runs
};

}  // namespace reinstate::bench
