#include "storage/live/postgres/empty_tables.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class EmptyTablesTest : public SessionWorld {
 protected:
  EmptyTablesTest() {
    Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text);"
        "CREATE INDEX ON issue(tenant_id);"
        "CREATE TABLE comment(id int PRIMARY KEY, issue int NOT NULL REFERENCES issue);"
        "CREATE INDEX ON comment(issue);"
        "CREATE TABLE unindexed(id int PRIMARY KEY, tenant_id text);"
        "CREATE TABLE label(tenant_id text, name text, PRIMARY KEY (tenant_id, name))");
  }

  // Their names.
  std::set<std::string> Find(const std::string& tenant) {
    const auto connection = Connect();
    EXPECT_THAT(connection->Begin({.repeatable_read = true, .read_only = true}), IsOk());
    auto catalog = ReadCatalog(connection.get());
    EXPECT_THAT(catalog, IsOk());
    const auto map = PgTenantMap::Make(*std::move(catalog), config_);
    EXPECT_THAT(map, IsOk());
    const auto found = FindEmptyTables(*map, TenantId::FromStored(tenant), connection.get());
    EXPECT_THAT(found, IsOk());
    std::set<std::string> names;
    for (const PgOid oid : found.value_or(std::set<PgOid>())) {
      names.insert(map->catalog().Find(oid)->DisplayName());
    }
    return names;
  }
};

TEST_F(EmptyTablesTest, AreThoseWithoutARowOfTheTenant) {
  Run("INSERT INTO issue VALUES (1, 'a'), (2, 'b'); INSERT INTO comment VALUES (1, 1);"
      "INSERT INTO label VALUES ('b', 'x')");
  EXPECT_THAT(Find("a"), UnorderedElementsAre("label"));
  EXPECT_THAT(Find("b"), UnorderedElementsAre("comment"));
  EXPECT_THAT(Find("c"), UnorderedElementsAre("comment", "issue", "label"));
}

TEST_F(EmptyTablesTest, AreNotLookedForWhereAllOfTheTableWouldHaveToBeRead) {
  Run("DROP TABLE comment; DROP TABLE issue; DROP TABLE label");
  EXPECT_THAT(Find("a"), IsEmpty());
}

TEST_F(EmptyTablesTest, AreNotLookedForWhereTheRoleMayNotRead) {
  const std::string reader = database_ + "_reader";
  Run("CREATE ROLE " + reader + "; GRANT SELECT ON issue, label TO " + reader);
  const auto connection = Connect();
  ASSERT_THAT(connection->Execute("become", "SET ROLE " + reader), IsOk());
  ASSERT_THAT(connection->Begin({.repeatable_read = true, .read_only = true}), IsOk());
  const auto map = PgTenantMap::Make(*ReadCatalog(connection.get()), config_);
  ASSERT_THAT(map, IsOk());
  const auto found = FindEmptyTables(*map, TenantId::FromStored("c"), connection.get());
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->size(), 2U) << "issue and label, but not comment";
}

// With few tenants a walk through the table finds a row of an average one soon, but of one that was
// deleted never.
TEST_F(EmptyTablesTest, AreFoundByIndexAlsoWithAPlanForAnyTenant) {
  Run("INSERT INTO issue SELECT i, 't' || i % 5 FROM generate_series(1, 20000) i; ANALYZE issue");
  const auto connection = Connect();
  const auto walks = [&connection] {
    return connection
        ->Query("look", "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'issue'")
        ->GetInt(0, 0);
  };
  const auto begin = [&connection] {
    ASSERT_THAT(connection->Begin({.repeatable_read = true, .read_only = true}), IsOk());
    ASSERT_THAT(connection->Execute("plan", "SET LOCAL plan_cache_mode = force_generic_plan"),
                IsOk());
  };
  begin();
  const auto map = PgTenantMap::Make(*ReadCatalog(connection.get()), config_);
  ASSERT_THAT(map, IsOk());
  const int64_t before = walks();
  ASSERT_THAT(FindEmptyTables(*map, TenantId::FromStored("gone"), connection.get()), IsOk());
  EXPECT_EQ(walks() - before, 0);
  ASSERT_THAT(connection->Rollback(), IsOk());
  begin();
  ASSERT_THAT(connection->QueryKept(
                  "look", "SELECT EXISTS (SELECT FROM issue WHERE tenant_id = $1)", {"gone"}),
              IsOk());
  EXPECT_EQ(walks(), 1) << "the plain statement walks through the table";
}

TEST_F(EmptyTablesTest, AreKnownOnlyUntilTheSessionChangesSomething) {
  const auto session = Transaction("a");
  EXPECT_THAT(Read(session.get(), "issue"), IsEmpty());
  EXPECT_THAT(Read(session.get(), "label"), IsEmpty());
  // After the view.
  Run("INSERT INTO label VALUES ('a', 'new')");
  EXPECT_THAT(Read(session.get(), "label"), IsEmpty());
  ASSERT_THAT(ApplyAll(session.get(), {Insert("issue", {"1"}, "1\ta")}), IsOk());
  EXPECT_THAT(Read(session.get(), "issue"), ElementsAre("1\ta"));
  EXPECT_THAT(Read(session.get(), "label"), IsEmpty());
  ASSERT_THAT(session->Rollback(), IsOk());
  ASSERT_THAT(session->Begin(), IsOk());
  EXPECT_THAT(Read(session.get(), "issue"), IsEmpty());
  EXPECT_THAT(Read(session.get(), "label"), ElementsAre("a\tnew"));
}

}  // namespace
}  // namespace reinstate
