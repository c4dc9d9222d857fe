#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/live/live_store.h"
#include "storage/live/postgres/health_limits.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// Measures how a database is bearing up, over a connection of its own that it keeps: the growth of
// the write-ahead log since the probe before, the lag of standbys, the headroom of replication
// slots, how long a small synced commit takes, and who waits behind our sessions. What the role may
// not see is left out, not guessed.
//
// Thread-safe; probes at the same time use a connection each.
class HealthProbe {
 public:
  struct Setup {
    PgOptions connection;
    bool allow_superuser = false;
    PgHealthLimits limits;
    const Clock* clock = Clock::System();
  };

  explicit HealthProbe(Setup setup);

  // Takes a round trip a measure, and ends within a few times limits.probe_timeout.
  StoreHealth Probe();

 private:
  // A measure that is over its limit.
  struct Excess {
    std::string pressure;
    std::string detail;
  };
  using Judged = absl::StatusOr<std::optional<Excess>>;
  using Measure = Judged (HealthProbe::*)(PgConnection*, StoreHealth*);
  static constexpr int kMeasures = 5;

  // How far the log was at a probe, by the server's clock.
  struct WalMark {
    int64_t time_us = 0;
    int64_t bytes = 0;
  };

  struct TimedCommit {
    bool ended = false;
    absl::Duration took;
  };

  absl::StatusOr<std::unique_ptr<PgConnection>> Connect() const;
  absl::Status ProbeWith(PgConnection* connection, StoreHealth* health);
  absl::StatusOr<std::optional<Excess>> FirstExcess(PgConnection* connection, StoreHealth* health);

  // Each judges nothing if its limit is 0.
  Judged JudgeWaiting(PgConnection* connection, StoreHealth* health);
  Judged JudgeSlots(PgConnection* connection, StoreHealth* health);
  Judged JudgeReplication(PgConnection* connection, StoreHealth* health);
  Judged JudgeWal(PgConnection* connection, StoreHealth* health);
  Judged JudgeCommit(PgConnection* connection, StoreHealth* health);

  absl::StatusOr<TimedCommit> TimeCommit(PgConnection* connection);
  // Whether an earlier commit still waits, which is asked to give up.
  absl::StatusOr<bool> CommitStillWaits(PgConnection* connection);

  const Setup setup_;
  Mutex mu_;
  std::unique_ptr<PgConnection> idle_ ABSL_GUARDED_BY(mu_);
  std::array<bool, kMeasures> denied_ ABSL_GUARDED_BY(mu_) = {};  // the role may not take them
  std::optional<WalMark> wal_ ABSL_GUARDED_BY(mu_);
  int waiting_commit_ ABSL_GUARDED_BY(mu_) = 0;  // the server process that it left behind; 0: none
};

}  // namespace reinstate
