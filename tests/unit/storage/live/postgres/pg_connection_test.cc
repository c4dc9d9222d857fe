#include "storage/live/postgres/pg_connection.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "tests/support/manual_clock.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tcp_proxy.h"

namespace reinstate {
namespace {

using testing::HasSubstr;
using testing::Not;

PgOptions OptionsFor(std::string conninfo) {
  PgOptions options;
  options.conninfo = std::move(conninfo);
  options.lock_timeout = absl::Milliseconds(100);
  return options;
}

class PgConnectionTest : public testing::Test {
 protected:
  std::unique_ptr<PgConnection> Connect(std::string conninfo) {
    auto connection = PgConnection::Connect(OptionsFor(std::move(conninfo)));
    EXPECT_THAT(connection, IsOk());
    return connection.ok() ? *std::move(connection) : nullptr;
  }
  std::unique_ptr<PgConnection> Connect() { return Connect(server_->OnSocket(database_)); }

  // The only value of the only row.
  static std::string Value(PgConnection* connection, const std::string& sql) {
    const auto result = connection->Query("test", sql);
    EXPECT_THAT(result, IsOk());
    return result.ok() && result->rows() == 1 ? std::string(result->Get(0, 0)) : "(none)";
  }

  PostgresServer* const server_ = PostgresServer::Shared();
  const std::string database_ = server_->MakeDatabase();
};

TEST_F(PgConnectionTest, GivesWhatAStatementGave) {
  const auto connection = Connect();
  const auto result = connection->Query("test", "SELECT $1::int + 1, $2::text, true, ''",
                                        {PgParam("41"), PgParam()});
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->rows(), 1);
  EXPECT_EQ(result->columns(), 4);
  EXPECT_EQ(result->GetInt(0, 0), 42);
  EXPECT_TRUE(result->IsNull(0, 1));
  EXPECT_TRUE(result->GetBool(0, 2));
  EXPECT_FALSE(result->IsNull(0, 3));
  EXPECT_GE(connection->server_version(), 150000);
  EXPECT_THAT(connection->address(), HasSubstr(database_));
}

TEST_F(PgConnectionTest, CopiesLinesInAndOutUnchanged) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Begin({}), IsOk());
  ASSERT_THAT(connection->Execute("test", "CREATE TABLE t(a int, b text)"), IsOk());
  std::string lines;
  for (int i = 0; i < 20000; ++i) {
    absl::StrAppend(&lines, i, "\tsome text with \\t and \\\\ and \xc3\xa9\n");
  }
  ASSERT_THAT(connection->StartCopyIn("test", "COPY t FROM STDIN"), IsOk());
  ASSERT_THAT(connection->PutLines(lines), IsOk());
  const auto copied = connection->EndCopyIn();
  ASSERT_THAT(copied, IsOk());
  EXPECT_EQ(*copied, 20000);
  ASSERT_THAT(connection->StartCopyOut("test", "COPY (SELECT * FROM t ORDER BY a) TO STDOUT"),
              IsOk());
  std::string read;
  std::string_view line;
  for (auto more = connection->NextLine(&line); more.ok() && *more;
       more = connection->NextLine(&line)) {
    read.append(line).append("\n");
  }
  EXPECT_EQ(read, lines);
  EXPECT_EQ(Value(connection.get(), "SELECT count(*) FROM t"), "20000");
}

TEST_F(PgConnectionTest, GoesOnAfterLinesThatWereDropped) {
  const auto connection = Connect();
  ASSERT_THAT(
      connection->StartCopyOut("test", "COPY (SELECT generate_series(1, 100000)) TO STDOUT"),
      IsOk());
  std::string_view line;
  ASSERT_THAT(connection->NextLine(&line), IsOk());
  EXPECT_EQ(line, "1");
  ASSERT_THAT(connection->DropLines(), IsOk());
  EXPECT_EQ(Value(connection.get(), "SELECT 1"), "1");
}

TEST_F(PgConnectionTest, EndsACopyThatTheServerRefusesWithItsErrorAndWithoutTheValue) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Execute("test", "CREATE TABLE t(a int PRIMARY KEY)"), IsOk());
  ASSERT_THAT(connection->StartCopyIn("copy rows", "COPY t FROM STDIN"), IsOk());
  absl::Status status = connection->PutLines("71\n71\n");
  if (status.ok()) {
    status = connection->EndCopyIn().status();
  }
  EXPECT_THAT(status, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(status.message()), HasSubstr("t_pkey"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("71")));
  EXPECT_EQ(connection->server_error().constraint, "t_pkey");
}

TEST_F(PgConnectionTest, IsClosedByAnErrorAndNeverUsedAgain) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Begin({}), IsOk());
  EXPECT_THAT(connection->Query("look", "SELECT 1 / 0"), FailsWith(Reason::kUnsupported));
  EXPECT_TRUE(connection->broken());
  EXPECT_THAT(connection->Query("look", "SELECT 1"), FailsWith(Reason::kSessionLost));
  EXPECT_THAT(connection->Rollback(), IsOk());
}

TEST_F(PgConnectionTest, NamesThePrivilegeThatIsMissing) {
  const auto owner = Connect();
  ASSERT_THAT(owner->Execute("test", absl::StrCat("CREATE TABLE secret(a int); CREATE ROLE r_",
                                                  database_, " LOGIN")),
              IsOk());
  const auto connection =
      Connect(absl::StrCat(server_->OnSocket(database_), " user=r_", database_));
  const auto result = connection->Query("read the rows", "SELECT * FROM secret");
  EXPECT_THAT(result, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("secret"));
}

TEST_F(PgConnectionTest, PinsWhatTheTextOfValuesDependsOn) {
  const auto connection = Connect(absl::StrCat(
      server_->OnSocket(database_),
      " options='-c DateStyle=German -c IntervalStyle=iso_8601 -c TimeZone=Asia/Tokyo -c "
      "extra_float_digits=-5 -c bytea_output=escape -c statement_timeout=1s -c "
      "default_transaction_read_only=on -c default_transaction_isolation=serializable'"));
  const std::string values =
      "SELECT concat_ws('|', timestamptz '2026-02-03 04:05:06+00', interval '1 day 2 hours', "
      "0.1::float8 + 0.2, bytea '\\x00ff', current_setting('statement_timeout'), "
      "current_setting('transaction_read_only'), current_setting('transaction_isolation'))";
  // The control arm: what a role's settings make of it.
  EXPECT_EQ(Value(connection.get(), values),
            "03.02.2026 13:05:06 JST|P1DT2H|0.3|\\000\\377|1s|on|serializable");
  ASSERT_THAT(connection->Begin({}), IsOk());
  EXPECT_EQ(Value(connection.get(), values),
            "2026-02-03 04:05:06+00|1 day 02:00:00|0.30000000000000004|\\x00ff|0|off|"
            "repeatable read");
}

TEST_F(PgConnectionTest, IsNotEndedByTheTimeOutsOfARole) {
  const std::string conninfo =
      absl::StrCat(server_->OnSocket(database_),
                   " options='-c statement_timeout=1s -c idle_in_transaction_session_timeout=1s -c "
                   "idle_session_timeout=1s'");
  const auto naive = Connect(conninfo);
  EXPECT_THAT(naive->StartCopyOut("read", "COPY (SELECT pg_sleep(30)) TO STDOUT").ok()
                  ? naive->DropLines()
                  : absl::OkStatus(),
              FailsWith(Reason::kCancelled))
      << "the control arm";

  const auto connection = Connect(conninfo);
  absl::SleepFor(absl::Milliseconds(1200));
  ASSERT_THAT(connection->Begin({}), IsOk());
  absl::SleepFor(absl::Milliseconds(1200));
  ASSERT_THAT(connection->StartCopyOut("read", "COPY (SELECT pg_sleep(1.2)) TO STDOUT"), IsOk());
  EXPECT_THAT(connection->DropLines(), IsOk());
  EXPECT_THAT(connection->Commit(absl::InfiniteFuture(), Clock::System()), IsOk());
}

TEST_F(PgConnectionTest, WaitsForALockNoLongerThanItWasTold) {
  const auto holder = Connect();
  ASSERT_THAT(holder->Execute("test", "CREATE TABLE t(a int); BEGIN; LOCK TABLE t"), IsOk());
  const auto connection = Connect();
  ASSERT_THAT(connection->Begin({}), IsOk());
  EXPECT_THAT(connection->Query("read", "SELECT * FROM t"), FailsWith(Reason::kLiveChanged));
}

TEST_F(PgConnectionTest, EndsARunningStatementOnCancel) {
  const auto connection = Connect();
  std::thread canceller([&] {
    absl::SleepFor(absl::Milliseconds(50));
    connection->Cancel();
  });
  const absl::Time start = absl::Now();
  EXPECT_THAT(connection->Query("sleep", "SELECT pg_sleep(30)"), FailsWith(Reason::kCancelled));
  canceller.join();
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_THAT(connection->Query("sleep", "SELECT 1"), FailsWith(Reason::kCancelled));
  // The server gives it up too, within its interval for looking after the client.
  const auto other = Connect();
  const absl::Time until = absl::Now() + absl::Seconds(20);
  while (Value(other.get(),
               "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
               "'SELECT pg_sleep(30)%'") != "0") {
    ASSERT_LT(absl::Now(), until);
    absl::SleepFor(absl::Milliseconds(20));
  }
}

TEST_F(PgConnectionTest, GivesUpAServerThatIsSilent) {
  TcpProxy proxy(server_->port());
  PgOptions options = OptionsFor(
      absl::StrCat("host=127.0.0.1 port=", proxy.port(), " user=postgres dbname=", database_));
  options.silence_timeout = absl::Seconds(2);
  auto connection = PgConnection::Connect(options);
  ASSERT_THAT(connection, IsOk());
  proxy.Inject({.direction = TcpProxy::Direction::kToClient, .action = TcpProxy::Action::kStall});
  EXPECT_THAT((*connection)->Query("look", "SELECT 1"), FailsWith(Reason::kSessionLost));
  options.connect_timeout = absl::Milliseconds(300);
  EXPECT_THAT(PgConnection::Connect(options), FailsWith(Reason::kUnavailable));
}

TEST_F(PgConnectionTest, StopsWaitingForAServerThatIsSilentOnceItIsNotWantedAnyMore) {
  TcpProxy proxy(server_->port());
  PgOptions options = OptionsFor(
      absl::StrCat("host=127.0.0.1 port=", proxy.port(), " user=postgres dbname=", database_));
  options.connect_timeout = absl::Minutes(1);
  const auto connection = PgConnection::Connect(options);
  ASSERT_THAT(connection, IsOk());
  proxy.Inject({.direction = TcpProxy::Direction::kToClient, .action = TcpProxy::Action::kStall});
  absl::Time wanted_until;
  const auto should_end = [&] {
    return absl::Now() < wanted_until ? absl::OkStatus()
                                      : MakeError(Reason::kShuttingDown, "not wanted any more");
  };
  wanted_until = absl::Now() + absl::Milliseconds(200);
  EXPECT_THAT(PgConnection::Connect(options, should_end), FailsWith(Reason::kShuttingDown));
  wanted_until = absl::Now() + absl::Milliseconds(200);
  (*connection)->EndWhen(should_end);
  EXPECT_THAT((*connection)->Query("look", "SELECT 1"), FailsWith(Reason::kShuttingDown));
  EXPECT_LT(absl::Now() - wanted_until, absl::Seconds(2));
  EXPECT_THAT((*connection)->Query("look", "SELECT 1"), FailsWith(Reason::kSessionLost));
}

TEST_F(PgConnectionTest, SaysWhyItCannotConnect) {
  EXPECT_THAT(PgConnection::Connect(OptionsFor("host=127.0.0.1 port=1 dbname=x")),
              FailsWith(Reason::kUnavailable));
  EXPECT_THAT(PgConnection::Connect(OptionsFor(server_->OnSocket("no_such_database"))),
              FailsWith(Reason::kNotAllowed))
      << "waiting does not help";
  EXPECT_THAT(PgConnection::Connect(
                  OptionsFor(absl::StrCat(server_->OnSocket(database_), " user=nobody_here"))),
              FailsWith(Reason::kNotAllowed));
  const auto malformed = PgConnection::Connect(OptionsFor("password='hunter2 "));
  EXPECT_THAT(malformed, FailsWith(Reason::kConfigInvalid));
  EXPECT_THAT(std::string(malformed.status().message()), Not(HasSubstr("hunter2")));
}

TEST_F(PgConnectionTest, CommitsNothingAfterTheDeadline) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Execute("test", "CREATE TABLE t(a int)"), IsOk());
  ASSERT_THAT(connection->Begin({}), IsOk());
  ASSERT_THAT(connection->Execute("test", "INSERT INTO t VALUES (1)"), IsOk());
  const ManualClock clock;
  EXPECT_THAT(connection->Commit(clock.Now(), &clock), FailsWith(Reason::kDeadlineExceeded));
  EXPECT_EQ(Value(Connect().get(), "SELECT count(*) FROM t"), "0");
}

TEST_F(PgConnectionTest, BeginsWithMoreStatementsInPlaceOfTheTransactionThatIsOpen) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Execute("test", "CREATE TABLE t(a int)"), IsOk());
  ASSERT_THAT(connection->Begin({}), IsOk());
  ASSERT_THAT(connection->Execute("test", "INSERT INTO t VALUES (1)"), IsOk());
  const auto last = connection->BeginWith({.repeatable_read = true}, "test",
                                          "INSERT INTO t VALUES (2); SELECT sum(a) FROM t");
  ASSERT_THAT(last, IsOk());
  ASSERT_EQ(last->size(), 1U);
  EXPECT_EQ(last->front().Get(0, 0), "2");
  EXPECT_EQ(Value(connection.get(), "SELECT current_setting('transaction_isolation')"),
            "repeatable read");
  ASSERT_THAT(connection->Rollback(), IsOk());
  EXPECT_EQ(Value(connection.get(), "SELECT count(*) FROM t"), "0");
}

TEST_F(PgConnectionTest, AsksOnceForWhatCannotChange) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Execute("test", "CREATE SEQUENCE s"), IsOk());
  const std::string next = "SELECT nextval('s')";
  for (int i = 0; i < 3; ++i) {
    const auto value = connection->AskOnce("test", next);
    ASSERT_THAT(value, IsOk());
    EXPECT_EQ(*value, "1");
  }
  EXPECT_EQ(Value(connection.get(), next), "2");
  // NULL says that it is not known yet.
  const std::string unknown = "SELECT nullif(nextval('s'), 3)";
  EXPECT_EQ(connection->AskOnce("test", unknown).value_or("an error"), std::nullopt);
  EXPECT_EQ(connection->AskOnce("test", unknown).value_or("an error"), "4");
}

TEST_F(PgConnectionTest, KeepsStatementsWithParameters) {
  const auto connection = Connect();
  for (const std::string text : {"1", "22", "1"}) {
    const auto length = connection->QueryKept("test", "SELECT length($1::text)", {text});
    ASSERT_THAT(length, IsOk());
    EXPECT_EQ(length->Get(0, 0), std::to_string(text.size()));
  }
  EXPECT_EQ(Value(connection.get(), "SELECT count(*) FROM pg_prepared_statements"), "1");
}

TEST_F(PgConnectionTest, KeptStatementsShareARoundTripWithOthers) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Begin({}), IsOk());
  const std::string text = "it's \\ '); DROP TABLE t; --";
  for (int i = 0; i < 2; ++i) {
    const auto kept =
        connection->KeptSql("test", "SELECT $1::text, $2::int IS NULL", {text, std::nullopt});
    ASSERT_THAT(kept, IsOk());
    const auto all = connection->QueryAll(
        "test", absl::StrCat("SET LOCAL lock_timeout = 7; ", *kept, "; SELECT 1 WHERE false"));
    ASSERT_THAT(all, IsOk());
    ASSERT_EQ(all->size(), 2U) << "what gives no rows is left out";
    EXPECT_EQ((*all)[0].Get(0, 0), text);
    EXPECT_EQ((*all)[0].Get(0, 1), "t");
    EXPECT_EQ((*all)[1].rows(), 0);
  }
  EXPECT_EQ(Value(connection.get(), "SELECT count(*) FROM pg_prepared_statements"), "1");
  EXPECT_THAT(connection->QueryAll("test", "SELECT 1; SELECT 1 / 0; SELECT 2"),
              FailsWith(Reason::kUnsupported));
  EXPECT_TRUE(connection->broken());
}

TEST_F(PgConnectionTest, CopiesIntoOneTableAfterTheOtherInOneGo) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Execute("test", "CREATE TABLE t(a int); CREATE TABLE u(b text)"), IsOk());
  const std::string both = "COPY t FROM STDIN; COPY u FROM STDIN";
  ASSERT_THAT(connection->StartCopyIn("copy rows of t", both), IsOk());
  ASSERT_THAT(connection->PutLines("1\n2\n"), IsOk());
  EXPECT_EQ(connection->NextCopyIn("copy rows of u").value_or(-1), 2);
  ASSERT_THAT(connection->PutLines("x\n"), IsOk());
  EXPECT_EQ(connection->EndCopyIn().value_or(-1), 1);
  EXPECT_EQ(Value(connection.get(), "SELECT sum(a) FROM t"), "3");
  EXPECT_EQ(Value(connection.get(), "SELECT b FROM u"), "x");

  // An error is that of the table whose rows it is about.
  ASSERT_THAT(connection->StartCopyIn("copy rows of t", both), IsOk());
  ASSERT_THAT(connection->PutLines("none\n"), IsOk());
  const auto copied = connection->NextCopyIn("copy rows of u");
  EXPECT_THAT(std::string(copied.status().message()), HasSubstr("copy rows of t"));
}

TEST_F(PgConnectionTest, SaysWhichOfSeveralCopiesCouldNotBegin) {
  const auto connection = Connect();
  ASSERT_THAT(connection->Execute("test", "CREATE TABLE t(a int)"), IsOk());
  ASSERT_THAT(connection->StartCopyIn("copy rows of t", "COPY t FROM STDIN; COPY u FROM STDIN"),
              IsOk());
  const auto copied = connection->NextCopyIn("copy rows of u");
  EXPECT_THAT(std::string(copied.status().message()), HasSubstr("copy rows of u"));
  EXPECT_TRUE(connection->broken());
}

}  // namespace
}  // namespace reinstate
