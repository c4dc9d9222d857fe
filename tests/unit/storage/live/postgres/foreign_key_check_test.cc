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

TEST_F(ForeignKeyCheckTest, AGeneratedColumnNeedsItsParent) {
  Run("CREATE TABLE topic(slug text PRIMARY KEY, tenant_id text)");
  Run("CREATE TABLE post(id int PRIMARY KEY, tenant_id text, title text, slug text GENERATED "
      "ALWAYS AS (lower(title)) STORED REFERENCES topic)");
  Run("INSERT INTO topic VALUES ('news', 'b')");
  ExpectCorrupts("INSERT INTO post VALUES (1, 'a', 'Gone')");
  ExpectConflict({Insert("post", {"1"}, "1\ta\tGone")}, "post_slug_fkey");
  ExpectDone({Insert("post", {"1"}, "1\ta\tNews"), Insert("post", {"2"}, "2\ta\t\\N"),
              Insert("post", {"3"}, "3\ta\tOther"), Insert("topic", {"other"}, "other\ta")});
  ExpectConflict({Replace("post", {"1"}, "1\ta\tNews", "1\ta\tGone")}, "post_slug_fkey");

  const auto session = Transaction("a");
  Run("DELETE FROM post WHERE id = 1; DELETE FROM topic WHERE slug = 'news'");
  EXPECT_THAT(Commit(session.get(), {Insert("post", {"4"}, "4\ta\tNEWS")}),
              FailsWith(Reason::kLiveChanged));
}

TEST_F(ForeignKeyCheckTest, SaysWhetherAParentThatIsNotThereCanComeBack) {
  Run("CREATE TABLE topic(id int PRIMARY KEY, tenant_id text)");
  Run("CREATE TABLE color(id int PRIMARY KEY)");
  Run("CREATE TABLE post(id int PRIMARY KEY, tenant_id text, topic int REFERENCES topic, "
      "color int REFERENCES color)");
  config_.shared = {"color"};
  ExpectConflict({Insert("post", {"1"}, "1\ta\t7\t\\N")}, "bring those back first");
  ExpectConflict({Insert("post", {"1"}, "1\ta\t\\N\t7")},
                 "1 rows of table color that are not there (foreign key post_color_fkey), and no "
                 "snapshot has those");
}

TEST_F(ForeignKeyCheckTest, AParentIsFoundByItsGeneratedColumn) {
  Run("CREATE TABLE topic(id int PRIMARY KEY, tenant_id text, title text, slug text GENERATED "
      "ALWAYS AS (lower(title)) STORED UNIQUE)");
  Run("CREATE TABLE post(id int PRIMARY KEY, tenant_id text, slug text REFERENCES topic(slug))");
  Run("INSERT INTO topic VALUES (1, 'a', 'News'), (2, 'a', 'Other')");
  Run("INSERT INTO post VALUES (1, 'b', 'news')");
  ExpectCorrupts("DELETE FROM topic WHERE id = 1");
  ExpectConflict({Delete("topic", {"1"}, "1\ta\tNews")}, "1 rows of table post");
  ExpectConflict({Replace("topic", {"1"}, "1\ta\tNews", "1\ta\tOld")}, "1 rows of table post");
  ExpectDone({Replace("topic", {"1"}, "1\ta\tNews", "1\ta\tNEWS")});
  ExpectDone({Delete("topic", {"2"}, "2\ta\tOther"), Insert("topic", {"3"}, "3\ta\tThird"),
              Insert("post", {"2"}, "2\ta\tthird")});

  const auto session = Transaction("a");
  Run("INSERT INTO post VALUES (3, 'b', 'third')");
  EXPECT_THAT(Commit(session.get(),
                     {Delete("post", {"2"}, "2\ta\tthird"), Delete("topic", {"3"}, "3\ta\tThird")}),
              FailsWith(Reason::kLiveChanged));
}

TEST_F(ForeignKeyCheckTest, AKeyMayReferToASinglePartition) {
  Run("CREATE TABLE event(id int, day int, tenant_id text, PRIMARY KEY (id, day)) PARTITION BY "
      "LIST (day)");
  Run("CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1)");
  Run("CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2)");
  Run("ALTER TABLE event_1 ADD UNIQUE (id)");
  Run("CREATE TABLE note(id int PRIMARY KEY, tenant_id text, event int REFERENCES event_1(id))");
  Run("INSERT INTO event VALUES (1, 1, 'a'), (2, 2, 'a'), (3, 1, 'a'), (3, 2, 'a')");
  Run("INSERT INTO note VALUES (1, 'b', 1), (3, 'b', 3)");
  ExpectCorrupts("DELETE FROM event WHERE id = 1");
  ExpectConflict({Delete("event", {"1", "1"}, "1\t1\ta")}, "1 rows of table note");
  ExpectDone({Delete("event", {"3", "2"}, "3\t2\ta")});
  ExpectCorrupts("INSERT INTO note VALUES (2, 'a', 2)");
  ExpectConflict({Insert("note", {"2"}, "2\ta\t2")}, "note_event_fkey");
  ExpectConflict({Insert("note", {"2"}, "2\ta\t8"), Insert("event", {"8", "2"}, "8\t2\ta")},
                 "note_event_fkey");
  ExpectDone({Insert("note", {"2"}, "2\ta\t7"), Insert("note", {"4"}, "4\ta\t1"),
              Insert("event", {"7", "1"}, "7\t1\ta")});
}

TEST_F(ForeignKeyCheckTest, AKeyMayBeOfASinglePartition) {
  Run("CREATE TABLE kind(id int PRIMARY KEY, tenant_id text)");
  Run("CREATE TABLE item(id int, part int, tenant_id text, kind int, PRIMARY KEY (id, part)) "
      "PARTITION BY LIST (part)");
  Run("CREATE TABLE item_1 PARTITION OF item FOR VALUES IN (1) PARTITION BY LIST (part)");
  Run("CREATE TABLE item_1_1 PARTITION OF item_1 FOR VALUES IN (1)");
  Run("CREATE TABLE item_2 PARTITION OF item FOR VALUES IN (2)");
  Run("ALTER TABLE item_1 ADD FOREIGN KEY (kind) REFERENCES kind");
  Run("INSERT INTO kind VALUES (1, 'a'), (2, 'a')");
  Run("INSERT INTO item VALUES (1, 1, 'b', 1), (2, 2, 'b', 2)");
  ExpectCorrupts("INSERT INTO item VALUES (3, 1, 'a', 77)");
  ExpectConflict({Insert("item", {"3", "1"}, "3\t1\ta\t77")}, "item_1_kind_fkey");
  ExpectDone({Insert("item", {"3", "2"}, "3\t2\ta\t77"), Insert("item", {"4", "1"}, "4\t1\ta\t1")});
  ExpectConflict({Delete("kind", {"1"}, "1\ta")}, "rows of table item");
  ExpectDone({Delete("kind", {"2"}, "2\ta")});
}

TEST_F(ForeignKeyCheckTest, ADeferrableConstraintOfASinglePartitionIsRefusedByName) {
  Run("CREATE TABLE item(id int, part int, tenant_id text, PRIMARY KEY (id, part)) PARTITION BY "
      "LIST (part)");
  Run("CREATE TABLE item_1 PARTITION OF item FOR VALUES IN (1)");
  Run("ALTER TABLE item_1 ADD CONSTRAINT once UNIQUE (id) DEFERRABLE");
  Run("INSERT INTO item VALUES (1, 1, 'b')");
  const absl::Status status =
      Commit(Transaction("a").get(), {Insert("item", {"2", "1"}, "2\t1\ta")});
  EXPECT_THAT(status, FailsWith(Reason::kUnsupported));
  EXPECT_THAT(std::string(status.message()), HasSubstr("once of partition item_1"));
  Run("ALTER TABLE item_1 DROP CONSTRAINT once, ADD CONSTRAINT once UNIQUE (id)");
  ExpectDone({Insert("item", {"2", "1"}, "2\t1\ta")});
}

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

TEST_F(ForeignKeyCheckTest, HalfAKeyIsRefusedWhereTheKeyIsMatchFull) {
  Run("CREATE TABLE pair(a int, b int, tenant_id text, PRIMARY KEY (a, b))");
  Run("CREATE TABLE child(id int PRIMARY KEY, tenant_id text, a int, b int, c int GENERATED ALWAYS "
      "AS (b) STORED, FOREIGN KEY (a, b) REFERENCES pair MATCH FULL)");
  Run("INSERT INTO pair VALUES (1, 1, 'b')");
  ExpectCorrupts("INSERT INTO child VALUES (1, 'a', 1, NULL)");
  ExpectConflict({Insert("child", {"1"}, "1\ta\t1\t\\N")}, "MATCH FULL");
  ExpectDone({Insert("child", {"1"}, "1\ta\t1\t1"), Insert("child", {"2"}, "2\ta\t\\N\t\\N")});
  Run("ALTER TABLE child DROP CONSTRAINT child_a_b_fkey, ADD FOREIGN KEY (a, c) REFERENCES pair "
      "MATCH FULL");
  ExpectConflict({Insert("child", {"3"}, "3\ta\t1\t\\N")}, "MATCH FULL");
  ExpectDone({Insert("child", {"3"}, "3\ta\t\\N\t\\N")});
}

TEST_F(ForeignKeyCheckTest, AnOrphanUnderAKeyThatIsNotValidComesBackOnlyIfThatIsAllowed) {
  Run("CREATE TABLE plan(id int PRIMARY KEY, tenant_id text)");
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, plan int, title text)");
  Run("INSERT INTO issue VALUES (1, 'a', 77, 'old')");
  Run("ALTER TABLE issue ADD FOREIGN KEY (plan) REFERENCES plan NOT VALID");
  ExpectCorrupts("INSERT INTO issue VALUES (2, 'a', 77)");
  ExpectConflict({Insert("issue", {"2"}, "2\ta\t77\t\\N")}, "orphans");
  config_.orphans = {"issue"};
  ExpectDone({Insert("issue", {"2"}, "2\ta\t77\t\\N")});
  config_.orphans = {"plan"};
  ExpectConflict({Insert("issue", {"3"}, "3\ta\t77\t\\N")}, "orphans");
  Run("DELETE FROM issue; ALTER TABLE issue VALIDATE CONSTRAINT issue_plan_fkey");
  config_.orphans = {"issue"};
  ExpectConflict({Insert("issue", {"3"}, "3\ta\t77\t\\N")}, "leave the table out");
}

TEST_F(ForeignKeyCheckTest, TheOrphanOfAnotherTenantAllowsNone) {
  Run("CREATE TABLE node(id int PRIMARY KEY, tenant_id text, parent int)");
  Run("INSERT INTO node VALUES (1, 'b', 77), (2, 'a', 77)");
  Run("ALTER TABLE node ADD FOREIGN KEY (parent) REFERENCES node NOT VALID");
  for (const std::string parent : {"1", "2"}) {
    auto setup = SetupFor("a");
    setup.check_memory_bytes = 0;
    const auto session = PostgresSession::Open(std::move(setup));
    ASSERT_THAT(session, IsOk());
    ASSERT_THAT((*session)->Begin(), IsOk());
    // Its row is locked as a parent, which makes it look as if it had been changed.
    EXPECT_THAT(Commit(session->get(), {Insert("node", {"3"}, "3\ta\t" + parent),
                                        Insert("node", {"4"}, "4\ta\t77")}),
                FailsWith(Reason::kKeyConflict));
  }
}

TEST_F(ForeignKeyCheckTest, AnOrphanMayBeChangedInWhatTheKeyIsNotOf) {
  Run("CREATE TABLE plan(id int PRIMARY KEY, tenant_id text)");
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, plan int, title text)");
  Run("INSERT INTO issue VALUES (1, 'a', 77, 'old')");
  Run("ALTER TABLE issue ADD FOREIGN KEY (plan) REFERENCES plan NOT VALID");
  for (const size_t memory : {size_t{64} << 20, size_t{0}}) {
    auto setup = SetupFor("a");
    setup.check_memory_bytes = memory;
    const auto session = PostgresSession::Open(std::move(setup));
    ASSERT_THAT(session, IsOk());
    ASSERT_THAT((*session)->Begin(), IsOk());
    EXPECT_THAT(Commit(session->get(), {Replace("issue", {"1"}, "1\ta\t77\told", "1\ta\t77\tnew"),
                                        Insert("issue", {"2"}, "2\ta\t\\N\t\\N")}),
                IsOk());
    ASSERT_THAT((*session)->Begin(), IsOk());
    EXPECT_THAT(Commit(session->get(), {Replace("issue", {"1"}, "1\ta\t77\tnew", "1\ta\t78\tnew")}),
                FailsWith(Reason::kKeyConflict));
    ASSERT_THAT((*session)->Rollback(), IsOk());
    Run("UPDATE issue SET title = 'old'; DELETE FROM issue WHERE id = 2");
  }
}

}  // namespace
}  // namespace reinstate
