// Each scenario twice: through the statements that come to mind, which must corrupt the data (or
// the scenario would show nothing), and through a session, which must not.

#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::HasSubstr;

class PostgresTrapsTest : public SessionWorld {
 protected:
  void MakeTracker() {
    Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, title text, votes int DEFAULT 0)");
    Run("CREATE TABLE comment(id int PRIMARY KEY, tenant_id text, issue_id int REFERENCES issue)");
    Run("CREATE INDEX ON comment(issue_id)");
    Run("INSERT INTO issue VALUES (1, 'a', 'one'), (2, 'b', 'theirs')");
  }

  std::string Orphans() {
    return Value(
        "SELECT count(*) FROM comment c WHERE NOT EXISTS (SELECT 1 FROM issue i WHERE i.id = "
        "c.issue_id)");
  }
};

TEST_F(PostgresTrapsTest, ALockTakenInsideTheTransactionComesAfterItsView) {
  MakeTracker();
  const auto holder = Connect();
  RunOn(holder.get(), "SELECT pg_advisory_lock(1)");
  const auto naive = Connect();
  std::string seen;
  std::thread waiting([&] {
    RunOn(naive.get(), kNaiveBegin);
    RunOn(naive.get(), "SELECT pg_advisory_lock(1)");
    seen = ValueOn(naive.get(), "SELECT title FROM issue WHERE id = 1");
  });
  WaitUntil(
      absl::StrCat("EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
                   "AND pid = ",
                   naive->backend_pid(), ")"));
  RunOn(holder.get(), "UPDATE issue SET title = 'after' WHERE id = 1");
  RunOn(holder.get(), "SELECT pg_advisory_unlock(1)");
  waiting.join();
  EXPECT_EQ(seen, "one") << "the control arm works on rows from before the lock";

  auto first = Transaction("a");
  std::vector<std::string> lines;
  std::thread second([&] {
    const auto session = Transaction("a");
    lines = Read(session.get(), "issue");
  });
  EXPECT_THAT(Commit(first.get(), {Replace("issue", {"1"}, "1\ta\tafter\t0", "1\ta\tlast\t0")}),
              IsOk());
  first = nullptr;
  second.join();
  EXPECT_THAT(lines, testing::ElementsAre("1\ta\tlast\t0"));
}

TEST_F(PostgresTrapsTest, AParentThatIsDeletedMeanwhileLeavesAnOrphan) {
  MakeTracker();
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  EXPECT_EQ(ValueOn(naive.get(), "SELECT count(*) FROM issue WHERE tenant_id = 'a'"), "1");
  Run("DELETE FROM issue WHERE id = 1");
  RunOn(naive.get(), "INSERT INTO comment VALUES (10, 'a', 1)");
  EXPECT_EQ(ValueOn(naive.get(),
                    "SELECT count(*) FROM comment c WHERE NOT EXISTS (SELECT 1 FROM issue i WHERE "
                    "i.id = c.issue_id)"),
            "0")
      << "its own check sees nothing wrong";
  RunOn(naive.get(), "COMMIT");
  EXPECT_EQ(Orphans(), "1") << "the control arm";

  Run("DELETE FROM comment; INSERT INTO issue VALUES (1, 'a', 'one')");
  const auto session = Transaction("a");
  Run("DELETE FROM issue WHERE id = 1");
  EXPECT_THAT(Commit(session.get(), {Insert("comment", {"10"}, "10\ta\t1")}),
              FailsWith(Reason::kLiveChanged));
  EXPECT_EQ(Orphans(), "0");
}

TEST_F(PostgresTrapsTest, AParentStaysUntilTheCommitOnceItWasLookedAt) {
  MakeTracker();
  const auto session = Transaction("a");
  ASSERT_THAT(ApplyAll(session.get(), {Insert("comment", {"10"}, "10\ta\t1")}), IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  const auto deleter = Connect();
  absl::Status deleted;
  std::thread application(
      [&] { deleted = deleter->Execute("delete", "DELETE FROM issue WHERE id = 1"); });
  WaitUntilBlocked(deleter->backend_pid());
  ASSERT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), IsOk());
  application.join();
  EXPECT_EQ(deleter->server_error().sqlstate, "23503");
  EXPECT_EQ(Orphans(), "0");
}

TEST_F(PostgresTrapsTest, AChildThatIsAddedMeanwhileIsLeftAnOrphan) {
  MakeTracker();
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  EXPECT_EQ(ValueOn(naive.get(), "SELECT count(*) FROM comment"), "0");
  Run("INSERT INTO comment VALUES (10, 'b', 1)");
  RunOn(naive.get(), "DELETE FROM issue WHERE id = 1");
  EXPECT_EQ(ValueOn(naive.get(), "SELECT count(*) FROM comment WHERE issue_id = 1"), "0")
      << "its own check sees nothing wrong";
  RunOn(naive.get(), "COMMIT");
  EXPECT_EQ(Orphans(), "1") << "the control arm";

  Run("DELETE FROM comment; INSERT INTO issue VALUES (1, 'a', 'one')");
  const auto session = Transaction("a");
  Run("INSERT INTO comment VALUES (10, 'b', 1)");
  EXPECT_THAT(Commit(session.get(), {Delete("issue", {"1"}, "1\ta\tone\t0")}),
              FailsWith(Reason::kLiveChanged));
  EXPECT_EQ(Orphans(), "0");
  EXPECT_EQ(Value("SELECT count(*) FROM comment"), "1");
}

TEST_F(PostgresTrapsTest, ARowIsNotDeletedFromUnderItsChildren) {
  MakeTracker();
  Run("INSERT INTO comment VALUES (10, 'b', 1)");
  auto session = Transaction("a");
  const absl::Status status = Commit(session.get(), {Delete("issue", {"1"}, "1\ta\tone\t0")});
  EXPECT_THAT(status, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(status.message()), HasSubstr("comment"));
  session = nullptr;

  Run("UPDATE comment SET tenant_id = 'a'");
  EXPECT_THAT(Commit(Transaction("a").get(), {Delete("comment", {"10"}, "10\ta\t1"),
                                              Delete("issue", {"1"}, "1\ta\tone\t0")}),
              IsOk())
      << "with its children it is";
}

TEST_F(PostgresTrapsTest, ARowIsNotRestoredWithoutItsParent) {
  MakeTracker();
  const absl::Status status =
      Commit(Transaction("a").get(), {Insert("comment", {"10"}, "10\ta\t77")});
  EXPECT_THAT(status, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(status.message()), HasSubstr("comment_issue_id_fkey"));
  EXPECT_EQ(Value("SELECT count(*) FROM comment"), "0");
  EXPECT_THAT(Commit(Transaction("a").get(), {Insert("comment", {"10"}, "10\ta\t77"),
                                              Insert("comment", {"11"}, "11\ta\t\\N"),
                                              Insert("issue", {"77"}, "77\ta\t\\N\t0")}),
              IsOk())
      << "with it, it is";
}

TEST_F(PostgresTrapsTest, ReplacingARowByDeletionAndInsertionLosesTheApplicationsUpdate) {
  MakeTracker();
  const auto voter = Connect();
  const auto vote = [&] {
    const auto result =
        voter->Query("vote", "UPDATE issue SET votes = votes + 1 WHERE id = 1 RETURNING votes");
    EXPECT_THAT(result, IsOk());
    return result.ok() ? result->rows() : -1;
  };
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  RunOn(naive.get(), "DELETE FROM issue WHERE id = 1");
  RunOn(naive.get(), "INSERT INTO issue VALUES (1, 'a', 'uno', 0)");
  int voted = 0;
  std::thread first([&] { voted = vote(); });
  WaitUntilBlocked(voter->backend_pid());
  RunOn(naive.get(), "COMMIT");
  first.join();
  EXPECT_EQ(voted, 0) << "the control arm: no row was there to vote for";

  const auto session = Transaction("a");
  ASSERT_THAT(ApplyAll(session.get(), {Replace("issue", {"1"}, "1\ta\tuno\t0", "1\ta\tone\t0")}),
              IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  std::thread second([&] { voted = vote(); });
  WaitUntilBlocked(voter->backend_pid());
  ASSERT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), IsOk());
  second.join();
  EXPECT_EQ(voted, 1);
  EXPECT_EQ(Value("SELECT title || votes FROM issue WHERE id = 1"), "one1");
}

TEST_F(PostgresTrapsTest, ReplacingARowByDeletionAndInsertionFailsTheApplicationsInsertsBelowIt) {
  MakeTracker();
  const auto commenter = Connect();
  const auto comment = [&commenter](int id) {
    return commenter->Execute("comment",
                              absl::StrCat("INSERT INTO comment VALUES (", id, ", 'b', 1)"));
  };
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  RunOn(naive.get(), "DELETE FROM issue WHERE id = 1");
  RunOn(naive.get(), "INSERT INTO issue VALUES (1, 'a', 'uno', 0)");
  absl::Status commented;
  std::thread application([&] { commented = comment(10); });
  WaitUntilBlocked(commenter->backend_pid());
  RunOn(naive.get(), "COMMIT");
  application.join();
  EXPECT_EQ(commenter->server_error().sqlstate, "23503") << "the control arm";

  const auto session = Transaction("a");
  ASSERT_THAT(ApplyAll(session.get(), {Replace("issue", {"1"}, "1\ta\tuno\t0", "1\ta\tone\t0")}),
              IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  Run("INSERT INTO comment VALUES (10, 'b', 1)");
  ASSERT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), IsOk());
  EXPECT_EQ(Orphans(), "0");
}

TEST_F(PostgresTrapsTest, ChecksAreQuadraticForAPlannerThatTakesTheTenantForEmpty) {
  constexpr int kRows = 3000;
  MakeTracker();
  Run("CREATE INDEX ON issue(tenant_id); CREATE INDEX ON comment(tenant_id)");
  Run("INSERT INTO issue SELECT g, 'b' FROM generate_series(100000, 130000) g");
  Run("INSERT INTO comment SELECT g, 'b', g FROM generate_series(100000, 130000) g");
  Run("ALTER TABLE issue SET (autovacuum_enabled = off); ALTER TABLE comment SET "
      "(autovacuum_enabled = off); ANALYZE");
  Run(absl::StrCat("INSERT INTO issue SELECT g, 'a' FROM generate_series(10000, ", 9999 + kRows,
                   ") g"));
  const auto fetched = [this] {
    int64_t rows = 0;
    EXPECT_TRUE(absl::SimpleAtoi(
        Value("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables"),
        &rows));
    return rows;
  };
  {
    const auto naive = Connect();
    RunOn(naive.get(), absl::StrCat("BEGIN; INSERT INTO comment SELECT g, 'a', g FROM "
                                    "generate_series(10000, ",
                                    9999 + kRows, ") g"));
    const auto plan = naive->Query(
        "check",
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM comment c WHERE c.tenant_id = 'a' AND "
        "NOT EXISTS (SELECT 1 FROM issue i WHERE i.tenant_id = 'a' AND i.id = c.issue_id)");
    ASSERT_THAT(plan, IsOk());
    const std::string text(plan->Get(0, 0));
    EXPECT_THAT(text, HasSubstr("Nested Loop")) << "the control arm";
    EXPECT_THAT(text, HasSubstr(absl::StrCat("\"Actual Loops\": ", kRows)));
    RunOn(naive.get(), "ROLLBACK");
  }
  // Statistics are written when a connection ends, that of the control arm too.
  WaitUntil("(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) = 1");
  const int64_t before = fetched();
  {
    const auto session = Transaction("a");
    std::vector<Change> changes;
    const std::string table = Id("comment");
    for (int i = 10000; i < 10000 + kRows; ++i) {
      changes.push_back({.kind = ChangeKind::kInsert,
                         .table = table,
                         .key = Key({absl::StrCat(i)}),
                         .new_payload = absl::StrCat(i, "\ta\t", i)});
    }
    ASSERT_THAT(Commit(session.get(), changes), IsOk());
  }
  // Statistics are written when a connection ends.
  WaitUntil("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'reinstate test')");
  EXPECT_LT(fetched() - before, 20 * kRows);
}

TEST_F(PostgresTrapsTest, HostileNamesAndValuesGetThroughUnchanged) {
  const std::vector<std::string> names = {
      "select", "a\"b", "a'b", "a;DROP TABLE issue;--", "\\", "\xc3\xa9", " ", "a.b", "$1", "%s"};
  int number = 0;
  for (const std::string& name : names) {
    std::string quoted = name;
    for (size_t at = 0; (at = quoted.find('"', at)) != std::string::npos; at += 2) {
      quoted.insert(at, "\"");
    }
    Run(absl::StrCat("CREATE TABLE \"", quoted, "\"(\"", quoted,
                     "\" text PRIMARY KEY, tenant_id text, v text)"));
    const std::string oid = Value(
        absl::StrCat("SELECT max(oid::int8) FROM pg_class WHERE relkind = 'r' AND oid > 16384"));
    const auto session = Transaction("a");
    std::vector<Change> changes;
    for (const std::string value :
         {"'; DROP TABLE issue; --", "\"", "{}", "{\"a\"}", "NULL", "$1", "\\\\N", "x\\\\ty",
          "\xe2\x80\xae", "%", "", "\\n\\r\\t\\b\\f\\v"}) {
      std::string key =
          absl::StrCat("k", ++number, value.find('\\') == std::string::npos ? value : "");
      changes.push_back({.kind = ChangeKind::kInsert,
                         .table = oid,
                         .key = Key({key}),
                         .new_payload = absl::StrCat(key, "\ta\t", value)});
    }
    ASSERT_THAT(Commit(session.get(), changes), IsOk()) << name;
    ASSERT_THAT(session->Begin(), IsOk());
    std::vector<Change> replacements;
    std::vector<Change> deletions;
    for (const Change& change : changes) {
      const std::vector<RowKey> keys = {change.key};
      const auto states = session->LookUp(oid, keys);
      ASSERT_THAT(states, IsOk());
      ASSERT_EQ(states->front().payload, change.new_payload);
      Change next = change;
      next.old_payload = change.new_payload;
      next.kind = ChangeKind::kReplace;
      next.new_payload += "'--";
      replacements.push_back(next);
      next.old_payload = next.new_payload;
      next.kind = ChangeKind::kDelete;
      deletions.push_back(next);
    }
    ASSERT_THAT(Commit(session.get(), replacements), IsOk()) << name;
    ASSERT_THAT(session->Begin(), IsOk());
    ASSERT_THAT(Commit(session.get(), deletions), IsOk()) << name;
  }
  EXPECT_EQ(number, 120);
}

}  // namespace
}  // namespace reinstate
