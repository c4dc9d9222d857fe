// What is in the way of rows is found before they are written. The control arm writes each row as
// the application would: the server must refuse exactly those.

#include "storage/live/postgres/obstacle_finder.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/live/postgres/catalog_facts.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ObstacleFinderTest : public SessionWorld {
 protected:
  // "row: constraint owner key", or "row: no partition", of each obstacle of the changes.
  std::vector<std::string> Found(const std::vector<Change>& changes) {
    const auto session = Transaction("a");
    const auto obstacles = session->FindObstacles(changes);
    EXPECT_THAT(obstacles, IsOk());
    std::vector<std::string> texts;
    for (const Obstacle& obstacle : obstacles.value_or(std::vector<Obstacle>())) {
      std::string key = changes[obstacle.change].key.bytes();
      std::string text = absl::StrCat(key.substr(0, key.find('\0')), ": ");
      if (obstacle.kind == ObstacleKind::kNoPartition) {
        texts.push_back(text + "no partition");
        continue;
      }
      absl::StrAppend(&text, obstacle.constraint,
                      obstacle.owner == KeyOwner::kThisTenant    ? " ours"
                      : obstacle.owner == KeyOwner::kOtherTenant ? " theirs"
                                                                 : " nobody's");
      if (obstacle.key.has_value()) {
        const std::string& bytes = obstacle.key->bytes();
        absl::StrAppend(&text, " ", bytes.substr(0, bytes.find('\0')));
      }
      texts.push_back(std::move(text));
    }
    return texts;
  }

  // The constraint that the server names when the application inserts the row; "check" for a
  // missing partition; empty if it takes the row.
  std::string Refused(const std::string& table, const std::string& values) {
    const auto writer = Connect();
    RunOn(writer.get(), "BEGIN");
    const absl::Status status =
        writer->Execute("insert", absl::StrCat("INSERT INTO ", table, " VALUES (", values, ")"));
    if (status.ok()) {
      EXPECT_THAT(writer->Rollback(), IsOk());
      return "";
    }
    return writer->server_error().constraint.empty() ? writer->server_error().sqlstate
                                                     : writer->server_error().constraint;
  }

  // A row for tenant a, as a line of COPY and as the application would write it.
  struct Row {
    std::string line;
    std::string values;
    std::string refused_by;  // empty: nothing is in its way
    std::string owner = " theirs";
  };

  void ExpectAsTheServer(const std::string& table, const std::vector<Row>& rows) {
    std::vector<Change> changes;
    std::vector<std::string> expected;
    for (const Row& row : rows) {
      const std::string key = row.line.substr(0, row.line.find('\t'));
      changes.push_back(Insert(table, {key}, row.line));
      EXPECT_EQ(Refused(table, row.values), row.refused_by) << "the control arm: " << row.values;
      if (!row.refused_by.empty()) {
        expected.push_back(absl::StrCat(key, ": ", row.refused_by, row.owner));
      }
    }
    EXPECT_EQ(Found(changes), expected) << table;
  }

  bool MayBe(const std::string& table) {
    const auto reader = Connect();
    EXPECT_THAT(reader->Begin({.read_only = true}), IsOk());
    auto catalog = ReadCatalog(reader.get());
    EXPECT_THAT(catalog, IsOk());
    const auto map = PgTenantMap::Make(*std::move(catalog), config_);
    EXPECT_THAT(map, IsOk());
    return MayBeObstructed(*map, *map->catalog().FindByName(table));
  }
};

TEST_F(ObstacleFinderTest, TellsWhoseTheRowIsThatHasTheValue) {
  Run("CREATE TABLE account(id int PRIMARY KEY, tenant_id text, email text UNIQUE);"
      "INSERT INTO account VALUES (1, 'a', 'mine'), (2, 'b', 'theirs'), (3, NULL, 'nobodys')");
  EXPECT_EQ(Refused("account", "10, 'a', 'theirs'"), "account_email_key") << "the control arm";
  EXPECT_THAT(
      Found({Insert("account", {"10"}, "10\ta\ttheirs"), Insert("account", {"11"}, "11\ta\tfree"),
             Insert("account", {"12"}, "12\ta\tnobodys"), Insert("account", {"13"}, "13\ta\tmine"),
             Insert("account", {"14"}, "14\ta\t\\N")}),
      ElementsAre("10: account_email_key theirs", "12: account_email_key nobody's",
                  "13: account_email_key ours 1"));
}

TEST_F(ObstacleFinderTest, LooksAtReplacementsThatChangeTheValueOnly) {
  Run("CREATE TABLE account(id int PRIMARY KEY, tenant_id text, email text UNIQUE, name text);"
      "INSERT INTO account VALUES (1, 'a', 'mine', 'x'), (2, 'b', 'theirs', 'y')");
  EXPECT_THAT(Found({Replace("account", {"1"}, "1\ta\tmine\tx", "1\ta\tmine\tz"),
                     Delete("account", {"1"}, "1\ta\tmine\tx")}),
              IsEmpty());
  EXPECT_THAT(Found({Replace("account", {"1"}, "1\ta\tmine\tx", "1\ta\ttheirs\tx")}),
              ElementsAre("1: account_email_key theirs"));
}

TEST_F(ObstacleFinderTest, LooksAtIndexesOfAllKindsAsTheServerDoes) {
  Run("CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = "
      "false)");
  Run("CREATE TABLE partial(id int PRIMARY KEY, tenant_id text, slug text, gone bool);"
      "CREATE UNIQUE INDEX partial_slug ON partial(slug) WHERE NOT gone;"
      "INSERT INTO partial VALUES (1, 'b', 'x', false), (2, 'b', 'y', true)");
  ExpectAsTheServer("partial", {{"10\ta\tx\tf", "10, 'a', 'x', false", "partial_slug"},
                                {"11\ta\tx\tt", "11, 'a', 'x', true", ""},
                                {"12\ta\ty\tf", "12, 'a', 'y', false", ""}});

  Run("CREATE TABLE lowered(id int PRIMARY KEY, tenant_id text, \"E mail\" varchar(20));"
      "CREATE UNIQUE INDEX lowered_mail ON lowered(lower(\"E mail\"), (length(\"E mail\") > 0));"
      "INSERT INTO lowered VALUES (1, 'b', 'Ann')");
  ExpectAsTheServer("lowered", {{"10\ta\taNN", "10, 'a', 'aNN'", "lowered_mail"},
                                {"11\ta\tbob", "11, 'a', 'bob'", ""}});

  Run("CREATE TABLE collated(id int PRIMARY KEY, tenant_id text, name text COLLATE caseless "
      "UNIQUE, "
      "plain text);"
      "CREATE UNIQUE INDEX collated_plain ON collated(plain COLLATE caseless);"
      "INSERT INTO collated VALUES (1, 'b', 'Ann', 'Bob')");
  ExpectAsTheServer("collated", {{"10\ta\taNN\tx", "10, 'a', 'aNN', 'x'", "collated_name_key"},
                                 {"11\ta\tcarl\tbOB", "11, 'a', 'carl', 'bOB'", "collated_plain"},
                                 {"12\ta\tcarl\tdan", "12, 'a', 'carl', 'dan'", ""}});

  Run("CREATE TABLE nulls(id int PRIMARY KEY, tenant_id text, x int, y int NOT NULL, "
      "UNIQUE NULLS NOT DISTINCT (x, y));"
      "INSERT INTO nulls VALUES (1, 'b', NULL, 1), (2, 'b', 2, 2)");
  ExpectAsTheServer("nulls", {{"10\ta\t\\N\t1", "10, 'a', NULL, 1", "nulls_x_y_key"},
                              {"11\ta\t\\N\t2", "11, 'a', NULL, 2", ""},
                              {"12\ta\t2\t2", "12, 'a', 2, 2", "nulls_x_y_key"}});

  Run("CREATE TABLE derived(id int PRIMARY KEY, tenant_id text, a int, b int, "
      "total int GENERATED ALWAYS AS (a + b) STORED UNIQUE);"
      "INSERT INTO derived VALUES (1, 'b', 1, 2)");
  ExpectAsTheServer("derived", {{"10\ta\t2\t1", "10, 'a', 2, 1", "derived_total_key"},
                                {"11\ta\t2\t2", "11, 'a', 2, 2", ""}});

  Run("CREATE TABLE stay(id int PRIMARY KEY, tenant_id text, during int4range, "
      "CONSTRAINT apart EXCLUDE USING gist (during WITH &&) WHERE (NOT isempty(during)));"
      "INSERT INTO stay VALUES (1, 'b', '[1,5)')");
  ExpectAsTheServer("stay", {{"10\ta\t[4,6)", "10, 'a', '[4,6)'", "apart"},
                             {"11\ta\t[5,6)", "11, 'a', '[5,6)'", ""},
                             {"12\ta\tempty", "12, 'a', 'empty'", ""}});

  Run("CREATE DOMAIN code AS text CHECK (value <> ''); CREATE TYPE mood AS ENUM ('low', 'high');"
      "CREATE TABLE typed(id int PRIMARY KEY, tenant_id text, code code, mood mood, price numeric, "
      "UNIQUE (code, mood), UNIQUE (price));"
      "INSERT INTO typed VALUES (1, 'b', 'x', 'low', 1.0)");
  ExpectAsTheServer("typed",
                    {{"10\ta\tx\tlow\t2", "10, 'a', 'x', 'low', 2", "typed_code_mood_key"},
                     {"11\ta\tx\thigh\t1.00", "11, 'a', 'x', 'high', 1.00", "typed_price_key"},
                     {"12\ta\tx\thigh\t3", "12, 'a', 'x', 'high', 3", ""}});
}

TEST_F(ObstacleFinderTest, LooksAtDeferrableConstraintsWhichTheServerWouldNot) {
  Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id text, number int UNIQUE DEFERRABLE INITIALLY "
      "DEFERRED); INSERT INTO doc VALUES (1, 'b', 7)");
  EXPECT_EQ(Refused("doc", "2, 'a', 7"), "") << "the control arm: not before its commit";
  EXPECT_THAT(Found({Insert("doc", {"2"}, "2\ta\t7")}), ElementsAre("2: doc_number_key theirs"));
}

TEST_F(ObstacleFinderTest, LooksAtTablesWithoutAKeyAndAtTheOwnerOfAPath) {
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text);"
      "CREATE TABLE note(issue_id int REFERENCES issue, tag text UNIQUE);"
      "CREATE TABLE mark(id int PRIMARY KEY, issue_id int REFERENCES issue, tag text UNIQUE);"
      "INSERT INTO issue VALUES (1, 'a'), (2, 'b');"
      "INSERT INTO note VALUES (1, 'x'), (2, 'y'); INSERT INTO mark SELECT i, i, t FROM note n(i, "
      "t)");
  EXPECT_THAT(Found({Insert("note", {"k"}, "1\tx"), Insert("note", {"l"}, "1\ty"),
                     Insert("mark", {"8"}, "8\t1\tx"), Insert("mark", {"9"}, "9\t1\ty")}),
              ElementsAre("k: note_tag_key ours", "l: note_tag_key theirs",
                          "8: mark_tag_key ours 1", "9: mark_tag_key theirs"));
}

TEST_F(ObstacleFinderTest, NamesRowsThatNoPartitionTakes) {
  Run("CREATE TABLE event(id int, tenant_id text, day int, kind text, PRIMARY KEY (id, day, kind)) "
      "PARTITION BY RANGE (day);"
      "CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (10);"
      "CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM (10) TO (20) PARTITION BY LIST "
      "(kind);"
      "CREATE TABLE event_2a PARTITION OF event_2 FOR VALUES IN ('x')");
  const std::vector<Change> changes = {Insert("event", {"1", "5", "z"}, "1\ta\t5\tz"),
                                       Insert("event", {"2", "15", "x"}, "2\ta\t15\tx"),
                                       Insert("event", {"3", "15", "y"}, "3\ta\t15\ty"),
                                       Insert("event", {"4", "25", "x"}, "4\ta\t25\tx")};
  EXPECT_EQ(Refused("event", "1, 'a', 5, 'z'"), "") << "the control arm";
  EXPECT_EQ(Refused("event", "2, 'a', 15, 'x'"), "");
  EXPECT_EQ(Refused("event", "3, 'a', 15, 'y'"), "23514");
  EXPECT_EQ(Refused("event", "4, 'a', 25, 'x'"), "23514");
  EXPECT_THAT(Found(changes), ElementsAre("3: no partition", "4: no partition"));
  EXPECT_TRUE(MayBe("event"));

  Run("CREATE TABLE event_rest PARTITION OF event DEFAULT;"
      "CREATE TABLE event_2rest PARTITION OF event_2 DEFAULT");
  EXPECT_THAT(Found(changes), IsEmpty());
  EXPECT_FALSE(MayBe("event")) << "every row finds one";
}

TEST_F(ObstacleFinderTest, NamesRowsThatNoPartitionByHashOrExpressionTakes) {
  Run("CREATE TABLE item(id int PRIMARY KEY, tenant_id text) PARTITION BY HASH (id);"
      "CREATE TABLE item_0 PARTITION OF item FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
      "CREATE TABLE word(id int, tenant_id text, w text) PARTITION BY LIST (lower(w));"
      "CREATE TABLE word_a PARTITION OF word FOR VALUES IN ('a')");
  std::vector<Change> changes;
  std::vector<std::string> expected;
  for (int id = 1; id <= 20; ++id) {
    changes.push_back(Insert("item", {absl::StrCat(id)}, absl::StrCat(id, "\ta")));
    if (!Refused("item", absl::StrCat(id, ", 'a'")).empty()) {
      expected.push_back(absl::StrCat(id, ": no partition"));
    }
  }
  EXPECT_THAT(expected, testing::SizeIs(testing::AllOf(testing::Gt(0), testing::Lt(20))));
  EXPECT_EQ(Found(changes), expected);
  EXPECT_THAT(Found({Insert("word", {"1"}, "1\ta\tA"), Insert("word", {"2"}, "2\ta\tb")}),
              ElementsAre("2: no partition"));
}

TEST_F(ObstacleFinderTest, AsksNothingOfTablesWithoutSuchIndexes) {
  Run("CREATE TABLE shared(id int PRIMARY KEY);"
      "CREATE TABLE plain(id int PRIMARY KEY, tenant_id text, s int REFERENCES shared);"
      "CREATE TABLE unlike(id int PRIMARY KEY, tenant_id text, email text UNIQUE)");
  config_.shared = {"shared"};
  EXPECT_FALSE(MayBe("plain"));
  EXPECT_TRUE(MayBe("unlike"));
}

TEST_F(ObstacleFinderTest, ProbesTheIndexesOfLargeTables) {
  Run("CREATE TABLE account(id int PRIMARY KEY, tenant_id text, email text);"
      "CREATE UNIQUE INDEX account_email ON account(lower(email)) WHERE email <> '';"
      "INSERT INTO account SELECT g, 'b', 'e' || g FROM generate_series(1, 50000) g;"
      "ANALYZE account");
  std::vector<Change> changes;
  for (int i = 0; i < 1000; ++i) {
    changes.push_back(Insert("account", {absl::StrCat(100000 + i)},
                             absl::StrCat(100000 + i, "\ta\tE", i == 500 ? 17 : 60000 + i)));
  }
  const std::string read = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'account'";
  Run("SELECT pg_stat_force_next_flush()");
  const std::string before = Value(read);
  EXPECT_THAT(Found(changes), ElementsAre("100500: account_email theirs"));
  WaitUntil(
      "(SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'account_email') >= "
      "1000");
  EXPECT_EQ(Value(read), before) << "rows were read one after the other";
}

TEST_F(ObstacleFinderTest, NamesThePrivilegeThatLockingAParentTakes) {
  const std::string role = absl::StrCat("narrow_", database_);
  Run("CREATE TABLE kind(id int PRIMARY KEY); INSERT INTO kind VALUES (1);"
      "CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, kind int REFERENCES kind);"
      "INSERT INTO issue VALUES (1, 'a', NULL);" +
      absl::StrCat("CREATE ROLE ", role, " LOGIN; GRANT ALL ON issue TO ", role,
                   "; GRANT SELECT ON kind TO ", role,
                   "; GRANT SET ON PARAMETER session_replication_role TO ", role));
  config_.shared = {"kind"};
  const std::string as_before = options_.conninfo;
  options_.conninfo = absl::StrCat(as_before, " user=", role);
  const Change refers = Insert("issue", {"2"}, "2\ta\t1");
  EXPECT_THAT(Commit(Transaction("a").get(), {refers}), FailsWith(Reason::kNotAllowed))
      << "the control arm: without asking it is found by the checks";
  const auto asked = Transaction("a")->FindObstacles(std::vector{refers});
  EXPECT_THAT(asked, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(asked.status().message()),
              HasSubstr("GRANT SELECT, UPDATE (\"id\") ON \"public\".\"kind\""));
  EXPECT_THAT(Found({Insert("issue", {"3"}, "3\ta\t\\N"),
                     Replace("issue", {"1"}, "1\ta\t\\N", "1\ta\t\\N")}),
              IsEmpty())
      << "what refers to nothing locks nothing";
  Run(absl::StrCat("GRANT UPDATE (id) ON kind TO ", role));
  EXPECT_THAT(Found({refers}), IsEmpty());
  EXPECT_THAT(Commit(Transaction("a").get(), {refers}), IsOk());
  options_.conninfo = as_before;
}

}  // namespace
}  // namespace reinstate
