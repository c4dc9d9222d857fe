#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"
#include "storage/base/periodic_thread.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// Watches for others that wait for a table behind backends of ours, e.g. an ALTER TABLE: all of the
// application may be waiting behind it. Once somebody has waited for too long, those backends are
// ended, so that their transaction is rolled back and its locks are gone. Who waits for a row of
// ours is let wait: nobody stands behind him.
//
// Looks first when a transaction has lasted for a while, on a connection of its own that it makes
// then. Thread-safe.
class WaiterWatch {
 public:
  // Others may wait for as long as `give_way_after`.
  WaiterWatch(PgOptions connection, absl::Duration give_way_after);

  // Cuts a look that is under way short.
  ~WaiterWatch();
  WaiterWatch(const WaiterWatch&) = delete;
  WaiterWatch& operator=(const WaiterWatch&) = delete;

  // Watches behind these backends from now on, in place of others.
  void Begin(std::vector<int> pids);

  // Ends the watch: these backends are not ended any more. LIVE_CHANGED if they were, since Begin.
  absl::Status End();

  // `status`, or, if it is an error and they were ended, why.
  absl::Status Explain(const absl::Status& status) const;

 private:
  void Watch();
  absl::Status Look();
  absl::Status EndThem(const std::vector<int>& pids);

  const PgOptions connecting_;
  const absl::Duration give_way_after_;

  mutable Mutex mu_;
  CondVar ended_;
  std::vector<int> pids_ ABSL_GUARDED_BY(mu_);  // empty: none is watched
  int64_t watches_ ABSL_GUARDED_BY(mu_) = 0;    // Begins
  bool ending_ ABSL_GUARDED_BY(mu_) = false;    // they are being ended now
  absl::Status gave_way_ ABSL_GUARDED_BY(mu_);

  std::atomic<bool> closing_ = false;
  std::unique_ptr<PgConnection> watcher_;  // of Watch only
  std::unique_ptr<PeriodicThread> thread_;
};

}  // namespace reinstate
