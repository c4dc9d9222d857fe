#include "storage/live/postgres/health_probe.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/role_checks.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

// Those who wait behind a session of ours, also behind others that do so. Who blocks whom is asked
// of those only that wait for a lock, since it holds up the lock manager.
constexpr char kWaitingSql[] =
    "WITH RECURSIVE waiting AS MATERIALIZED ("
    "  SELECT w.pid, w.application_name, pg_catalog.pg_blocking_pids(w.pid) AS blockers "
    "  FROM pg_catalog.pg_stat_activity w WHERE w.wait_event_type = 'Lock'), "
    "behind(pid) AS ("
    "  SELECT a.pid FROM pg_catalog.pg_stat_activity a "
    "  WHERE a.application_name ~ '^reinstate( |$)' "
    "  UNION SELECT w.pid FROM behind b JOIN waiting w ON b.pid = ANY (w.blockers)) "
    "SELECT count(*) FROM behind b JOIN waiting w ON w.pid = b.pid "
    "WHERE w.application_name !~ '^reinstate( |$)'";

// NULL where max_slot_wal_keep_size does not limit it, or the slot is lost already.
constexpr char kSlotSql[] =
    "SELECT s.slot_name, s.safe_wal_size FROM pg_catalog.pg_replication_slots s "
    "WHERE s.safe_wal_size IS NOT NULL ORDER BY s.safe_wal_size LIMIT 1";

// All is NULL for a role that may not see it. What only receives the log replays nothing.
constexpr char kReplicationSql[] =
    "SELECT s.application_name, s.lag FROM (SELECT r.application_name, "
    "  pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), "
    "    coalesce(r.replay_lsn, r.flush_lsn, r.write_lsn))::bigint AS lag "
    "  FROM pg_catalog.pg_stat_replication r WHERE r.state IN ('catchup', 'streaming')) s "
    "WHERE s.lag IS NOT NULL ORDER BY s.lag DESC LIMIT 1";

constexpr char kWalSql[] =
    "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint, "
    "pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint";

// A shorter interval tells nothing of the rate.
constexpr int64_t kShortestIntervalUs = 1'000'000;

std::string SizeText(int64_t bytes) {
  constexpr int64_t kKib = 1 << 10;
  constexpr int64_t kMib = 1 << 20;
  if (bytes < 10 * kKib) {
    return absl::StrCat(bytes, " bytes");
  }
  return bytes < 10 * kMib ? absl::StrCat(bytes / kKib, " KiB")
                           : absl::StrCat(bytes / kMib, " MiB");
}

bool IsAway(const absl::Status& status) {
  return HasReason(status, Reason::kUnavailable) || HasReason(status, Reason::kSessionLost) ||
         HasReason(status, Reason::kCommitUnknown);
}

HealthProbe::Setup Prepared(HealthProbe::Setup setup) {
  setup.connection.application_name = "reinstate health";
  setup.connection.silence_timeout = setup.limits.probe_timeout;
  return setup;
}

}  // namespace

HealthProbe::HealthProbe(Setup setup) : setup_(Prepared(std::move(setup))) {}

absl::StatusOr<std::unique_ptr<PgConnection>> HealthProbe::Connect() const {
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection,
                   PgConnection::Connect(setup_.connection));
  RETURN_IF_ERROR(CheckRole(connection.get(), setup_.allow_superuser));
  return connection;
}

StoreHealth HealthProbe::Probe() {
  std::unique_ptr<PgConnection> connection;
  {
    MutexLock lock(&mu_);
    connection = std::move(idle_);
  }
  StoreHealth health;
  absl::Status probed;
  if (connection != nullptr) {
    probed = ProbeWith(connection.get(), &health);
  }
  if (connection == nullptr || HasReason(probed, Reason::kSessionLost)) {
    absl::StatusOr<std::unique_ptr<PgConnection>> connected = Connect();
    probed = connected.status();
    if (connected.ok()) {
      connection = *std::move(connected);
      probed = ProbeWith(connection.get(), &health);
    }
  }
  if (!probed.ok()) {
    return {.writable = false,
            .pressure = IsAway(probed) ? kUnreachable : "",
            .detail = std::string(probed.message())};
  }
  if (!connection->broken()) {
    MutexLock lock(&mu_);
    idle_ = std::move(connection);
  }
  return health;
}

absl::Status HealthProbe::ProbeWith(PgConnection* connection, StoreHealth* health) {
  *health = StoreHealth();
  RETURN_IF_ERROR(connection->Begin({.repeatable_read = false, .read_only = true}));
  ASSIGN_OR_RETURN(const PgResult result,
                   connection->Query("probe the health", "SELECT pg_catalog.pg_is_in_recovery()"));
  if (result.GetBool(0, 0)) {
    health->writable = false;
    health->detail = "The server is a standby: it takes no writes.";
    return connection->Rollback();
  }
  ASSIGN_OR_RETURN(std::optional<Excess> excess, FirstExcess(connection, health));
  if (excess.has_value()) {
    health->pressure = std::move(excess->pressure);
    health->detail = std::move(excess->detail);
  }
  return connection->Rollback();
}

absl::StatusOr<std::optional<HealthProbe::Excess>> HealthProbe::FirstExcess(
    PgConnection* connection, StoreHealth* health) {
  // The last one ends the transaction of the others.
  constexpr std::array<Measure, kMeasures> kAll = {
      &HealthProbe::JudgeWaiting, &HealthProbe::JudgeSlots, &HealthProbe::JudgeReplication,
      &HealthProbe::JudgeWal, &HealthProbe::JudgeCommit};
  std::optional<Excess> first;
  for (size_t i = 0; i < kAll.size(); ++i) {
    {
      MutexLock lock(&mu_);
      if (denied_[i]) {
        continue;
      }
    }
    Judged judged = (this->*kAll[i])(connection, health);
    if (HasReason(judged.status(), Reason::kNotAllowed)) {
      // The connection is of no use any more; the next probe leaves this out.
      MutexLock lock(&mu_);
      denied_[i] = true;
      return first;
    }
    RETURN_IF_ERROR(judged.status());
    if (!first.has_value()) {
      first = *std::move(judged);
    }
  }
  return first;
}

HealthProbe::Judged HealthProbe::JudgeWaiting(PgConnection* connection, StoreHealth* /*health*/) {
  const int64_t limit = setup_.limits.max_sessions_waiting;
  if (limit == 0) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const PgResult result,
                   connection->Query("look who waits behind restores", kWaitingSql));
  const int64_t waiting = result.GetInt(0, 0);
  if (waiting <= limit) {
    return std::nullopt;
  }
  return Excess{"sessions_waiting",
                absl::StrCat(waiting, " sessions wait for locks of ours; the limit is ", limit,
                             " (max_sessions_waiting).")};
}

HealthProbe::Judged HealthProbe::JudgeSlots(PgConnection* connection, StoreHealth* health) {
  const int64_t limit = setup_.limits.min_slot_headroom_bytes;
  if (limit == 0) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const PgResult result,
                   connection->Query("look at the replication slots", kSlotSql));
  if (result.rows() > 0) {
    health->log_headroom_bytes = std::max<int64_t>(0, result.GetInt(0, 1));
  }
  if (result.rows() == 0 || result.GetInt(0, 1) >= limit) {
    return std::nullopt;
  }
  return Excess{"slot_headroom",
                absl::StrCat("The replication slot ", Printable(result.Get(0, 0)),
                             " is lost after ", SizeText(std::max<int64_t>(0, result.GetInt(0, 1))),
                             " more of the log; at least ", SizeText(limit),
                             " are to be left (min_slot_headroom).")};
}

HealthProbe::Judged HealthProbe::JudgeReplication(PgConnection* connection,
                                                  StoreHealth* /*health*/) {
  const int64_t limit = setup_.limits.max_replication_lag_bytes;
  if (limit == 0) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const PgResult result,
                   connection->Query("look at the standbys", kReplicationSql));
  if (result.rows() == 0 || result.GetInt(0, 1) <= limit) {
    return std::nullopt;
  }
  return Excess{"replication_lag",
                absl::StrCat("The standby ", Printable(result.Get(0, 0)), " is ",
                             SizeText(result.GetInt(0, 1)), " behind; the limit is ",
                             SizeText(limit), " (max_replication_lag).")};
}

HealthProbe::Judged HealthProbe::JudgeWal(PgConnection* connection, StoreHealth* /*health*/) {
  const int64_t limit = setup_.limits.max_wal_bytes_per_second;
  if (limit == 0) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(const PgResult result, connection->Query("look at the log's growth", kWalSql));
  const WalMark now{.time_us = result.GetInt(0, 0), .bytes = result.GetInt(0, 1)};
  std::optional<WalMark> last;
  {
    MutexLock lock(&mu_);
    last = std::exchange(wal_, now);
  }
  if (!last.has_value()) {
    return std::nullopt;
  }
  const double seconds =
      static_cast<double>(std::max(kShortestIntervalUs, now.time_us - last->time_us)) / 1e6;
  const double rate = static_cast<double>(now.bytes - last->bytes) / seconds;
  if (rate <= static_cast<double>(limit)) {
    return std::nullopt;
  }
  return Excess{
      "wal_growth",
      absl::StrCat("The write-ahead log grows by ", SizeText(static_cast<int64_t>(rate)),
                   "/s; the limit is ", SizeText(limit), "/s (max_wal_bytes_per_second).")};
}

absl::StatusOr<bool> HealthProbe::CommitStillWaits(PgConnection* connection) {
  int pid = 0;
  {
    MutexLock lock(&mu_);
    pid = waiting_commit_;
  }
  if (pid == 0) {
    return false;
  }
  ASSIGN_OR_RETURN(const PgResult result,
                   connection->Query("look whether an earlier commit still waits",
                                     "SELECT pg_catalog.pg_cancel_backend(a.pid) "
                                     "FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1 "
                                     "AND a.application_name = 'reinstate health'",
                                     {absl::StrCat(pid)}));
  if (result.rows() > 0) {
    return true;
  }
  MutexLock lock(&mu_);
  waiting_commit_ = 0;
  return false;
}

// A message in the log is all that a role without privileges can commit that changes nothing: a
// transaction that only has a number is not waited for, and tables and large objects leave dead
// rows behind. Logical replication passes such messages over unless it asks for them.
absl::StatusOr<HealthProbe::TimedCommit> HealthProbe::TimeCommit(PgConnection* connection) {
  RETURN_IF_ERROR(connection->Rollback());
  RETURN_IF_ERROR(connection->Begin({.repeatable_read = false, .read_only = false}));
  RETURN_IF_ERROR(connection
                      ->Query("measure a commit",
                              "SELECT pg_catalog.pg_logical_emit_message(true, 'reinstate', '')")
                      .status());
  const int pid = connection->backend_pid();
  const auto begun = std::chrono::steady_clock::now();
  const absl::Status committed =
      connection->Commit(setup_.clock->Now() + setup_.limits.probe_timeout, setup_.clock);
  const absl::Duration took = absl::FromChrono(std::chrono::steady_clock::now() - begun);
  if (!committed.ok() && took < setup_.limits.probe_timeout) {
    return committed;
  }
  if (!committed.ok()) {
    MutexLock lock(&mu_);
    waiting_commit_ = pid;
  }
  return TimedCommit{.ended = committed.ok(), .took = took};
}

HealthProbe::Judged HealthProbe::JudgeCommit(PgConnection* connection, StoreHealth* /*health*/) {
  const absl::Duration limit = setup_.limits.max_commit_latency;
  if (limit == absl::ZeroDuration()) {
    return std::nullopt;
  }
  // A commit that waits for a standby goes on after its connection was closed, and each of them
  // holds one of the server's processes: there is one at most.
  ASSIGN_OR_RETURN(const bool waits, CommitStillWaits(connection));
  std::string found = "A small commit has not come back yet";
  if (!waits) {
    ASSIGN_OR_RETURN(const TimedCommit commit, TimeCommit(connection));
    if (commit.ended && commit.took <= limit) {
      return std::nullopt;
    }
    found = absl::StrCat("A small commit ", commit.ended ? "took " : "did not end within ",
                         absl::FormatDuration(commit.took));
  }
  return Excess{"commit_latency",
                absl::StrCat(found, "; the limit is ", absl::FormatDuration(limit),
                             " (max_commit_latency).")};
}

}  // namespace reinstate
