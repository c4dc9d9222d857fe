// What the server does not check while triggers are silent, with memory for all keys that are
// written, for a few, and for none.

#include "storage/live/postgres/constraint_checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::HasSubstr;

constexpr size_t kPlenty = 64 << 20;
constexpr size_t kForAFew = 500;

class ConstraintChecksTest : public SessionWorld, public testing::WithParamInterface<size_t> {
 protected:
  // Comments have an owner through their issue only, issues one of their own; both keys are of two
  // columns, one of which has texts that need escapes.
  ConstraintChecksTest() {
    Run("CREATE TABLE issue(id int, part text, tenant_id text, PRIMARY KEY (id, part))");
    Run("CREATE TABLE comment(id int PRIMARY KEY, issue_id int, issue_part text, "
        "FOREIGN KEY (issue_id, issue_part) REFERENCES issue)");
    Run("CREATE TABLE link(id int PRIMARY KEY, tenant_id text, issue_id int, issue_part text, "
        "FOREIGN KEY (issue_id, issue_part) REFERENCES issue)");
    Run("INSERT INTO issue VALUES (1, E'\\t\\\\', 'a'), (2, 'x', 'a'), (3, 'x', 'b')");
  }

  std::unique_ptr<PostgresSession> Begin() {
    auto setup = SetupFor("a");
    setup.check_memory_bytes = GetParam();
    auto session = PostgresSession::Open(std::move(setup));
    EXPECT_THAT(session, IsOk());
    EXPECT_THAT((*session)->Begin(), IsOk());
    return *std::move(session);
  }

  // Comments on `issues` issues of their own, which come after them.
  std::vector<Change> Tree(int issues) {
    const std::string comment = Id("comment");
    const std::string issue = Id("issue");
    std::vector<Change> changes;
    for (int i = 100; i < 100 + issues; ++i) {
      changes.push_back({.kind = ChangeKind::kInsert,
                         .table = comment,
                         .key = Key({absl::StrCat(i)}),
                         .new_payload = absl::StrCat(i, "\t", i, "\tp")});
    }
    for (int i = 100; i < 100 + issues; ++i) {
      changes.push_back({.kind = ChangeKind::kInsert,
                         .table = issue,
                         .key = Key({absl::StrCat(i), "p"}),
                         .new_payload = absl::StrCat(i, "\tp\ta")});
    }
    return changes;
  }
};

INSTANTIATE_TEST_SUITE_P(Memory, ConstraintChecksTest, testing::Values(kPlenty, kForAFew, 0),
                         [](const auto& tested) -> std::string {
                           return tested.param == 0          ? "None"
                                  : tested.param == kForAFew ? "ForAFew"
                                                             : "Plenty";
                         });

TEST_P(ConstraintChecksTest, RowsThatBringTheirParentsAreWritten) {
  EXPECT_THAT(Commit(Begin().get(), Tree(50)), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM comment JOIN issue i ON i.id = issue_id"), "50");
}

TEST_P(ConstraintChecksTest, OnlyParentsThatTheTransactionHasNotWrittenAreLocked) {
  std::vector<Change> changes = Tree(50);
  std::rotate(changes.begin(), changes.begin() + 50, changes.end());
  changes.push_back(Insert("comment", {"2"}, "2\t2\tx"));
  EXPECT_THAT(Commit(Begin().get(), changes), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM comment JOIN issue i ON i.id = issue_id"), "51");
  EXPECT_EQ(Value("SELECT string_agg(id::text, ' ') FROM issue WHERE xmax <> '0'"), "2");
}

TEST_P(ConstraintChecksTest, RowsMayReferToWhatIsThereAndToNothing) {
  EXPECT_THAT(
      Commit(Begin().get(),
             {Insert("comment", {"10"}, "10\t1\t\\t\\\\"), Insert("comment", {"11"}, "11\t2\tx"),
              Insert("link", {"1"}, "1\ta\t3\tx"), Insert("link", {"2"}, "2\ta\t77\t\\N"),
              Insert("link", {"3"}, "3\ta\t\\N\t\\N")}),
      IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM comment"), "2");
}

TEST_P(ConstraintChecksTest, OneRowWithoutItsParentIsFoundAmongMany) {
  for (const std::string table : {"comment", "link"}) {
    std::vector<Change> changes = Tree(50);
    const std::string line = table == "link" ? "99\ta\t77\tx" : "99\t77\tx";
    changes.insert(changes.begin(), Insert(table, {"99"}, line));
    const absl::Status status = Commit(Begin().get(), changes);
    EXPECT_THAT(status, FailsWith(Reason::kKeyConflict));
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("rows of table ", table)));
    EXPECT_THAT(std::string(status.message()), HasSubstr("refer to 1 rows of table issue"));
  }
  EXPECT_EQ(Value("SELECT count(*) FROM issue"), "3");
}

TEST_P(ConstraintChecksTest, AParentThatIsDeletedMeanwhileIsMissed) {
  const auto session = Begin();
  Run("DELETE FROM issue WHERE id = 3");
  EXPECT_THAT(Commit(session.get(), {Insert("link", {"1"}, "1\ta\t3\tx")}),
              FailsWith(Reason::kLiveChanged));
}

TEST_P(ConstraintChecksTest, AParentIsLockedUntilTheCommit) {
  const auto session = Begin();
  ASSERT_THAT(ApplyAll(session.get(), {Insert("link", {"1"}, "1\ta\t3\tx")}), IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  const auto deleter = Connect();
  EXPECT_THAT(deleter->Execute("test", "SET lock_timeout = '50ms'; DELETE FROM issue WHERE id = 3"),
              FailsWith(Reason::kLiveChanged));
  EXPECT_EQ(deleter->server_error().sqlstate, "55P03");
}

TEST_P(ConstraintChecksTest, AReplacementNeedsItsNewParent) {
  Run("INSERT INTO link VALUES (1, 'a', 2, 'x')");
  EXPECT_THAT(Commit(Begin().get(), {Replace("link", {"1"}, "1\ta\t2\tx", "1\ta\t77\tx")}),
              FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(Commit(Begin().get(), {Replace("link", {"1"}, "1\ta\t2\tx", "1\ta\t3\tx")}), IsOk());
}

TEST_P(ConstraintChecksTest, WhatIsDeletedMayNotHaveChildren) {
  Run("INSERT INTO link VALUES (1, 'b', 2, 'x')");
  const absl::Status status = Commit(Begin().get(), {Delete("issue", {"2", "x"}, "2\tx\ta")});
  EXPECT_THAT(status, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 rows of table link"));
  Run("DELETE FROM link");
  EXPECT_THAT(Commit(Begin().get(), {Delete("issue", {"2", "x"}, "2\tx\ta")}), IsOk());
}

TEST_P(ConstraintChecksTest, WhatIsDeletedMayNotGetChildrenMeanwhile) {
  for (const std::string child : {"INSERT INTO link VALUES (1, 'b', 1, E'\\t\\\\')",
                                  "INSERT INTO comment VALUES (1, 1, E'\\t\\\\')"}) {
    const auto session = Begin();
    Run(child);
    EXPECT_THAT(Commit(session.get(), {Delete("issue", {"1", "\t\\"}, "1\t\\t\\\\\ta")}),
                FailsWith(Reason::kLiveChanged));
    Run("DELETE FROM link; DELETE FROM comment");
  }
}

TEST_P(ConstraintChecksTest, AllOfATreeMayGo) {
  ASSERT_THAT(Commit(Begin().get(), Tree(50)), IsOk());
  std::vector<Change> changes = Tree(50);
  for (Change& change : changes) {
    change.kind = ChangeKind::kDelete;
    change.old_payload.swap(change.new_payload);
  }
  EXPECT_THAT(Commit(Begin().get(), changes), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM issue"), "3");
}

TEST_P(ConstraintChecksTest, WhatIsDeletedAndWrittenAgainIsStillThere) {
  Run("ALTER TABLE issue ADD number int UNIQUE; UPDATE issue SET number = id;"
      "INSERT INTO link VALUES (1, 'b', 1, E'\\t\\\\')");
  // Two rows change places, so that both are deleted and inserted.
  EXPECT_THAT(Commit(Begin().get(),
                     {Replace("issue", {"1", "\t\\"}, "1\t\\t\\\\\ta\t1", "1\t\\t\\\\\ta\t2"),
                      Replace("issue", {"2", "x"}, "2\tx\ta\t2", "2\tx\ta\t1")}),
              IsOk());
}

TEST_P(ConstraintChecksTest, MoreValuesOfADeferrableConstraintThanABatchAreCompared) {
  Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id text, number int UNIQUE DEFERRABLE)");
  const std::string table = Id("doc");
  std::vector<Change> changes;
  for (int i = 100'000; i < 112'000; ++i) {
    changes.push_back({.kind = ChangeKind::kInsert,
                       .table = table,
                       .key = Key({absl::StrCat(i)}),
                       .new_payload = absl::StrCat(i, "\ta\t", i)});
  }
  const auto session = Begin();
  Run("INSERT INTO doc VALUES (1, 'b', 111999)");
  EXPECT_THAT(Commit(session.get(), changes), FailsWith(Reason::kLiveChanged));
  Run("DELETE FROM doc");
  EXPECT_THAT(session->Rollback(), IsOk());
  EXPECT_THAT(session->Begin(), IsOk());
  EXPECT_THAT(Commit(session.get(), changes), IsOk());
}

}  // namespace
}  // namespace reinstate
