// What a commit can come to, and what is left when the connection fails at any moment.

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/tcp_proxy.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

class PostgresCommitTest : public SessionWorld {
 protected:
  PostgresCommitTest() {
    Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, title text)");
    Run("INSERT INTO issue VALUES (1, 'a', 'one'), (2, 'a', 'two'), (3, 'b', 'theirs')");
  }

  std::string Contents() {
    return Value("SELECT string_agg(id || title, ',' ORDER BY id) FROM issue");
  }
  static constexpr const char* kBefore = "1one,2two,3theirs";
  static constexpr const char* kAfter = "1uno,3theirs,4four";

  std::vector<Change> Changes() {
    return {Delete("issue", {"2"}, "2\ta\ttwo"), Replace("issue", {"1"}, "1\ta\tone", "1\ta\tuno"),
            Insert("issue", {"4"}, "4\ta\tfour")};
  }
};

// On a server of its own, whose commits wait for a standby that never comes.
class SynchronousReplicationTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = PostgresServer::Start(
        {.fsync = false, .settings = {"synchronous_standby_names=missing", "max_wal_senders=4"}});
    ASSERT_THAT(started, IsOk());
    server_ = *std::move(started);
    options_.conninfo = server_->OnSocket("postgres");
    local_ = Connect();
    Run("SET synchronous_commit = local");
    Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text)");
  }

  std::unique_ptr<PgConnection> Connect() { return *PgConnection::Connect(options_); }
  void Run(const std::string& sql) { ASSERT_THAT(local_->Execute("test", sql), IsOk()); }
  std::string Value(const std::string& sql) {
    return std::string(local_->Query("test", sql)->Get(0, 0));
  }

  // Asks for a count of the connections whose transactions are being committed, until there is one.
  void AwaitCommitting(const std::string& count) {
    const absl::Time until = absl::Now() + absl::Seconds(30);
    while (Value(absl::StrCat("SELECT ", count,
                              " FROM pg_stat_activity WHERE wait_event = 'SyncRep'")) == "0") {
      ASSERT_LT(absl::Now(), until);
      absl::SleepFor(absl::Milliseconds(2));
    }
  }
  void AwaitWait() { AwaitCommitting("count(*)"); }
  void CancelWait() { AwaitCommitting("count(pg_cancel_backend(pid))"); }

  std::unique_ptr<PostgresSession> Sealed(const std::string& id) {
    PostgresSession::Setup setup;
    setup.connection = options_;
    setup.config.tenant_columns = {"tenant_id"};
    setup.tenant = TenantId::FromStored("a");
    auto session = *PostgresSession::Open(std::move(setup));
    EXPECT_THAT(session->Begin(), IsOk());
    EXPECT_THAT(session->Apply({.kind = ChangeKind::kInsert,
                                .table = Value("SELECT 'issue'::regclass::oid"),
                                .key = RowKey(id + std::string("\0\1", 2)),
                                .new_payload = id + "\ta"}),
                IsOk());
    EXPECT_THAT(session->Seal(), IsOk());
    return session;
  }

  std::unique_ptr<PostgresServer> server_;
  PgOptions options_;
  std::unique_ptr<PgConnection> local_;
};

TEST_F(SynchronousReplicationTest, ACancelledWaitLooksLikeSuccessAndIsReportedAsUnknown) {
  const auto naive = Connect();
  ASSERT_THAT(naive->Execute("test", "BEGIN; INSERT INTO issue VALUES (1, 'a')"), IsOk());
  std::thread first([this] { CancelWait(); });
  EXPECT_THAT(naive->Execute("test", "COMMIT"), IsOk()) << "the control arm";
  first.join();

  const auto session = Sealed("2");
  std::thread second([this] { CancelWait(); });
  EXPECT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), FailsWith(Reason::kCommitUnknown));
  second.join();
}

TEST_F(SynchronousReplicationTest, ACommitWhoseTimeIsUpIsUnknown) {
  auto session = Sealed("3");
  EXPECT_THAT(session->Commit(absl::Now() + absl::Seconds(2)), FailsWith(Reason::kCommitUnknown));
  // The commit goes on in the server, and the tenant is not free before it has ended.
  PostgresSession::Setup next;
  next.connection = options_;
  next.tenant = TenantId::FromStored("a");
  next.options.lock_timeout = absl::Milliseconds(100);
  EXPECT_THAT(PostgresSession::Open(next), FailsWith(Reason::kTenantBusy));
  CancelWait();
  session = nullptr;
  next.options.lock_timeout = absl::Seconds(20);
  EXPECT_THAT(PostgresSession::Open(next), IsOk());
}

TEST_F(SynchronousReplicationTest, ACancelOfTheSessionDoesNotCutACommitShort) {
  const auto session = Sealed("4");
  std::thread other([&] {
    AwaitWait();
    session->Cancel();
    absl::SleepFor(absl::Milliseconds(100));
    CancelWait();
  });
  EXPECT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), FailsWith(Reason::kCommitUnknown))
      << "as what came of the wait says, and not CANCELLED";
  other.join();
  EXPECT_EQ(Value("SELECT count(*) FROM issue WHERE id = 4"), "1");
}

TEST_F(PostgresCommitTest, LeavesNothingIfTheServerCrashesBeforeAndAllIfAfter) {
  auto started = PostgresServer::Start({.fsync = false, .settings = {}});
  ASSERT_THAT(started, IsOk());
  PostgresServer* const server = started->get();
  options_.conninfo = server->OnSocket("postgres");
  app_ = Connect();
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, title text)");
  Run("INSERT INTO issue VALUES (1, 'a', 'one'), (2, 'a', 'two'), (3, 'b', 'theirs')");
  {
    const auto session = Transaction("a");
    ASSERT_THAT(ApplyAll(session.get(), Changes()), IsOk());
    ASSERT_THAT(session->Seal(), IsOk());
    server->Crash();
    EXPECT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), FailsWith(Reason::kCommitUnknown));
    EXPECT_THAT(session->Begin(), testing::Not(IsOk()));
  }
  ASSERT_THAT(server->Resume(), IsOk());
  app_ = Connect();
  EXPECT_EQ(Contents(), kBefore);
  ASSERT_THAT(Commit(Transaction("a").get(), Changes()), IsOk());
  server->Crash();
  ASSERT_THAT(server->Resume(), IsOk());
  app_ = Connect();
  EXPECT_EQ(Contents(), kAfter);
}

TEST_F(PostgresCommitTest, FreesTheTenantWhenItsProcessIsGone) {
  const auto session = Transaction("a");
  ASSERT_THAT(ApplyAll(session.get(), Changes()), IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  Run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
      "'reinstate test'");
  EXPECT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), FailsWith(Reason::kCommitUnknown));
  EXPECT_EQ(Contents(), kBefore);
  EXPECT_THAT(Commit(Transaction("a").get(), Changes()), IsOk());
}

TEST_F(PostgresCommitTest, LosesItsLockWithItsConnectionAndSaysSo) {
  const auto session = Transaction("a");
  Run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
      "'reinstate test'");
  EXPECT_THAT(session->ReadTable(Id("issue")), FailsWith(Reason::kSessionLost));
  session->Rollback().IgnoreError();
  EXPECT_THAT(session->Begin(), FailsWith(Reason::kSessionLost));
  EXPECT_THAT(session->Rollback(), FailsWith(Reason::kSessionLost))
      << "so that whoever uses it opens another";
}

// A network that fails at each message of a restore, in each way.
class NetworkTest : public PostgresCommitTest {
 protected:
  static constexpr absl::Duration kShort = absl::Milliseconds(250);
  static constexpr absl::Duration kLong = absl::Seconds(30);

  // Takes a session through its life. The outcome of the commit, or of the first call that failed.
  struct Outcome {
    absl::Status status;
    bool committing = false;
  };
  Outcome Restore(absl::Duration silence) {
    auto setup = SetupFor("a");
    setup.connection.conninfo =
        absl::StrCat("host=127.0.0.1 port=", proxy_.port(), " user=postgres dbname=", database_);
    setup.connection.silence_timeout = silence;
    setup.connection.connect_timeout = 2 * silence;
    auto session = PostgresSession::Open(std::move(setup));
    if (!session.ok()) {
      return {.status = session.status()};
    }
    absl::Status status = (*session)->Begin();
    if (status.ok()) {
      status = ReadAll(session->get());
    }
    if (status.ok()) {
      status = ApplyAll(session->get(), changes_);
    }
    if (status.ok()) {
      status = (*session)->Seal().status();
    }
    if (!status.ok()) {
      return {.status = status};
    }
    return {.status = (*session)->Commit(absl::Now() + 2 * silence), .committing = true};
  }

  absl::Status ReadAll(PostgresSession* session) {
    const auto stream = session->ReadTable(changes_.front().table);
    if (!stream.ok()) {
      return stream.status();
    }
    Record record;
    int rows = 0;
    while (true) {
      const auto more = (*stream)->Next(&record);
      if (!more.ok()) {
        return more.status();
      }
      if (!*more) {
        EXPECT_EQ(rows, 2) << "a stream never ends early";
        return absl::OkStatus();
      }
      ++rows;
    }
  }

  void Check(const Outcome& outcome, const std::string& fault) {
    SCOPED_TRACE(absl::StrCat(fault, ": ", outcome.status.ToString()));
    proxy_.CutAll();
    proxy_.Reset();
    // The next session of the tenant waits until the transaction of this one has ended.
    ASSERT_NE(Open("a"), nullptr);
    const std::string contents = Contents();
    ASSERT_THAT(contents, AnyOf(kBefore, kAfter));
    const bool unknown = HasReason(outcome.status, Reason::kCommitUnknown);
    if (outcome.status.ok()) {
      EXPECT_EQ(contents, kAfter);
    } else if (!unknown) {
      EXPECT_EQ(contents, kBefore);
    }
    EXPECT_TRUE(outcome.committing || !unknown);
    EXPECT_THAT(ReasonOf(outcome.status),
                AnyOf("", "SESSION_LOST", "UNAVAILABLE", "COMMIT_UNKNOWN", "DEADLINE_EXCEEDED"));
    ++(outcome.status.ok() ? done_ : unknown ? unknown_ : failed_);
    unknown_after_ += unknown && contents == kAfter ? 1 : 0;
    if (contents == kAfter) {
      Run("UPDATE issue SET title = 'one' WHERE id = 1; DELETE FROM issue WHERE id = 4; INSERT "
          "INTO "
          "issue VALUES (2, 'a', 'two')");
    }
  }

  void TryAll(TcpProxy::Action action, absl::Duration delay, int64_t stride) {
    proxy_.Reset();
    const Outcome whole = Restore(kLong);
    ASSERT_THAT(whole.status, IsOk());
    const int64_t messages[] = {proxy_.messages(TcpProxy::Direction::kToServer),
                                proxy_.messages(TcpProxy::Direction::kToClient)};
    Check(whole, "none");
    for (const auto direction : {TcpProxy::Direction::kToServer, TcpProxy::Direction::kToClient}) {
      const int64_t last = messages[static_cast<int>(direction)];
      // The commit is among the last.
      for (int64_t after = 0; after <= last; after += after + 8 < last ? stride : 1) {
        proxy_.Reset();
        proxy_.Inject({.direction = direction,
                       .action = action,
                       .after = after,
                       .count_messages = true,
                       .delay = delay});
        // Only what stalls has to be given up.
        Check(
            Restore(action == TcpProxy::Action::kStall ? kShort : kLong),
            absl::StrCat("after ", after, " messages in direction ", static_cast<int>(direction)));
        if (HasFatalFailure()) {
          return;
        }
      }
    }
  }

  // What arrives together is a message, which is a step of the protocol.
  TcpProxy proxy_{server_->port()};
  const std::vector<Change> changes_ = Changes();
  int done_ = 0;
  int failed_ = 0;
  int unknown_ = 0;
  int unknown_after_ = 0;
};

TEST_F(NetworkTest, LeavesBeforeOrAfterWhereverItIsCut) {
  TryAll(TcpProxy::Action::kCut, absl::ZeroDuration(), 1);
  // How answers fall into packets is up to chance: that to the commit is lost on purpose.
  proxy_.Reset();
  proxy_.CutAt("session_replication_role = replica", std::string("COMMIT\0", 7),
               TcpProxy::Place::kBeforeAnswer);
  Check(Restore(kLong), "before the answer to the commit");
  EXPECT_GT(failed_, 20);
  EXPECT_GT(unknown_, 0);
  EXPECT_GT(unknown_after_, 0) << "a commit whose answer was lost";
}

TEST_F(NetworkTest, LeavesBeforeOrAfterWhereverItStalls) {
  TryAll(TcpProxy::Action::kStall, absl::ZeroDuration(), 5);
  EXPECT_GT(failed_, 5);
  EXPECT_GT(unknown_, 0);
}

TEST_F(NetworkTest, IsOnlySlowIfTheNetworkIs) {
  TryAll(TcpProxy::Action::kDelay, absl::Milliseconds(1), 10);
  EXPECT_EQ(failed_, 0);
  EXPECT_EQ(unknown_, 0);
  EXPECT_GT(done_, 5);
}

}  // namespace
}  // namespace reinstate
