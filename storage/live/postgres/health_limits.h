#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace reinstate {

// What a database may bear before no further restores begin in it; 0 does not look at it. Whoever
// is the cause: a restore adds to it.
struct PgHealthLimits {
  // The growth of the write-ahead log, which archives and standbys have to take. A restore writes
  // several times its rows: indexes, and whole pages after a checkpoint.
  int64_t max_wal_bytes_per_second = 256LL << 20;

  // How much of the log the standby furthest behind has not replayed. One that is delayed on
  // purpose is always behind: 0 then.
  int64_t max_replication_lag_bytes = 1LL << 30;

  // How much may still be written before max_slot_wal_keep_size makes a replication slot useless;
  // at least this much is to be left.
  int64_t min_slot_headroom_bytes = 256LL << 20;

  // How long a small synced commit takes, as seen from here.
  absl::Duration max_commit_latency = absl::Seconds(1);

  // How many sessions of others wait for locks of ours at the same time.
  int64_t max_sessions_waiting = 8;

  // After so long a question counts as not answered. A danger if it is short: a database that is
  // slow for other reasons is then taken for one that is away.
  absl::Duration probe_timeout = absl::Seconds(5);
};

}  // namespace reinstate
