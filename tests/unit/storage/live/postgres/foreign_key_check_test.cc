// Foreign keys that no payload tells, that a single partition has, or that the server checks in a
// way of its own. The plain statements, with silent triggers, are the control arm.

#include "storage/live/postgres/foreign_key_check.h"

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::HasSubstr;

class ForeignKeyCheckTest : public SessionWorld {
 protected:
  // The statement passes while triggers are silent, and is refused by the server otherwise.
  void ExpectCorrupts(const std::string& sql) {
    const auto naive = Connect();
    EXPECT_THAT(naive->Execute("write", absl::StrCat(kNaiveBegin, "; ", sql, "; ROLLBACK")), IsOk())
        << "the control arm";
    EXPECT_FALSE(naive->Execute("write", sql).ok());
    EXPECT_EQ(naive->server_error().sqlstate, "23503");
  }

  void ExpectConflict(const std::vector<Change>& changes, const std::string& names) {
    const absl::Status status = Commit(Transaction("a").get(), changes);
    EXPECT_THAT(status, FailsWith(Reason::kKeyConflict));
    EXPECT_THAT(std::string(status.message()), HasSubstr(names));
  }

  void ExpectDone(const std::vector<Change>& changes) {
    EXPECT_THAT(Commit(Transaction("a").get(), changes), IsOk());
  }
};

TEST_F(ForeignKeyCheckTest, AChildThatTheApplicationMovesIsSeenThoughItIsLockedAsAParent) {
  Run("CREATE TABLE node(id int PRIMARY KEY, tenant_id text, parent int REFERENCES node)");
  Run("INSERT INTO node VALUES (1, 'a', NULL), (2, 'b', NULL)");
  {
    const auto naive = Connect();
    RunOn(naive.get(), absl::StrCat(kNaiveBegin, "; DELETE FROM node WHERE id = 77"));
    Run("UPDATE node SET parent = 1 WHERE id = 2");
    RunOn(naive.get(), "DELETE FROM node WHERE id = 1");
    RunOn(naive.get(), "SELECT FROM node WHERE id = 2 FOR KEY SHARE");
    const std::string xid = ValueOn(naive.get(), "SELECT pg_current_xact_id()::xid");
    EXPECT_EQ(Value(absl::StrCat("SELECT count(*) FROM node WHERE parent = 1 AND xmax <> '", xid,
                                 "'::xid")),
              "0")
        << "the control arm: its own lock hides the child";
    RunOn(naive.get(), "ROLLBACK");
  }
  Run("UPDATE node SET parent = NULL");
  const auto session = Transaction("a");
  Run("UPDATE node SET parent = 1 WHERE id = 2");
  EXPECT_THAT(
      Commit(session.get(), {Delete("node", {"1"}, "1\ta\t\\N"), Insert("node", {"3"}, "3\ta\t2")}),
      FailsWith(Reason::kLiveChanged));
  EXPECT_EQ(Value("SELECT count(*) FROM node"), "2");
}

}  // namespace
}  // namespace reinstate
