// What a session reads and writes in schemas of the kinds that PostgreSQL allows. What every
// adapter's must do is in tests/conformance.

#include "storage/live/postgres/postgres_session.h"

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PostgresSessionTest : public SessionWorld {
 protected:
  // Issues are owned by a column, comments through their issues.
  void MakeTracker() {
    Run("CREATE TABLE issue(id bigserial PRIMARY KEY, tenant_id text NOT NULL, title text, email "
        "text UNIQUE, points numeric(6,2), tags text[], "
        "len int GENERATED ALWAYS AS (length(title)) STORED)");
    Run("CREATE TABLE comment(id int PRIMARY KEY, issue_id bigint NOT NULL REFERENCES issue ON "
        "DELETE CASCADE, body text)");
    Run("CREATE INDEX ON comment(issue_id)");
    Run("INSERT INTO issue(tenant_id, title, email, points, tags) VALUES "
        "('a', 'one', 'x', 1.50, '{p,q}'), ('b', 'theirs', 'z', NULL, NULL), "
        "('a', E'two\\twith tab', 'y', NULL, NULL)");
    Run("INSERT INTO comment VALUES (10, 1, 'first'), (11, 2, 'of b'), (9, 3, NULL)");
  }
};

TEST_F(PostgresSessionTest, ReadsTheTenantsRowsInTheOrderOfTheirKeys) {
  MakeTracker();
  Run("INSERT INTO issue(id, tenant_id) VALUES (10, 'a')");
  const auto session = Transaction("a");
  EXPECT_THAT(Read(session.get(), "issue"),
              ElementsAre("1\ta\tone\tx\t1.50\t{p,q}", "10\ta\t\\N\t\\N\t\\N\t\\N",
                          "3\ta\ttwo\\twith tab\ty\t\\N\t\\N"));
  EXPECT_THAT(Read(session.get(), "comment"), ElementsAre("10\t1\tfirst", "9\t3\t\\N"));
}

TEST_F(PostgresSessionTest, WritesEveryKindOfChange) {
  MakeTracker();
  const auto session = Transaction("a");
  ASSERT_THAT(
      Commit(session.get(),
             {Delete("comment", {"10"}, "10\t1\tfirst"),
              Replace("comment", {"9"}, "9\t3\t\\N", "9\t3\tback \\\\ again"),
              Replace("issue", {"1"}, "1\ta\tone\tx\t1.50\t{p,q}", "1\ta\tuno\tx\t2.00\t{q}"),
              Insert("comment", {"12"}, "12\t77\tnew"),
              Insert("issue", {"77"}, "77\ta\tseven\\nlines\t\\N\t7.00\t{}")}),
      IsOk());
  EXPECT_EQ(Value("SELECT string_agg(c::text, ';' ORDER BY id) FROM comment c"),
            "(9,3,\"back \\\\ again\");(11,2,\"of b\");(12,77,new)");
  EXPECT_EQ(Value("SELECT string_agg(i::text, ';' ORDER BY id) FROM issue i WHERE tenant_id='a'"),
            "(1,a,uno,x,2.00,{q},3);(3,a,\"two\twith tab\",y,,,12);"
            "(77,a,\"seven\nlines\",,7.00,{},11)");
}

TEST_F(PostgresSessionTest, LetsValuesOfAUniqueColumnChangePlaces) {
  MakeTracker();
  const auto session = Transaction("a");
  ASSERT_THAT(Commit(session.get(), {Replace("issue", {"1"}, "1\ta\tone\tx\t1.50\t{p,q}",
                                             "1\ta\tone\ty\t1.50\t{p,q}"),
                                     Replace("issue", {"3"}, "3\ta\ttwo\\twith tab\ty\t\\N\t\\N",
                                             "3\ta\ttwo\\twith tab\tx\t\\N\t\\N")}),
              IsOk());
  EXPECT_EQ(Value("SELECT string_agg(email, ',' ORDER BY id) FROM issue"), "y,z,x");
}

TEST_F(PostgresSessionTest, RefusesARowThatIsAnotherTenants) {
  MakeTracker();
  EXPECT_THAT(Commit(Transaction("a").get(), {Insert("issue", {"5"}, "5\tb\t\\N\t\\N\t\\N\t\\N")}),
              FailsWith(Reason::kInternal));
  EXPECT_THAT(Commit(Transaction("a").get(), {Replace("issue", {"2"}, "2\tb\ttheirs\tz\t\\N\t\\N",
                                                      "2\ta\ttheirs\tz\t\\N\t\\N")}),
              FailsWith(Reason::kLiveChanged));
  EXPECT_THAT(Commit(Transaction("a").get(), {Delete("comment", {"11"}, "11\t2\tof b")}),
              FailsWith(Reason::kLiveChanged));
  EXPECT_EQ(Value("SELECT count(*) FROM issue WHERE tenant_id = 'b'"), "1");
  EXPECT_EQ(Value("SELECT count(*) FROM comment WHERE id = 11"), "1");
}

TEST_F(PostgresSessionTest, LooksUpKeysWhileItReads) {
  MakeTracker();
  for (int i = 100; i < 5000; ++i) {
    Run(absl::StrCat("INSERT INTO issue(id, tenant_id) VALUES (", i, ", 'a')"));
    i += 400;
  }
  Run("INSERT INTO issue(id, tenant_id) SELECT g, 'a' FROM generate_series(10000, 30000) g");
  const auto session = Transaction("a");
  const auto stream = session->ReadTable(Id("issue"));
  ASSERT_THAT(stream, IsOk());
  Record record;
  ASSERT_THAT((*stream)->Next(&record), IsOk());
  Run("UPDATE issue SET title = 'later' WHERE id = 1");
  const std::vector<RowKey> keys = {Key({"2"}), Key({"1"}), Key({"999999"})};
  const auto states = session->LookUp(Id("issue"), keys);
  ASSERT_THAT(states, IsOk());
  EXPECT_EQ((*states)[0].owner, KeyOwner::kOtherTenant);
  EXPECT_EQ((*states)[0].payload, std::nullopt);
  EXPECT_EQ((*states)[1].payload, "1\ta\tone\tx\t1.50\t{p,q}") << "of the same view";
  EXPECT_EQ((*states)[2].owner, KeyOwner::kNobody);
  int rows = 1;
  for (auto more = (*stream)->Next(&record); more.ok() && *more; more = (*stream)->Next(&record)) {
    ++rows;
  }
  EXPECT_EQ(std::to_string(rows), Value("SELECT count(*) FROM issue WHERE tenant_id = 'a'"));
}

TEST_F(PostgresSessionTest, ReadsOnWhenItIsAskedForSomethingElseInBetween) {
  MakeTracker();
  Run("INSERT INTO issue(id, tenant_id) SELECT g, 'a' FROM generate_series(10000, 12000) g");
  const auto session = Transaction("a");
  ASSERT_THAT(session->Apply(Insert("comment", {"50"}, "50\t1\tmine")), IsOk());
  const auto stream = session->ReadTable(Id("issue"));
  ASSERT_THAT(stream, IsOk());
  const std::vector<RowKey> keys = {Key({"50"})};
  const auto states = session->LookUp(Id("comment"), keys);
  ASSERT_THAT(states, IsOk());
  EXPECT_EQ((*states)[0].payload, "50\t1\tmine") << "its own changes";
  EXPECT_EQ(Read(session.get(), "comment").size(), 3);
  Record record;
  int rows = 0;
  for (auto more = (*stream)->Next(&record); more.ok() && *more; more = (*stream)->Next(&record)) {
    ++rows;
  }
  EXPECT_EQ(rows, 2003);
}

TEST_F(PostgresSessionTest, HandlesRowsWithoutAKey) {
  Run("CREATE TABLE log(tenant_id text, line text)");
  Run("INSERT INTO log VALUES ('a', 'same'), ('a', 'same'), ('a', 'same'), ('b', 'same')");
  auto session = Transaction("a");
  const auto stream = session->ReadTable(Id("log"));
  ASSERT_THAT(stream, IsOk());
  std::vector<Record> records;
  Record record;
  while (*(*stream)->Next(&record)) {
    records.push_back(record);
  }
  ASSERT_EQ(records.size(), 3);
  const std::vector<RowKey> keys = {records[1].key};
  EXPECT_EQ(session->LookUp(Id("log"), keys)->front().payload, "a\tsame");
  ASSERT_THAT(Commit(session.get(), {{.kind = ChangeKind::kDelete,
                                      .table = Id("log"),
                                      .key = records[2].key,
                                      .old_payload = "a\tsame"},
                                     {.kind = ChangeKind::kInsert,
                                      .table = Id("log"),
                                      .key = RowKey("whatever"),
                                      .new_payload = "a\tother"}}),
              IsOk());
  EXPECT_EQ(Value("SELECT string_agg(tenant_id || line, ',' ORDER BY tenant_id, line) FROM log"),
            "aother,asame,asame,bsame");
}

TEST_F(PostgresSessionTest, WritesPartitionedTables) {
  Run("CREATE TABLE event(tenant_id text, day date, n int, body text, PRIMARY KEY(day, n)) "
      "PARTITION BY RANGE (day)");
  Run("CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')");
  Run("CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')");
  Run("INSERT INTO event VALUES ('a', '2026-01-05', 1, 'x'), ('a', '2026-02-05', 1, 'y'), "
      "('b', '2026-01-05', 2, 'z')");
  ASSERT_THAT(Commit(Transaction("a").get(),
                     {Delete("event", {"2026-01-05", "1"}, "a\t2026-01-05\t1\tx"),
                      Replace("event", {"2026-02-05", "1"}, "a\t2026-02-05\t1\ty",
                              "a\t2026-02-05\t1\tchanged"),
                      Insert("event", {"2026-01-06", "1"}, "a\t2026-01-06\t1\tnew")}),
              IsOk());
  EXPECT_EQ(Value("SELECT string_agg(body, ',' ORDER BY body) FROM event"), "changed,new,z");
  EXPECT_THAT(Commit(Transaction("a").get(),
                     {Insert("event", {"2027-01-06", "1"}, "a\t2027-01-06\t1\tnew")}),
              FailsWith(Reason::kUnsupported))
      << "there is no partition for it";
}

TEST_F(PostgresSessionTest, SaysThatAKeyIsEqualButWrittenDifferently) {
  Run("CREATE TABLE price(amount numeric PRIMARY KEY, tenant_id text)");
  Run("INSERT INTO price VALUES (1.00, 'a'), (2.5, 'a')");
  const std::vector<RowKey> same = {Key({"2.5"}), Key({"7"})};
  EXPECT_THAT(Transaction("a")->LookUp(Id("price"), same), IsOk());
  const std::vector<RowKey> other = {Key({"1.0"})};
  EXPECT_THAT(Transaction("a")->LookUp(Id("price"), other), FailsWith(Reason::kUnsupported));
}

TEST_F(PostgresSessionTest, ShowsARowOfNobodyToWhoAsksForItsKey) {
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text)");
  Run("CREATE TABLE comment(id int PRIMARY KEY, issue int)");
  Run("INSERT INTO issue VALUES (1, NULL), (2, 'a'), (3, 'b')");
  Run("INSERT INTO comment VALUES (1, 1), (2, 2), (3, 3), (4, 77), (5, NULL)");
  config_.references = {
      {.table = "comment", .columns = {"issue"}, .parent = "issue", .parent_columns = {"id"}}};
  const auto look = [this](const std::string& table, int keys) {
    std::vector<RowKey> wanted;
    for (int i = 1; i <= keys; ++i) {
      wanted.push_back(Key({std::to_string(i)}));
    }
    const auto states = Transaction("a")->LookUp(Id(table), wanted);
    EXPECT_THAT(states, IsOk());
    std::vector<std::string> seen;
    for (const KeyState& state : *states) {
      seen.push_back(state.owner == KeyOwner::kOtherTenant ? "another's"
                                                           : state.payload.value_or("free"));
    }
    return seen;
  };
  EXPECT_THAT(look("issue", 4), ElementsAre("1\t\\N", "2\ta", "another's", "free"));
  EXPECT_THAT(look("comment", 6),
              ElementsAre("1\t1", "2\t2", "another's", "4\t77", "5\t\\N", "free"));
}

TEST_F(PostgresSessionTest, SaysWhichTriggersWouldFire) {
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text)");
  Run("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
  Run("CREATE TRIGGER always AFTER INSERT ON issue FOR EACH ROW EXECUTE FUNCTION f()");
  Run("ALTER TABLE issue ENABLE ALWAYS TRIGGER always");
  const absl::Status status = Commit(Transaction("a").get(), {Insert("issue", {"1"}, "1\ta")});
  EXPECT_THAT(status, FailsWith(Reason::kUnsupported));
  EXPECT_THAT(std::string(status.message()), HasSubstr("always"));

  auto setup = SetupFor("a");
  setup.may_fire = {"issue"};
  auto session = PostgresSession::Open(std::move(setup));
  ASSERT_THAT(session, IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  EXPECT_THAT(Commit(session->get(), {Insert("issue", {"1"}, "1\ta")}), IsOk());
}

TEST_F(PostgresSessionTest, BeginsAgainOnANewConnectionAfterARaceAndKeepsTheTenant) {
  MakeTracker();
  const auto session = Transaction("a");
  Run("UPDATE issue SET title = 'changed' WHERE id = 1");
  EXPECT_THAT(Commit(session.get(), {Replace("issue", {"1"}, "1\ta\tone\tx\t1.50\t{p,q}",
                                             "1\ta\tuno\tx\t1.50\t{p,q}")}),
              FailsWith(Reason::kLiveChanged));
  auto impatient = SetupFor("a");
  impatient.options.lock_timeout = absl::Milliseconds(30);
  EXPECT_THAT(PostgresSession::Open(impatient), FailsWith(Reason::kTenantBusy));
  ASSERT_THAT(session->Rollback(), IsOk());
  ASSERT_THAT(session->Begin(), IsOk());
  EXPECT_THAT(PostgresSession::Open(impatient), FailsWith(Reason::kTenantBusy));
  EXPECT_THAT(Commit(session.get(), {Replace("issue", {"1"}, "1\ta\tchanged\tx\t1.50\t{p,q}",
                                             "1\ta\tuno\tx\t1.50\t{p,q}")}),
              IsOk());
}

TEST_F(PostgresSessionTest, KeepsTheDefinitionOfItsTablesUntilItsEnd) {
  MakeTracker();
  const auto session = Transaction("a");
  EXPECT_THAT(Connect()->Execute("test",
                                 "SET lock_timeout = '100ms'; ALTER TABLE comment ADD COLUMN "
                                 "later int"),
              FailsWith(Reason::kLiveChanged));
  ASSERT_THAT(session->Rollback(), IsOk());
  Run("ALTER TABLE comment ADD COLUMN later int DEFAULT 7");
  ASSERT_THAT(session->Begin(), IsOk());
  EXPECT_THAT(Read(session.get(), "comment"), ElementsAre("10\t1\tfirst\t7", "9\t3\t\\N\t7"));
}

TEST_F(PostgresSessionTest, ShowsNoValuesInItsMessages) {
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, secret text UNIQUE CHECK (secret <> "
      "'hunter2'))");
  Run("INSERT INTO issue VALUES (1, 'b', 'passw0rd')");
  const absl::Status taken =
      Commit(Transaction("a").get(), {Insert("issue", {"2"}, "2\ta\tpassw0rd")});
  EXPECT_THAT(taken, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(taken.message()), HasSubstr("issue_secret_key"));
  EXPECT_THAT(std::string(taken.message()), HasSubstr("row 2 for table issue")) << "but its key";
  EXPECT_EQ(taken.message().find("passw0rd"), absl::string_view::npos);
  const absl::Status refused =
      Commit(Transaction("a").get(), {Insert("issue", {"2"}, "2\ta\thunter2")});
  EXPECT_THAT(refused, FailsWith(Reason::kUnsupported));
  EXPECT_EQ(refused.message().find("hunter2"), absl::string_view::npos);
  const absl::Status malformed =
      Commit(Transaction("a").get(), {Insert("issue", {"2"}, "hunter2\ta\tx")});
  EXPECT_FALSE(malformed.ok());
  EXPECT_EQ(malformed.message().find("hunter2"), absl::string_view::npos);
}

TEST_F(PostgresSessionTest, NamesTheRowWhoseValueWasTakenAmongManyThatAreWritten) {
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, slug text UNIQUE);"
      "INSERT INTO issue VALUES (1, 'b', 'taken'), (2, 'a', 'x')");
  std::vector<Change> changes;
  for (int i = 0; i < 30'000; ++i) {
    const std::string id = absl::StrCat(100'000 + i);
    changes.push_back(Insert("issue", {id}, absl::StrCat(id, "\ta\t", i == 25'000 ? "taken" : id)));
  }
  const absl::Status inserted = Commit(Transaction("a").get(), changes);
  EXPECT_THAT(inserted, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(inserted.message()), HasSubstr("row 125000 for table issue"));
  const absl::Status replaced =
      Commit(Transaction("a").get(), {Replace("issue", {"2"}, "2\ta\tx", "2\ta\ttaken")});
  EXPECT_THAT(replaced, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(replaced.message()), HasSubstr("from row 2 to row 2 for table issue"));
}

TEST_F(PostgresSessionTest, NamesThePrivilegeThatTheRoleLacks) {
  MakeTracker();
  Run(absl::StrCat("CREATE ROLE w_", database_,
                   " LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON "
                   "ALL TABLES IN SCHEMA public TO w_",
                   database_));
  auto setup = SetupFor("a");
  absl::StrAppend(&setup.connection.conninfo, " user=w_", database_);
  auto session = PostgresSession::Open(setup);
  ASSERT_THAT(session, IsOk());
  const absl::Status status = (*session)->Begin();
  EXPECT_THAT(status, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(status.message()), HasSubstr("session_replication_role"));
}

}  // namespace
}  // namespace reinstate
