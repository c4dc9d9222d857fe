// Each pressure is provoked in a real database, and is not reported otherwise.

#include "storage/live/postgres/health_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/live/postgres/postgres_store.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kMib = 1 << 20;

// Looks at nothing.
PgHealthLimits NoLimits() {
  PgHealthLimits limits;
  limits.max_wal_bytes_per_second = 0;
  limits.max_replication_lag_bytes = 0;
  limits.min_slot_headroom_bytes = 0;
  limits.max_commit_latency = absl::ZeroDuration();
  limits.max_sessions_waiting = 0;
  limits.probe_timeout = absl::Seconds(30);
  return limits;
}

class HealthProbeTest : public ::testing::Test {
 protected:
  std::unique_ptr<PgConnection> Connect() {
    PgOptions options;
    options.conninfo = server_->OnSocket(database_);
    options.application_name = "the application";
    return *PgConnection::Connect(options);
  }

  void Run(const std::string& sql) { ASSERT_THAT(connection_->Execute("set up", sql), IsOk()); }

  std::unique_ptr<HealthProbe> Probe(const PgHealthLimits& limits) {
    PgOptions options;
    options.conninfo = server_->OnSocket(database_);
    return std::make_unique<HealthProbe>(
        HealthProbe::Setup{.connection = options, .allow_superuser = true, .limits = limits});
  }

  // Writes about so much of the log.
  void WriteLog(int64_t bytes) {
    Run(
        absl::StrCat("CREATE TABLE IF NOT EXISTS filler(i int, t text); "
                     "INSERT INTO filler SELECT i, repeat('x', 1000) FROM generate_series(1, ",
                     bytes / 1000, ") i"));
  }

  PostgresServer* const server_ = PostgresServer::Shared();
  const std::string database_ = server_->MakeDatabase();
  const std::unique_ptr<PgConnection> connection_ = Connect();
};

TEST_F(HealthProbeTest, ADatabaseAtRestIsWellByTheLimitsThatHoldByDefault) {
  PgHealthLimits limits;
  limits.max_commit_latency = absl::Minutes(1);  // the machine may be busy
  limits.probe_timeout = absl::Minutes(1);
  const auto probe = Probe(limits);
  for (int i = 0; i < 3; ++i) {
    const StoreHealth health = probe->Probe();
    EXPECT_TRUE(health.writable);
    EXPECT_EQ(health.pressure, "") << health.detail;
    EXPECT_EQ(health.detail, "");
  }
}

TEST_F(HealthProbeTest, ReportsHowFastTheLogGrowsSinceTheProbeBefore) {
  PgHealthLimits limits = NoLimits();
  limits.max_wal_bytes_per_second = kMib / 4;
  const auto probe = Probe(limits);
  EXPECT_EQ(probe->Probe().pressure, "") << "one reading is no rate";
  WriteLog(20 * kMib);
  const StoreHealth growing = probe->Probe();
  EXPECT_TRUE(growing.writable);
  EXPECT_EQ(growing.pressure, "wal_growth");
  EXPECT_THAT(growing.detail, AllOf(HasSubstr("/s"), HasSubstr("max_wal_bytes_per_second")));
  EXPECT_EQ(probe->Probe().pressure, "");
}

TEST_F(HealthProbeTest, ReportsACommitThatTakesLong) {
  PgHealthLimits limits = NoLimits();
  limits.max_commit_latency = absl::Minutes(1);
  EXPECT_EQ(Probe(limits)->Probe().pressure, "");
  limits.max_commit_latency = absl::Nanoseconds(1);
  const StoreHealth slow = Probe(limits)->Probe();
  EXPECT_TRUE(slow.writable);
  EXPECT_EQ(slow.pressure, "commit_latency");
  EXPECT_THAT(slow.detail, AllOf(HasSubstr("took"), HasSubstr("max_commit_latency")));
}

TEST_F(HealthProbeTest, ItsCommitsAreSynced) {
  PgHealthLimits limits = NoLimits();
  limits.max_commit_latency = absl::Minutes(1);
  const auto probe = Probe(limits);
  // What was flushed is as far as what was inserted, and that is further than before.
  const auto flushed = [this] {
    return connection_
        ->Query("look", "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint")
        ->GetInt(0, 0);
  };
  const int64_t before = flushed();
  ASSERT_EQ(probe->Probe().pressure, "");
  EXPECT_GT(flushed(), before);
}

TEST_F(HealthProbeTest, ReportsSessionsThatWaitBehindOursAlsoBehindEachOther) {
  Run("CREATE TABLE sites(id bigint PRIMARY KEY, name text); INSERT INTO sites VALUES (1, 'Acme')");
  PostgresStoreOptions options;
  options.connection.conninfo = server_->OnSocket(database_);
  options.allow_superuser = true;
  options.map.tenant_table = "sites";
  options.health = NoLimits();
  options.health.max_sessions_waiting = 2;
  const auto store = PostgresStore::Create(options);
  const auto session = store->OpenTenant(*TenantId::Parse("1"), {.purpose = "rst-1"});
  ASSERT_THAT(session, IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  const TenantMap map = *store->Catalog();
  const std::string table = map.FindByName("sites")->schema.identity;
  ASSERT_THAT((*session)->Apply({.kind = ChangeKind::kReplace,
                                 .table = table,
                                 .key = RowKey("1"),
                                 .old_payload = "1\tAcme",
                                 .new_payload = "1\tAgain"}),
              IsOk());
  ASSERT_THAT((*session)->Seal().status(), IsOk());

  std::vector<std::thread> application;
  const auto wait = [&] {
    application.emplace_back([this] {
      PgOptions waiting;
      waiting.conninfo = server_->OnSocket(database_);
      waiting.application_name = "the application";
      const auto connection = *PgConnection::Connect(waiting);
      EXPECT_THAT(connection->Execute("write", "UPDATE sites SET name = 'theirs' WHERE id = 1"),
                  IsOk());
    });
    const std::string count = absl::StrCat(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND application_name = 'the application' AND datname = '",
        database_, "'");
    while (connection_->Query("look", count)->GetInt(0, 0) <
           static_cast<int64_t>(application.size())) {
      std::this_thread::yield();
    }
  };
  wait();
  wait();
  EXPECT_EQ(store->ProbeHealth().pressure, "") << "two are borne";
  wait();
  const StoreHealth blocked = store->ProbeHealth();
  EXPECT_EQ(blocked.pressure, "sessions_waiting");
  EXPECT_THAT(blocked.detail, HasSubstr("3 sessions wait"));
  ASSERT_THAT((*session)->Rollback(), IsOk());
  for (std::thread& thread : application) {
    thread.join();
  }
  EXPECT_EQ(store->ProbeHealth().pressure, "");
}

TEST_F(HealthProbeTest, SessionsThatWaitForOthersThanUsAreNoneOfOurs) {
  Run("CREATE TABLE t(i int)");
  Run("BEGIN; LOCK TABLE t");
  PgHealthLimits limits = NoLimits();
  limits.max_sessions_waiting = 1;
  std::vector<std::thread> application;
  for (int i = 0; i < 3; ++i) {
    application.emplace_back(
        [this] { EXPECT_THAT(Connect()->Execute("write", "INSERT INTO t VALUES (1)"), IsOk()); });
  }
  const std::string count = absl::StrCat(
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '",
      database_, "'");
  while (connection_->Query("look", count)->GetInt(0, 0) < 3) {
    // Within a transaction the view would stay as it was.
    Run("SELECT pg_stat_clear_snapshot()");
  }
  EXPECT_EQ(Probe(limits)->Probe().pressure, "");
  Run("COMMIT");
  for (std::thread& thread : application) {
    thread.join();
  }
}

TEST_F(HealthProbeTest, ADatabaseThatCannotBeReachedIsUnderPressureAndOneThatRefusesUsIsNot) {
  PgOptions nowhere;
  nowhere.conninfo = "host=127.0.0.1 port=1 dbname=x";
  const StoreHealth away = HealthProbe({.connection = nowhere, .limits = NoLimits()}).Probe();
  EXPECT_FALSE(away.writable);
  EXPECT_EQ(away.pressure, kUnreachable);
  PgOptions options;
  options.conninfo = server_->OnSocket(database_);
  const StoreHealth refused = HealthProbe({.connection = options, .limits = NoLimits()}).Probe();
  EXPECT_FALSE(refused.writable);
  EXPECT_EQ(refused.pressure, "") << "waiting does not help a role that is not allowed";
  EXPECT_THAT(refused.detail, HasSubstr("superuser"));
}

TEST_F(HealthProbeTest, WhatTheRoleMayNotSeeOrDoIsLeftOut) {
  const std::string role = database_ + "_blind";
  Run(absl::StrCat("CREATE ROLE ", role,
                   " LOGIN; REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, "
                   "text) FROM PUBLIC; REVOKE SELECT ON pg_replication_slots FROM PUBLIC"));
  PgHealthLimits limits = NoLimits();
  limits.max_commit_latency = absl::Nanoseconds(1);
  limits.min_slot_headroom_bytes = kMib;
  limits.max_wal_bytes_per_second = kMib / 10;
  PgOptions options;
  options.conninfo = absl::StrCat(server_->OnSocket(database_), " user=", role);
  HealthProbe probe({.connection = options, .limits = limits});
  for (int i = 0; i < 4; ++i) {
    const StoreHealth health = probe.Probe();
    EXPECT_TRUE(health.writable) << health.detail;
    EXPECT_EQ(health.pressure, "") << health.detail;
  }
  WriteLog(20 * kMib);
  EXPECT_EQ(probe.Probe().pressure, "wal_growth") << "what it may see still counts";
}

// --- With what concerns the whole server ---

class ReplicatedHealthTest : public HealthProbeTest {
 protected:
  ~ReplicatedHealthTest() override {
    Run("ALTER SYSTEM RESET ALL");
    Run("SELECT pg_reload_conf()");
    Run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
  }

  // Takes effect a little later.
  void Configure(const std::string& setting) {
    Run("ALTER SYSTEM SET " + setting);
    Run("SELECT pg_reload_conf()");
  }

  static void AwaitPressure(HealthProbe* probe, const std::string& pressure) {
    while (probe->Probe().pressure != pressure) {
      std::this_thread::yield();
    }
  }

  // Something that receives the log, and says how far it has synced it at the end of a segment.
  std::unique_ptr<Subprocess> Receive() {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
    auto receiver = Subprocess::Start({"/usr/lib/postgresql/15/bin/pg_receivewal", "-D",
                                       folder_.path(), "-d", server_->OnTcp(database_), "-n"},
                                      {});
    EXPECT_THAT(receiver, IsOk());
    while (connection_
               ->Query("look",
                       "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' "
                       "AND coalesce(flush_lsn, write_lsn) IS NOT NULL")
               ->GetInt(0, 0) == 0) {
      std::this_thread::yield();
    }
    return *std::move(receiver);
  }

  const TempDir folder_;
};

TEST_F(ReplicatedHealthTest, ReportsAStandbyThatIsBehind) {
  PgHealthLimits limits = NoLimits();
  limits.max_replication_lag_bytes = kMib;
  EXPECT_EQ(Probe(limits)->Probe().pressure, "") << "there is no standby";
  const auto receiver = Receive();
  receiver->Signal(SIGSTOP);
  WriteLog(40 * kMib);
  const StoreHealth behind = Probe(limits)->Probe();
  EXPECT_EQ(behind.pressure, "replication_lag");
  EXPECT_THAT(behind.detail, AllOf(HasSubstr("pg_receivewal"), HasSubstr("max_replication_lag")));
  limits.max_replication_lag_bytes = 1024 * kMib;
  EXPECT_EQ(Probe(limits)->Probe().pressure, "");
  receiver->Signal(SIGCONT);
}

TEST_F(ReplicatedHealthTest, ReportsASlotThatIsSoonLost) {
  PgHealthLimits limits = NoLimits();
  limits.min_slot_headroom_bytes = 100'000 * kMib;
  const auto strict = Probe(limits);
  EXPECT_EQ(strict->Probe().pressure, "") << "there is no slot";
  Run("SELECT pg_create_physical_replication_slot('standby_b', true)");
  EXPECT_EQ(strict->Probe().pressure, "") << "nothing limits it";
  EXPECT_EQ(strict->Probe().log_headroom_bytes, std::nullopt);
  Configure("max_slot_wal_keep_size = '1GB'");
  AwaitPressure(strict.get(), "slot_headroom");
  const StoreHealth tight = strict->Probe();
  EXPECT_TRUE(tight.writable);
  EXPECT_THAT(tight.detail, AllOf(HasSubstr("standby_b"), HasSubstr("min_slot_headroom")));
  limits.min_slot_headroom_bytes = kMib;
  const StoreHealth roomy = Probe(limits)->Probe();
  EXPECT_EQ(roomy.pressure, "");
  EXPECT_THAT(roomy.log_headroom_bytes, testing::Optional(testing::Gt(kMib)));
}

TEST_F(ReplicatedHealthTest, ACommitThatWaitsForAStandbyLeavesOneProcessBehindAndNoMore) {
  PgHealthLimits limits = NoLimits();
  limits.max_commit_latency = absl::Seconds(20);
  limits.probe_timeout = absl::Seconds(2);
  const auto probe = Probe(limits);
  Run("SET synchronous_commit = local");
  Configure("synchronous_standby_names = 'nobody'");
  AwaitPressure(probe.get(), "commit_latency");
  for (int i = 0; i < 3; ++i) {
    const StoreHealth health = probe->Probe();
    EXPECT_EQ(health.pressure, "commit_latency");
    EXPECT_TRUE(health.writable);
    EXPECT_THAT(health.detail, HasSubstr("max_commit_latency"));
    EXPECT_LE(
        connection_
            ->Query("look", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            ->GetInt(0, 0),
        1);
  }
  Configure("synchronous_standby_names = ''");
  AwaitPressure(probe.get(), "");
}

}  // namespace
}  // namespace reinstate
