// Tables that change after a session took its view: its locks are not in the way of everything.

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

class ChangedTablesTest : public SessionWorld {
 protected:
  ChangedTablesTest() {
    Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text)");
    Run("CREATE TABLE comment(id int PRIMARY KEY, tenant_id text, issue_id int)");
    Run("INSERT INTO issue VALUES (1, 'a')");
  }
};

TEST_F(ChangedTablesTest, AForeignKeyThatWasAddedMeanwhileIsNotMissed) {
  const std::string add = "ALTER TABLE comment ADD FOREIGN KEY (issue_id) REFERENCES issue";
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  RunOn(naive.get(), "LOCK TABLE issue, comment IN ACCESS SHARE MODE");
  EXPECT_EQ(ValueOn(naive.get(), "SELECT count(*) FROM pg_constraint WHERE contype = 'f'"), "0");
  Run(add);
  RunOn(naive.get(), "INSERT INTO comment VALUES (1, 'a', 77)");
  RunOn(naive.get(), "COMMIT");
  EXPECT_EQ(Value("SELECT convalidated FROM pg_constraint WHERE contype = 'f'"), "t");
  EXPECT_EQ(Value("SELECT count(*) FROM comment WHERE issue_id = 77"), "1") << "the control arm";

  Run("DELETE FROM comment; ALTER TABLE comment DROP CONSTRAINT comment_issue_id_fkey");
  const auto session = Transaction("a");
  Run(add);
  const std::vector<Change> orphan = {Insert("comment", {"1"}, "1\ta\t77")};
  EXPECT_THAT(Commit(session.get(), orphan), FailsWith(Reason::kLiveChanged));
  ASSERT_THAT(session->Rollback(), IsOk());
  ASSERT_THAT(session->Begin(), IsOk());
  EXPECT_THAT(Commit(session.get(), orphan), FailsWith(Reason::kKeyConflict));
}

TEST_F(ChangedTablesTest, NorIsATableThatRefersToWhatIsDeleted) {
  const auto session = Transaction("a");
  Run("CREATE TABLE late(id int PRIMARY KEY, issue_id int REFERENCES issue)");
  Run("INSERT INTO late VALUES (1, 1)");
  EXPECT_THAT(Commit(session.get(), {Delete("issue", {"1"}, "1\ta")}),
              FailsWith(Reason::kLiveChanged));
  EXPECT_EQ(Value("SELECT count(*) FROM issue"), "1");
}

TEST_F(ChangedTablesTest, NorIsATriggerThatFiresNow) {
  Run("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
  Run("CREATE TRIGGER quiet AFTER INSERT ON issue FOR EACH ROW EXECUTE FUNCTION f()");
  const auto session = Transaction("a");
  Run("ALTER TABLE issue ENABLE ALWAYS TRIGGER quiet");
  EXPECT_THAT(Commit(session.get(), {Insert("issue", {"2"}, "2\ta")}),
              FailsWith(Reason::kLiveChanged));
}

TEST_F(ChangedTablesTest, OnceRowsAreWrittenNoneCanBeAdded) {
  const auto session = Transaction("a");
  ASSERT_THAT(ApplyAll(session.get(), {Insert("comment", {"1"}, "1\ta\t77")}), IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  EXPECT_THAT(Connect()->Execute("add",
                                 "SET lock_timeout = '100ms'; ALTER TABLE comment ADD FOREIGN KEY "
                                 "(issue_id) REFERENCES issue"),
              FailsWith(Reason::kLiveChanged));
}

TEST_F(ChangedTablesTest, WhatIsNothingToTheTenantsIsLeftAlone) {
  const auto session = Transaction("a");
  Run("CREATE TEMP TABLE mine(id int PRIMARY KEY); CREATE FUNCTION g() RETURNS int LANGUAGE sql AS "
      "'SELECT 1'");
  Run("INSERT INTO issue SELECT g, 'b' FROM generate_series(100, 5000) g; ANALYZE issue");
  EXPECT_THAT(Commit(session.get(), {Insert("issue", {"2"}, "2\ta")}), IsOk());
}

TEST_F(ChangedTablesTest, ATableThatCameAfterTheViewIsARace) {
  const auto session = Transaction("a");
  Run("CREATE TABLE late(id int PRIMARY KEY, tenant_id text)");
  EXPECT_THAT(session->ReadTable(Id("late")), FailsWith(Reason::kLiveChanged));
  ASSERT_THAT(session->Rollback(), IsOk());
  ASSERT_THAT(session->Begin(), IsOk());
  EXPECT_THAT(session->ReadTable(Id("late")), IsOk());
  EXPECT_THAT(session->ReadTable("1"), FailsWith(Reason::kTableNotFound));
}

}  // namespace
}  // namespace reinstate
