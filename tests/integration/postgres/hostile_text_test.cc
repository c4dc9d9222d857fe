// Names of tables and columns, ids of tenants and values that are SQL, escapes, or odd in other
// ways: all of them go through a snapshot, a deletion, a restore and its undo, and come back as
// they were; none is executed.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "storage/live/postgres/postgres_store.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_server.h"
#include "tests/support/postgres_site_config.h"
#include "tests/support/restore_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

constexpr size_t kTables = 40;
constexpr size_t kColumns = 12;
constexpr size_t kTenants = 30;
constexpr size_t kVictims = 8;
constexpr size_t kLongestName = 63;  // bytes, of identifiers

const std::vector<std::string>& Seeds() {
  static const std::vector<std::string> seeds = {
      "'; DROP TABLE canary; --",
      "\"; DROP TABLE canary; --",
      "'); DELETE FROM canary; --",
      "$1",
      "$$; DROP TABLE canary; $$",
      "%s%n%d",
      "\\",
      "\\\\",
      "\\N",
      "\\.",
      "\\'; DROP TABLE canary; --",
      "a\tb",
      "a\nb",
      "a\r\nb",
      "\b\f\v",
      "\x01\x1f\x7f",
      "''",
      "\"\"",
      "\"",
      "'",
      "E'\\x27'",
      "U&'\\0027'",
      "/* comment",
      "-- comment",
      "*/",
      ";",
      "NULL",
      "null",
      "{a,b}",
      "{\"a\": 1}",
      "(1,2)",
      "select",
      "user",
      "pg_catalog.pg_class",
      "t",
      "p1",
      " leading and trailing ",
      "Grüße",
      "你好",
      "\xF0\x9F\x9A\x80",
      "a\xCC\x81",  // a and a combining accent
      "\xE2\x80\xAE"
      "evol",  // right to left
      "\xEF\xBB\xBF"
      "bom",
      "../../etc/passwd",
      "$(touch /tmp/canary)",
      "`touch /tmp/canary`",
      "<script>alert(1)</script>",
      "CamelCase",
      "with space",
      "1",
      "-1e308",
      "0x41",
      "tenant",
      "session_replication_role",
      "COMMIT; BEGIN",
      "ROLLBACK TO x",
      "\\copy canary from program 'true'",
      "{{7*7}}",
      "${jndi:ldap://x}",
      "a'b\"c\\d;e--f/*g",
  };
  return seeds;
}

// The seeds, then mixtures of them; all different, none longer than `longest` bytes.
std::vector<std::string> HostileTexts(size_t count, size_t longest, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::string> texts;
  std::set<std::string> taken;
  while (texts.size() < count) {
    std::string text = Seeds()[texts.size() % Seeds().size()];
    if (texts.size() >= Seeds().size()) {
      text += Seeds()[random() % Seeds().size()];
      absl::StrAppend(&text, texts.size());
    }
    if (text.size() > longest) {
      text = absl::StrCat("'\";", texts.size());
    }
    if (taken.insert(text).second) {
      texts.push_back(text);
    } else {
      texts.push_back(absl::StrCat("x'", texts.size()));
    }
  }
  return texts;
}

// By the rule of the manual, written down once more: the test shares nothing with what it tests.
std::string Name(const std::string& name) {
  return absl::StrCat("\"", absl::StrReplaceAll(name, {{"\"", "\"\""}}), "\"");
}

class PostgresHostileText : public testing::Test {
 protected:
  PostgresHostileText()
      : database_name_(PostgresServer::Shared()->MakeDatabase()),
        tables_(HostileTexts(kTables, kLongestName, 1)),
        columns_(HostileTexts(kTables * kColumns, kLongestName, 2)),
        tenants_(HostileTexts(kTenants, 200, 3)),
        values_(HostileTexts(600, 10'000, 4)) {
    auto database = PlainDatabase::Connect(PostgresServer::Shared()->OnSocket(database_name_));
    EXPECT_THAT(database, IsOk());
    database_ = *std::move(database);
    MakeTables();
    EXPECT_THAT(MakeDaemonRole(PostgresServer::Shared()->OnSocket(database_name_)), IsOk());
    Insert();
    OpenStore();
  }

  void MakeTables() {
    EXPECT_THAT(database_->Run("CREATE TABLE canary (id integer PRIMARY KEY); "
                               "INSERT INTO canary VALUES (1)"),
                IsOk());
    for (size_t i = 0; i < kTables; ++i) {
      std::string sql = absl::StrCat("CREATE TABLE ", Name(tables_[i]), " (owner_of_it text");
      for (size_t c = 0; c < kColumns; ++c) {
        absl::StrAppend(&sql, ", ", Name(Column(i, c)), " text");
      }
      absl::StrAppend(&sql, ", PRIMARY KEY (owner_of_it, ", Name(Column(i, 0)), "))");
      EXPECT_THAT(database_->Run(sql), IsOk()) << sql;
    }
  }

  void Insert() {
    size_t value = 0;
    for (size_t i = 0; i < kTables; ++i) {
      for (const std::string& tenant : tenants_) {
        PlainRow row = {tenant};
        std::string sql = absl::StrCat("INSERT INTO ", Name(tables_[i]), " VALUES ($1");
        for (size_t c = 0; c < kColumns; ++c) {
          row.emplace_back(values_[++value % values_.size()]);
          absl::StrAppend(&sql, ", $", c + 2);
        }
        EXPECT_THAT(database_->Query(absl::StrCat(sql, ")"), row), IsOk());
      }
    }
  }

  void OpenStore() {
    PostgresStoreOptions options;
    options.connection.conninfo =
        absl::StrCat(PostgresServer::Shared()->OnTcp(database_name_), " user=", kDaemonRole);
    options.map.tenant_columns = {"owner_of_it"};
    options.map.shared = {"canary"};
    store_ = PostgresStore::Create(options);
    world_ = std::make_unique<RestoreWorld>(store_.get(), nullptr);
  }

  const std::string& Column(size_t table, size_t column) const {
    return columns_[table * kColumns + column];
  }

  // Every row of every table, as the server's text.
  std::map<std::string, std::vector<PlainRow>> Read() {
    std::map<std::string, std::vector<PlainRow>> found;
    for (const std::string& table : tables_) {
      auto rows = database_->Query(
          absl::StrCat("SELECT * FROM ", Name(table), " AS t ORDER BY t::text COLLATE \"C\""));
      EXPECT_THAT(rows, IsOk());
      found[table] = *std::move(rows);
    }
    return found;
  }

  void DeleteTenant(const std::string& tenant) {
    for (const std::string& table : tables_) {
      EXPECT_THAT(
          database_->Query(absl::StrCat("DELETE FROM ", Name(table), " WHERE owner_of_it = $1"),
                           {tenant}),
          IsOk());
    }
  }

  const std::string database_name_;
  const std::vector<std::string> tables_;
  const std::vector<std::string> columns_;
  const std::vector<std::string> tenants_;
  const std::vector<std::string> values_;
  std::unique_ptr<PlainDatabase> database_;
  std::unique_ptr<PostgresStore> store_;
  std::unique_ptr<RestoreWorld> world_;
};

TEST_F(PostgresHostileText, ComesBackAsItWasAndNothingIsExecuted) {
  const auto at_first = Read();
  const SnapshotInfo point = world_->TakeSnapshot();
  for (size_t i = 0; i < kVictims; ++i) {
    DeleteTenant(tenants_[i * 3]);
  }
  const auto deleted = Read();
  ASSERT_TRUE(deleted != at_first);
  std::vector<state::RestoreRecord> restores;
  for (size_t i = 0; i < kVictims; ++i) {
    restores.push_back(
        world_->Restore(RestoreWorld::Order(tenants_[i * 3], point, state::CREATE_MISSING)));
    EXPECT_EQ(restores.back().state(), state::SUCCEEDED) << restores.back().failure().message();
  }
  EXPECT_TRUE(Read() == at_first);
  for (const state::RestoreRecord& restore : restores) {
    EXPECT_EQ(world_->Undo(restore).state(), state::SUCCEEDED);
  }
  EXPECT_TRUE(Read() == deleted);
  EXPECT_EQ(*database_->Value("SELECT count(*) FROM canary"), "1");
}

TEST_F(PostgresHostileText, EditedValuesAreReplacedAsTheyWere) {
  const auto at_first = Read();
  const SnapshotInfo point = world_->TakeSnapshot();
  const std::string& tenant = tenants_[1];
  for (size_t i = 0; i < kTables; ++i) {
    // Not the key.
    EXPECT_THAT(database_->Query(
                    absl::StrCat("UPDATE ", Name(tables_[i]), " SET ", Name(Column(i, 1)),
                                 " = $2, ", Name(Column(i, 3)), " = NULL WHERE owner_of_it = $1"),
                    {tenant, values_[(i * 17) % values_.size()]}),
                IsOk());
  }
  const state::RestoreRecord restore =
      world_->Restore(RestoreWorld::Order(tenant, point, state::MIRROR));
  EXPECT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_TRUE(Read() == at_first);
}

}  // namespace
}  // namespace reinstate
