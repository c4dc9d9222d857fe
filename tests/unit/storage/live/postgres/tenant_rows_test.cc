#include "storage/live/postgres/tenant_rows.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::ElementsAre;

class TenantRowsTest : public SessionWorld {
 protected:
  TenantRowsTest() : connection_(Connect()) {
    Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text);"
        "CREATE INDEX ON issue(tenant_id);"
        "CREATE TABLE comment(id int PRIMARY KEY, issue int NOT NULL REFERENCES issue);"
        "CREATE INDEX ON comment(issue);"
        "CREATE TABLE reaction(id int PRIMARY KEY, comment int NOT NULL REFERENCES comment);"
        "CREATE INDEX ON reaction(comment);"
        "CREATE TABLE unindexed(id int PRIMARY KEY, tenant_id text);");
  }

  // Begins a transaction, and reads its map.
  PgTenantMap Begin() {
    EXPECT_THAT(connection_->Begin({.repeatable_read = true, .read_only = true}), IsOk());
    return *PgTenantMap::Make(*ReadCatalog(connection_.get()), config_);
  }

  static std::vector<TenantId> Tenants(const std::vector<std::string>& ids) {
    std::vector<TenantId> tenants;
    std::transform(ids.begin(), ids.end(), std::back_inserter(tenants), TenantId::FromStored);
    return tenants;
  }

  absl::StatusOr<std::vector<int64_t>> Count(const std::vector<std::string>& ids) {
    return CountTenantRows(Begin(), Tenants(ids), connection_.get());
  }

  // How often the transaction has read a whole table.
  int64_t Walks(const std::string& table) {
    return connection_
        ->Query("look", absl::StrCat("SELECT seq_scan FROM pg_stat_xact_user_tables "
                                     "WHERE relname = '",
                                     table, "'"))
        ->GetInt(0, 0);
  }

  std::unique_ptr<PgConnection> connection_;
};

TEST_F(TenantRowsTest, AreCountedInEveryTableInTheOrderAskedFor) {
  Run("INSERT INTO issue VALUES (1, 'a'), (2, 'a'), (3, 'b'), (4, NULL);"
      "INSERT INTO comment VALUES (1, 1), (2, 2), (3, 2), (4, 3), (5, 4);"
      "INSERT INTO reaction VALUES (1, 1), (2, 1), (3, 5);"
      "INSERT INTO unindexed VALUES (1, 'b'), (2, 'b'), (3, 'c'), (4, 'a')");
  const auto rows = Count({"b", "nobody's", "a", "it's \"{,}\\", "c", "a"});
  ASSERT_THAT(rows, IsOk());
  EXPECT_THAT(*rows, ElementsAre(4, 0, 8, 0, 1, 8));
}

TEST_F(TenantRowsTest, AreCountedForMoreTenantsThanOneStatementTakes) {
  Run("INSERT INTO issue SELECT i, 't' || i % 2500 FROM generate_series(0, 4999) i;"
      "INSERT INTO unindexed VALUES (1, 't2400')");
  std::vector<std::string> ids;
  for (int i = 0; i < 2500; ++i) {
    ids.push_back(absl::StrCat("t", i));
  }
  std::vector<int64_t> expected(2500, 2);
  expected[2400] = 3;
  EXPECT_EQ(*Count(ids), expected);
}

// By the statistics these tenants still have half of all rows, for which a join reads whole tables.
TEST_F(TenantRowsTest, OfTenantsThatWereJustDeletedAreCountedByIndex) {
  Run("INSERT INTO issue SELECT i, 't' || i % 50 FROM generate_series(0, 19999) i;"
      "INSERT INTO comment SELECT i, i FROM generate_series(0, 19999) i;"
      "INSERT INTO reaction SELECT i, i FROM generate_series(0, 19999) i;"
      "ANALYZE issue, comment, reaction;"
      "SET session_replication_role = replica;"
      "DELETE FROM reaction WHERE id % 50 < 25; DELETE FROM comment WHERE id % 50 < 25;"
      "DELETE FROM issue WHERE id % 50 < 25");
  std::vector<std::string> ids;
  for (int i = 0; i < 26; ++i) {
    ids.push_back(absl::StrCat("t", i));
  }
  std::vector<int64_t> expected(25, 0);
  expected.push_back(1200);
  EXPECT_EQ(*Count(ids), expected);
  for (const char* const table : {"issue", "comment", "reaction"}) {
    EXPECT_EQ(Walks(table), 0) << table;
  }
  const std::string list = absl::StrCat("'", absl::StrJoin(ids, "', '"), "'");
  ASSERT_THAT(connection_->Begin({.repeatable_read = true, .read_only = true}), IsOk());
  ASSERT_THAT(connection_->Query("count", absl::StrCat("SELECT tenant_id, count(*) FROM issue "
                                                       "WHERE tenant_id IN (",
                                                       list, ") GROUP BY 1")),
              IsOk());
  EXPECT_EQ(Walks("issue"), 1) << "the plain statement walks through the table";
}

}  // namespace
}  // namespace reinstate
