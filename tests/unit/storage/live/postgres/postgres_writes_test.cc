// What a session writes belongs to its tenant, and gets in whatever the constraints are. Where the
// statement that comes to mind fails or corrupts, it is tried first, as the control arm.

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/live/postgres/commit_token.h"
#include "storage/live/postgres/large_changes.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PostgresWritesTest : public SessionWorld {
 protected:
  // What the server says to a statement of the application.
  std::string SqlstateOf(const std::string& sql) {
    const auto connection = Connect();
    EXPECT_FALSE(connection->Execute("try", sql).ok()) << sql;
    return connection->server_error().sqlstate;
  }

  absl::Status CommitFor(const std::string& tenant, const std::vector<Change>& changes) {
    return Commit(Transaction(tenant).get(), changes);
  }
};

// --- Whose rows are ---

TEST_F(PostgresWritesTest, AFunctionInACheckThatNeedsASearchPathSaysSo) {
  Run("CREATE SCHEMA app");
  Run("CREATE FUNCTION app.is_low(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 < 9'");
  Run("CREATE FUNCTION app.is_fine(int) RETURNS bool LANGUAGE plpgsql AS "
      "'BEGIN RETURN is_low($1); END'");
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, CHECK (app.is_fine(id)))");
  const std::vector<Change> changes = {Insert("issue", {"1"}, "1\ta")};
  const absl::Status status = Commit(Transaction("a").get(), changes);
  EXPECT_THAT(status, FailsWith(Reason::kUnsupported));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("table issue"), HasSubstr("is_low"), HasSubstr("search_path")));

  options_.search_path = {"app"};
  EXPECT_THAT(Commit(Transaction("a").get(), changes), IsOk());
}

TEST_F(PostgresWritesTest, AColumnThatRefersToAnotherNumberOfTheTenantsGivesNobodyElsesRows) {
  config_.tenant_table = "tenants";
  Run("CREATE TABLE tenants(id int PRIMARY KEY, account_no int UNIQUE);"
      "INSERT INTO tenants VALUES (1, 2), (2, 1);"
      "CREATE TABLE doc(id int PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants(account_no));"
      "INSERT INTO doc VALUES (10, 2), (20, 1)");
  EXPECT_EQ(Value("SELECT id FROM doc WHERE tenant_id = 1"), "20")
      << "the control arm: by its name, the first tenant would get the second one's row";
  const auto session = Transaction("1");
  EXPECT_THAT(Read(session.get(), "doc"), ElementsAre("10\t2"));
}

TEST_F(PostgresWritesTest, AGeneratedColumnCanBeTheOwner) {
  Run("CREATE TABLE doc(id int PRIMARY KEY, path text,"
      "  tenant_id text GENERATED ALWAYS AS (split_part(path, '/', 1)) STORED);"
      "INSERT INTO doc(id, path) VALUES (1, 'a/one'), (2, 'b/two')");
  ASSERT_THAT(CommitFor("a", {Replace("doc", {"1"}, "1\ta/one", "1\ta/uno"),
                              Insert("doc", {"3"}, "3\ta/three")}),
              IsOk());
  EXPECT_EQ(Value("SELECT string_agg(path, ' ' ORDER BY id) FROM doc"), "a/uno b/two a/three");
  EXPECT_THAT(CommitFor("a", {Replace("doc", {"1"}, "1\ta/uno", "1\tb/uno")}),
              FailsWith(Reason::kInternal));
  EXPECT_THAT(CommitFor("a", {Insert("doc", {"4"}, "4\tb/four")}), FailsWith(Reason::kInternal));
  EXPECT_EQ(Value("SELECT string_agg(path, ' ' ORDER BY id) FROM doc"), "a/uno b/two a/three");
}

TEST_F(PostgresWritesTest, AnIdInAnotherSpellingIsTheTenants) {
  config_.tenant_table = "tenants";
  Run("CREATE TABLE tenants(id bigint PRIMARY KEY); INSERT INTO tenants VALUES (7), (8);"
      "CREATE TABLE doc(id int PRIMARY KEY, tenant_id text); INSERT INTO doc VALUES (1, '007')");
  ASSERT_THAT(
      CommitFor("7", {Replace("doc", {"1"}, "1\t007", "1\t07"), Insert("doc", {"2"}, "2\t0007")}),
      IsOk());
  EXPECT_EQ(Value("SELECT string_agg(tenant_id, ' ' ORDER BY id) FROM doc"), "07 0007");
  EXPECT_THAT(CommitFor("7", {Insert("doc", {"3"}, "3\t008")}), FailsWith(Reason::kInternal));
  EXPECT_THAT(CommitFor("7", {Insert("doc", {"3"}, "3\t\\N")}), FailsWith(Reason::kInternal));
  EXPECT_EQ(Value("SELECT count(*) FROM doc"), "2");
}

TEST_F(PostgresWritesTest, AnUpperCaseUuidInATextColumnIsTheTenants) {
  config_.tenant_table = "tenants";
  const std::string id = "aaaaaaaa-0000-0000-0000-000000000001";
  Run(absl::StrCat("CREATE TABLE tenants(id uuid PRIMARY KEY); INSERT INTO tenants VALUES ('", id,
                   "'); CREATE TABLE doc(id int PRIMARY KEY, tenant_id text)"));
  EXPECT_THAT(CommitFor(id, {Insert("doc", {"1"}, "1\tAAAAAAAA-0000-0000-0000-000000000001")}),
              IsOk());
  EXPECT_THAT(CommitFor(id, {Insert("doc", {"2"}, "2\tAAAAAAAA-0000-0000-0000-000000000002")}),
              FailsWith(Reason::kInternal));
}

TEST_F(PostgresWritesTest, APaddedIdIsTheTenants) {
  Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id char(8)); INSERT INTO doc VALUES (1, 'a')");
  ASSERT_THAT(CommitFor("a", {Insert("doc", {"2"}, "2\ta       ")}), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE tenant_id = 'a'"), "2");
  EXPECT_THAT(CommitFor("a", {Insert("doc", {"3"}, "3\tb       ")}), FailsWith(Reason::kInternal));
}

// Rows that say nothing of their tenant go to whom their parent belongs.
class PathWritesTest : public PostgresWritesTest {
 protected:
  PathWritesTest() {
    Run("CREATE TABLE project(id int PRIMARY KEY, tenant_id text);"
        "CREATE TABLE issue(id int PRIMARY KEY, project int NOT NULL REFERENCES project, t text);"
        "CREATE TABLE comment(issue int NOT NULL REFERENCES issue, t text);"
        "INSERT INTO project VALUES (1, 'a'), (2, 'b');"
        "INSERT INTO issue VALUES (10, 1, 'one'), (20, 2, 'theirs')");
  }
  std::string Issues() {
    return Value("SELECT string_agg(id || ' ' || project, ',' ORDER BY id) FROM issue");
  }
};

TEST_F(PathWritesTest, NoRowIsInsertedUnderAnotherTenantsParent) {
  const absl::Status refused = CommitFor("a", {Insert("issue", {"11"}, "11\t2\tours?")});
  EXPECT_THAT(refused, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("issue would not be the tenant's"));
  EXPECT_THAT(CommitFor("a", {Insert("comment", {"h", "0"}, "20\tours?")}),
              FailsWith(Reason::kKeyConflict))
      << "a table without a key";
  EXPECT_EQ(Issues(), "10 1,20 2");
  EXPECT_EQ(Value("SELECT count(*) FROM comment"), "0");
}

TEST_F(PathWritesTest, NoRowIsMovedUnderAnotherTenantsParent) {
  EXPECT_THAT(CommitFor("a", {Replace("issue", {"10"}, "10\t1\tone", "10\t2\tone")}),
              FailsWith(Reason::kKeyConflict));
  EXPECT_EQ(Issues(), "10 1,20 2");
}

TEST_F(PathWritesTest, RowsComeWithTheirParentsInAnyOrder) {
  ASSERT_THAT(
      CommitFor("a",
                {Replace("issue", {"10"}, "10\t1\tone", "10\t3\tone"),
                 Insert("issue", {"11"}, "11\t3\tnew"), Insert("comment", {"h", "0"}, "11\thi"),
                 Insert("comment", {"h", "1"}, "10\thi"), Insert("project", {"3"}, "3\ta")}),
      IsOk());
  EXPECT_EQ(Issues(), "10 3,11 3,20 2");

  const std::vector<Change> with_parents = {
      Insert("issue", {"12"}, "12\t4\tnew"), Insert("comment", {"h", "0"}, "12\thi"),
      Insert("comment", {"h", "1"}, "20\tours?"), Insert("project", {"4"}, "4\ta")};
  EXPECT_THAT(CommitFor("a", with_parents), FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(CommitFor("a", {with_parents[0], with_parents[1], with_parents[3]}), IsOk());
  EXPECT_EQ(Issues(), "10 3,11 3,12 4,20 2");
  EXPECT_THAT(
      CommitFor("a", {Insert("issue", {"13"}, "13\t5\tnew"), Insert("project", {"5"}, "5\tb")}),
      FailsWith(Reason::kInternal))
      << "a parent that is another tenant's itself";
}

// --- How rows get in ---

TEST_F(PostgresWritesTest, AnIdentityColumnThatIsAlwaysGeneratedIsRestored) {
  Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id text, n int GENERATED ALWAYS AS IDENTITY);"
      "INSERT INTO doc OVERRIDING SYSTEM VALUE VALUES (1, 'a', 5), (2, 'a', 6)");
  EXPECT_EQ(SqlstateOf("UPDATE doc SET n = 7 WHERE id = 1"), "428C9") << "the control arm";
  ASSERT_THAT(CommitFor("a", {Replace("doc", {"1"}, "1\ta\t5", "1\ta\t7"),
                              Insert("doc", {"3"}, "3\ta\t9")}),
              IsOk());
  EXPECT_EQ(Value("SELECT string_agg(id || ' ' || n, ',' ORDER BY id) FROM doc"), "1 7,2 6,3 9");
  EXPECT_EQ(Value("INSERT INTO doc(id, tenant_id) VALUES (4, 'a') RETURNING n"), "10")
      << "the sequence is past what came back";
}

// Each index, with rows 1 and 2 that change places in it.
TEST_F(PostgresWritesTest, ValuesChangePlacesUnderIndexesThatOnlyTheServerCanCompute) {
  const char* const kIndexes[] = {
      "CREATE UNIQUE INDEX ON doc(lower(v))",
      "CREATE UNIQUE INDEX ON doc(v) WHERE id > 0",
      "ALTER TABLE doc ADD g text GENERATED ALWAYS AS (upper(v)) STORED UNIQUE",
      "ALTER TABLE doc ADD EXCLUDE USING btree (v WITH =)",
      "CREATE UNIQUE INDEX ON doc(v)",
  };
  for (const char* const index : kIndexes) {
    Run("DROP TABLE IF EXISTS doc; CREATE TABLE doc(id int PRIMARY KEY, tenant_id text, v text);"
        "INSERT INTO doc VALUES (1, 'a', 'x'), (2, 'a', 'y'), (3, 'a', 'z')");
    Run(index);
    EXPECT_THAT(SqlstateOf("UPDATE doc SET v = 'y' WHERE id = 1; UPDATE doc SET v = 'x' WHERE id = "
                           "2"),
                AnyOf("23505", "23P01"))
        << "the control arm";
    ASSERT_THAT(CommitFor("a", {Replace("doc", {"1"}, "1\ta\tx", "1\ta\ty"),
                                Replace("doc", {"2"}, "2\ta\ty", "2\ta\tx")}),
                IsOk())
        << index;
    EXPECT_EQ(Value("SELECT string_agg(v, ' ' ORDER BY id) FROM doc"), "y x z") << index;
  }
}

TEST_F(PostgresWritesTest, ARowThatKeepsItsUniqueValueIsUpdatedInPlace) {
  Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id text, v text, t text);"
      "CREATE UNIQUE INDEX ON doc(lower(v));"
      "INSERT INTO doc VALUES (1, 'a', 'x', ''), (2, 'a', 'y', ''), (3, 'a', 'z', '')");
  const auto session = Transaction("a");
  ASSERT_THAT(ApplyAll(session.get(), {Replace("doc", {"1"}, "1\ta\tx\t", "1\ta\tx\tmore"),
                                       Replace("doc", {"2"}, "2\ta\ty\t", "2\ta\ty\tmore"),
                                       Replace("doc", {"3"}, "3\ta\tz\t", "3\ta\tw\t")}),
              IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  // An application that waits for the row finds it again, and its change is not lost.
  const auto application = Connect();
  std::thread waiting(
      [&] { RunOn(application.get(), "UPDATE doc SET t = t || ' and more' WHERE id IN (1, 3)"); });
  const absl::Time until = absl::Now() + absl::Seconds(30);
  while (Value(absl::StrCat("SELECT cardinality(pg_blocking_pids(", application->backend_pid(),
                            "))")) == "0") {
    ASSERT_LT(absl::Now(), until);
    absl::SleepFor(absl::Milliseconds(2));
  }
  ASSERT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), IsOk());
  waiting.join();
  EXPECT_EQ(Value("SELECT string_agg(t, ',' ORDER BY id) FROM doc"),
            "more and more,more, and more");
}

// --- What the server refuses ---

TEST_F(PostgresWritesTest, SaysWhyTheServerRefusesARowAndWhatToDo) {
  Run("CREATE TYPE mood AS ENUM ('good');"
      "CREATE TABLE enumerated(id int PRIMARY KEY, tenant_id text, m mood);"
      "CREATE TABLE short(id int PRIMARY KEY, tenant_id text, v varchar(2));"
      "CREATE TABLE parted(id int, tenant_id text, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
      "CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (10);"
      "CREATE TABLE checked(id int PRIMARY KEY, tenant_id text, CONSTRAINT positive CHECK (id > "
      "0))");
  const std::vector<std::pair<Change, std::string>> cases = {
      {Insert("enumerated", {"1"}, "1\ta\tbad"), "label of an enum"},
      {Insert("short", {"1"}, "1\ta\tlong"), "shorter length"},
      {Insert("parted", {"11"}, "11\ta"), "no partition of public.parted"},
      {Insert("checked", {"-1"}, "-1\ta"), "constraint positive"},
  };
  for (const auto& [change, says] : cases) {
    const absl::Status refused = CommitFor("a", {change});
    EXPECT_THAT(refused, FailsWith(Reason::kUnsupported)) << says;
    EXPECT_THAT(std::string(refused.message()), HasSubstr(says));
  }
}

TEST_F(PostgresWritesTest, SaysWhatToDoAboutATableThatIsPublishedWithoutAReplicaIdentity) {
  Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id text); INSERT INTO doc VALUES (1, 'a');"
      "ALTER TABLE doc REPLICA IDENTITY NOTHING");
  auto session = Transaction("a");
  // Too late for the plan.
  Run("CREATE PUBLICATION p FOR TABLE doc");
  const absl::Status raced = Commit(session.get(), {Delete("doc", {"1"}, "1\ta")});
  EXPECT_THAT(raced, FailsWith(Reason::kUnsupported));
  EXPECT_THAT(std::string(raced.message()), HasSubstr("REPLICA IDENTITY FULL"));
  session = nullptr;
  const absl::Status refused = CommitFor("a", {Delete("doc", {"1"}, "1\ta")});
  EXPECT_THAT(refused, FailsWith(Reason::kUnsupported));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("REPLICA IDENTITY FULL"));
  EXPECT_THAT(CommitFor("a", {Insert("doc", {"2"}, "2\ta")}), IsOk());
}

TEST_F(PostgresWritesTest, SaysWhatToDoAboutAUniqueValueThatSomebodyElseHas) {
  Run("CREATE TABLE users(id int PRIMARY KEY, tenant_id text, mail text UNIQUE);"
      "INSERT INTO users VALUES (1, 'b', 'ann@example.com')");
  const absl::Status refused = CommitFor("a", {Insert("users", {"2"}, "2\ta\tann@example.com")});
  EXPECT_THAT(refused, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("users_mail_key"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("leave the table out"));
  EXPECT_THAT(std::string(refused.message()), testing::Not(HasSubstr("ann@")));
}

TEST_F(PostgresWritesTest, ADatabaseThatIsNotThereIsNotWaitedFor) {
  options_.conninfo = server_->OnSocket("nowhere");
  const absl::Status refused = PgConnection::Connect(options_).status();
  EXPECT_THAT(refused, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("create it, or name another one"));
}

// --- Memory ---

TEST_F(PostgresWritesTest, OneSessionAtATimeKeepsManyReplacements) {
  LargeChanges large;
  const auto connection = Connect();
  ASSERT_THAT(large.Borrow(absl::ZeroDuration(), *connection), IsOk());
  EXPECT_THAT(large.Borrow(absl::Milliseconds(1), *connection), FailsWith(Reason::kUnavailable));
  std::atomic<bool> had = false;
  std::thread other([&] {
    EXPECT_THAT(large.Borrow(absl::Seconds(30), *connection), IsOk());
    had = true;
    large.Return();
  });
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_FALSE(had);
  large.Return();
  other.join();
  EXPECT_TRUE(had);
  ASSERT_THAT(large.Borrow(absl::ZeroDuration(), *connection), IsOk());
  connection->Cancel();
  EXPECT_THAT(large.Borrow(absl::Minutes(5), *connection), FailsWith(Reason::kCancelled));
}

// 30 MiB of replacements of rows with a unique value, which are kept until all are there.
TEST_F(PostgresWritesTest, ALargeReplacementWaitsForAnotherOneOfTheStore) {
  constexpr int kRows = 60;
  const std::string big(256 << 10, 'x');
  Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id text, v text UNIQUE, t text)");
  Run(absl::StrCat("INSERT INTO doc SELECT g, 'a', g, repeat('x', ", big.size(),
                   ") FROM generate_series(1, ", kRows, ") g"));
  LargeChanges large;
  auto setup = SetupFor("a");
  setup.large = &large;
  const auto session = *PostgresSession::Open(std::move(setup));
  ASSERT_THAT(session->Begin(), IsOk());
  const auto other = Connect();
  ASSERT_THAT(large.Borrow(absl::ZeroDuration(), *other), IsOk());
  std::atomic<bool> committed = false;
  std::vector<Change> changes;
  for (int i = 1; i <= kRows; ++i) {
    changes.push_back(Replace("doc", {absl::StrCat(i)}, absl::StrCat(i, "\ta\t", i, "\t", big),
                              absl::StrCat(i, "\ta\t", i % kRows + 1, "\t", big)));
  }
  std::thread restore([&] {
    EXPECT_THAT(Commit(session.get(), changes), IsOk());
    committed = true;
  });
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_FALSE(committed);
  large.Return();
  restore.join();
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE v::int = id % 60 + 1"), absl::StrCat(kRows));
  EXPECT_THAT(large.Borrow(absl::ZeroDuration(), *other), IsOk()) << "it was given back";
}

// --- What became of a commit ---

class PostgresTokenTest : public PostgresWritesTest {
 protected:
  PostgresTokenTest() {
    Run("CREATE TABLE member(tenant_id text, who int, PRIMARY KEY (tenant_id, who))");
  }

  // Of a restore that is about to commit.
  std::unique_ptr<PostgresSession> Sealed(CommitToken* token) {
    auto session = Transaction("a");
    EXPECT_THAT(ApplyAll(session.get(), {Insert("member", {"a", "1"}, "a\t1"),
                                         Insert("member", {"a", "2"}, "a\t2")}),
                IsOk());
    const auto sealed = session->Seal();
    EXPECT_THAT(sealed, IsOk());
    *token = *sealed;
    return session;
  }
  CommitOutcome Resolved(const CommitToken& token) { return *Open("a")->Resolve(token); }
};

TEST_F(PostgresTokenTest, TellsACommitFromARowThatTheApplicationWroteAgain) {
  CommitToken token;
  Sealed(&token) = nullptr;  // It goes away before its commit.
  Run("INSERT INTO member VALUES ('a', 1)");
  EXPECT_EQ(Value("SELECT count(*) FROM member WHERE who = 1"), "1")
      << "the control arm: the row is there, just as the restore would have left it";
  EXPECT_EQ(Resolved(token), CommitOutcome::kNotCommitted);

  Run("DELETE FROM member");
  auto session = Sealed(&token);
  ASSERT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), IsOk());
  session = nullptr;
  Run("DELETE FROM member");
  EXPECT_EQ(Resolved(token), CommitOutcome::kCommitted) << "whatever became of its rows";
}

TEST_F(PostgresTokenTest, IsEmptyIfNothingWasWritten) {
  const auto session = Transaction("a");
  const auto token = session->Seal();
  ASSERT_THAT(token, IsOk());
  EXPECT_THAT(token->bytes, IsEmpty());
}

// After a crash the number of a transaction whose records were not yet written belongs to the next.
TEST(PostgresTokenCrashTest, ClaimsNothingOnceTheServerWasRestarted) {
  auto started = PostgresServer::Start({.fsync = false, .settings = {"wal_writer_delay=10s"}});
  ASSERT_THAT(started, IsOk());
  const std::unique_ptr<PostgresServer> server = *std::move(started);
  const PgOptions options{.conninfo = server->OnSocket("postgres")};
  auto connection = *PgConnection::Connect(options);
  ASSERT_THAT(connection->Execute("test", "CREATE TABLE t(i int)"), IsOk());
  ASSERT_THAT(connection->Execute("test", "BEGIN; INSERT INTO t VALUES (1)"), IsOk());
  const auto token = MakeCommitToken(connection.get());
  ASSERT_THAT(token, IsOk());
  const std::string number = token->bytes.substr(0, token->bytes.find(' '));
  server->Crash();
  ASSERT_THAT(server->Resume(), IsOk());
  connection = *PgConnection::Connect(options);
  // The application goes on.
  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(connection->Execute("test", "INSERT INTO t VALUES (2)"), IsOk());
  }
  const auto naive =
      connection->Query("test", absl::StrCat("SELECT pg_xact_status('", number, "')"));
  ASSERT_THAT(naive, IsOk());
  EXPECT_EQ(naive->Get(0, 0), "committed") << "the control arm: the number is somebody else's";
  EXPECT_EQ(*ResolveCommitToken(*token, connection.get()), CommitOutcome::kNotKnown);
}

}  // namespace
}  // namespace reinstate
