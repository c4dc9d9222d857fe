#include "storage/live/postgres/postgres_cut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/row_codec.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Tenant, table and key to payload.
using Contents = std::map<std::tuple<std::string, std::string, std::string>, std::string>;

class PostgresCutTest : public ::testing::Test {
 protected:
  PostgresCutTest() {
    connection_ = Connect();
    options_.connection.conninfo = server_->OnSocket(database_);
    options_.allow_superuser = true;
    options_.map.tenant_table = "sites";
    options_.map.tenant_columns = {"site_id"};
    options_.map.label_columns = {"name", "alias"};
    Run("CREATE TABLE sites(id bigint PRIMARY KEY, name text, alias text);"
        "INSERT INTO sites SELECT i, 'Site ' || i, nullif('s' || i, 's2') "
        "  FROM generate_series(1, 20) i");
  }

  std::unique_ptr<PgConnection> Connect() {
    PgOptions options;
    options.conninfo = server_->OnSocket(database_);
    return *PgConnection::Connect(options);
  }

  void Run(const std::string& sql) { ASSERT_THAT(connection_->Execute("set up", sql), IsOk()); }

  std::string Value(const std::string& sql) {
    return std::string(connection_->Query("ask", sql)->Get(0, 0));
  }

  std::unique_ptr<PostgresCut> Open(int shards = 2) {
    auto cut = PostgresCut::Open(options_, shards);
    EXPECT_THAT(cut, IsOk());
    return *std::move(cut);
  }

  static absl::StatusOr<Contents> ReadAll(PostgresCut* cut) {
    Contents contents;
    for (int shard = 0; shard < cut->shards(); ++shard) {
      ASSIGN_OR_RETURN(const auto stream, cut->OpenShard(shard));
      TenantRow row;
      while (true) {
        ASSIGN_OR_RETURN(const bool more, stream->Next(&row));
        if (!more) {
          break;
        }
        const auto [place, added] =
            contents.emplace(std::tuple(row.tenant, cut->info().map.tables[row.table].schema.name,
                                        row.record.key.bytes()),
                             row.record.payload);
        EXPECT_TRUE(added) << "a key came twice";
      }
    }
    return contents;
  }

  // The number of rows of each tenant in a table.
  static std::map<std::string, int> Counts(const Contents& contents, const std::string& table) {
    std::map<std::string, int> counts;
    for (const auto& [place, payload] : contents) {
      if (std::get<1>(place) == table) {
        ++counts[std::get<0>(place)];
      }
    }
    return counts;
  }

  static uint32_t IndexOf(const PostgresCut& cut, const std::string& table) {
    const std::vector<MappedTable>& tables = cut.info().map.tables;
    return static_cast<uint32_t>(
        std::find_if(tables.begin(), tables.end(),
                     [&table](const MappedTable& mapped) { return mapped.schema.name == table; }) -
        tables.begin());
  }

  PostgresServer* const server_ = PostgresServer::Shared();
  const std::string database_ = server_->MakeDatabase();
  std::unique_ptr<PgConnection> connection_;
  PostgresStoreOptions options_;
};

TEST_F(PostgresCutTest, HoldsEachRowOnceWithItsOwnerForAnyNumberOfShards) {
  Run("CREATE TABLE issues(id bigint PRIMARY KEY, site_id int NOT NULL, body text);"
      "INSERT INTO issues SELECT i, 1 + i % 20, repeat('x', 300) FROM generate_series(1, 20000) i;"
      "CREATE TABLE comments(id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
      "  issue bigint REFERENCES issues NOT NULL);"
      "INSERT INTO comments(issue) SELECT i FROM generate_series(1, 20000) i;"
      "CREATE TABLE parts(site_id bigint, n int, PRIMARY KEY (site_id, n)) PARTITION BY HASH (n);"
      "CREATE TABLE parts0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
      "CREATE TABLE parts1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
      "INSERT INTO parts SELECT 1 + i % 20, i FROM generate_series(1, 2000) i;"
      "CREATE TABLE misc(id int PRIMARY KEY); INSERT INTO misc SELECT generate_series(1, 7)");
  for (const int shards : {1, 2, 5, 100}) {
    const auto cut = Open(shards);
    EXPECT_GE(cut->shards(), 1);
    EXPECT_LE(cut->shards(), shards);
    const auto contents = ReadAll(cut.get());
    ASSERT_THAT(contents, IsOk());
    for (const auto& [table, rows] :
         {std::pair("issues", 1000), std::pair("comments", 1000), std::pair("parts", 100)}) {
      const std::map<std::string, int> counts = Counts(*contents, table);
      EXPECT_EQ(counts.size(), 20);
      EXPECT_EQ(counts.at("7"), rows) << table;
      EXPECT_EQ(*cut->CountRows(IndexOf(*cut, table)), 20 * rows);
    }
    // An unresolved table is captured whole, as rows of nobody.
    EXPECT_EQ(Counts(*contents, "misc"), (std::map<std::string, int>{{"", 7}}));
  }
}

TEST_F(PostgresCutTest, ReadsATableByAPathInOneShardUnlessThatWouldHaveMoreThanTheOthers) {
  Run("CREATE TABLE issues(id bigint PRIMARY KEY, site_id int NOT NULL, body text);"
      "INSERT INTO issues SELECT i, 1 + i % 20, repeat('x', 300) FROM generate_series(1, 20000) i;"
      "CREATE TABLE comments(id bigint PRIMARY KEY, issue bigint REFERENCES issues NOT NULL,"
      "  body text);"
      "INSERT INTO comments SELECT i, i, repeat('x', 150) FROM generate_series(1, 20000) i");
  for (const int shards : {2, 5}) {
    const auto cut = Open(shards);
    std::map<std::string, std::vector<int>> read;  // rows of each table by shard
    for (int shard = 0; shard < cut->shards(); ++shard) {
      const auto stream = *cut->OpenShard(shard);
      TenantRow row;
      while (*stream->Next(&row)) {
        std::vector<int>& rows = read[cut->info().map.tables[row.table].schema.name];
        rows.resize(static_cast<size_t>(shards));
        ++rows[static_cast<size_t>(shard)];
      }
    }
    const auto readers = [&read](const std::string& table) {
      return std::ranges::count_if(read[table], [](int rows) { return rows > 0; });
    };
    EXPECT_EQ(readers("issues"), shards);
    EXPECT_EQ(readers("comments"), shards == 2 ? 1 : shards);
    for (int shard = 0; shard < shards; ++shard) {
      const auto at = static_cast<size_t>(shard);
      // Issues have 1.6 times the pages of comments.
      EXPECT_NEAR(read["issues"][at] * 1.6 + read["comments"][at], 52000.0 / shards, 4000);
    }
  }
}

TEST_F(PostgresCutTest, LeavesOutSharedAndExcludedTables) {
  Run("CREATE TABLE plans(id int); INSERT INTO plans VALUES (1);"
      "CREATE TABLE jobs(site_id int); INSERT INTO jobs VALUES (1)");
  options_.map.shared = {"plans"};
  options_.map.excluded = {{"jobs", "they would run again"}};
  const auto contents = ReadAll(Open().get());
  ASSERT_THAT(contents, IsOk());
  EXPECT_EQ(contents->size(), 20);
}

TEST_F(PostgresCutTest, TellsEqualRowsOfATableWithoutAKeyApart) {
  Run("CREATE TABLE tags(site_id bigint, tag text);"
      "INSERT INTO tags SELECT 1 + i % 2, 'same' FROM generate_series(1, 10) i;"
      "INSERT INTO tags VALUES (1, NULL), (1, '')");
  const auto contents = ReadAll(Open(3).get());
  ASSERT_THAT(contents, IsOk());
  EXPECT_EQ(Counts(*contents, "tags"), (std::map<std::string, int>{{"1", 7}, {"2", 5}}));
}

TEST_F(PostgresCutTest, DoesNotMoveWhileOthersWrite) {
  const auto cut = Open();
  Run("INSERT INTO sites VALUES (99, 'late', NULL); DELETE FROM sites WHERE id = 1;"
      "UPDATE sites SET name = 'changed'");
  const auto contents = ReadAll(cut.get());
  ASSERT_THAT(contents, IsOk());
  EXPECT_EQ(contents->size(), 20);
  for (const auto& [place, payload] : *contents) {
    EXPECT_THAT(payload, HasSubstr("Site "));
  }
  EXPECT_EQ(*cut->CountRows(IndexOf(*cut, "sites")), 20);
}

TEST_F(PostgresCutTest, RowsOfNobodyFailItByNameUnlessDeclared) {
  Run("CREATE TABLE notes(id int PRIMARY KEY, site_id bigint);"
      "INSERT INTO notes SELECT i, nullif(i % 3, 0) FROM generate_series(1, 9) i;"
      "CREATE TABLE pins(id int PRIMARY KEY, site_id bigint); INSERT INTO pins VALUES (1, NULL)");
  const absl::Status refused = ReadAll(Open().get()).status();
  EXPECT_THAT(refused, FailsWith(Reason::kTableUnresolved));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("notes (3, by "));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("ownerless = [\"notes\", \"pins\"]"))
      << "what has to be declared is told at once";

  options_.map.ownerless = {"notes", "pins"};
  const auto cut = Open();
  const auto contents = ReadAll(cut.get());
  ASSERT_THAT(contents, IsOk());
  EXPECT_EQ(Counts(*contents, "notes"), (std::map<std::string, int>{{"", 3}, {"1", 3}, {"2", 3}}));
  EXPECT_EQ(*cut->CountRows(IndexOf(*cut, "notes")), 9);
}

TEST_F(PostgresCutTest, ABrokenPathMakesARowNobodys) {
  Run("CREATE TABLE issues(id bigint PRIMARY KEY, site_id bigint NOT NULL);"
      "CREATE TABLE comments(id int PRIMARY KEY, issue bigint);"
      "INSERT INTO issues VALUES (1, 7); INSERT INTO comments VALUES (1, 1), (2, 404), (3, NULL);"
      "ALTER TABLE comments ADD FOREIGN KEY (issue) REFERENCES issues NOT VALID");
  options_.map.ownerless = {"comments"};
  const auto contents = ReadAll(Open().get());
  ASSERT_THAT(contents, IsOk());
  EXPECT_EQ(Counts(*contents, "comments"), (std::map<std::string, int>{{"", 2}, {"7", 1}}));
}

TEST_F(PostgresCutTest, TheEmptyTextOwnsNothing) {
  Run("CREATE TABLE a(id int PRIMARY KEY, site_id text); INSERT INTO a VALUES (1, '')");
  options_.map.tenant_table = "";
  options_.map.label_columns = {};
  options_.map.shared = {"sites"};
  EXPECT_THAT(ReadAll(Open().get()), FailsWith(Reason::kTenantIdInvalid));
}

TEST_F(PostgresCutTest, GivesLabelsInTheOrderOfIdsNameFirst) {
  const auto cut = Open();
  const auto stream = cut->OpenLabels();
  ASSERT_THAT(stream, IsOk());
  std::vector<std::string> tenants;
  TenantLabels labels;
  while (*(*stream)->Next(&labels)) {
    tenants.push_back(labels.tenant.value());
    if (labels.tenant.value() == "10") {
      EXPECT_THAT(labels.labels, ElementsAre("Site 10", "s10"));
    }
    if (labels.tenant.value() == "2") {
      EXPECT_THAT(labels.labels, ElementsAre("Site 2"));
    }
  }
  EXPECT_EQ(tenants.size(), 20);
  EXPECT_TRUE(std::is_sorted(tenants.begin(), tenants.end()));
}

TEST_F(PostgresCutTest, KeepsEveryHostileValueAsItIs) {
  Run("CREATE TABLE evil(id text PRIMARY KEY, site_id bigint NOT NULL, v text)");
  std::set<std::string> expected;
  for (int i = 0; i < 500; ++i) {
    static const char* const kPieces[] = {"\\",   "\\N", "\t", "\n", "\r",       "'",  "\"", "\\.",
                                          "; --", "\b",  "\f", "\v", "\xc3\xa4", "{}", "$$", ""};
    const std::string value = absl::StrCat(kPieces[i % 16], kPieces[i / 16 % 16], i,
                                           kPieces[i * 7 % 16], kPieces[i * 5 % 16]);
    ASSERT_THAT(connection_->Query("insert", "INSERT INTO evil VALUES ($1, 3, $1)", {value}),
                IsOk());
    expected.insert(value);
  }
  const auto cut = Open();
  const auto contents = ReadAll(cut.get());
  ASSERT_THAT(contents, IsOk());
  const RowCodec codec(cut->map().Layout(cut->map().plans()[IndexOf(*cut, "evil")]));
  std::set<std::string> found;
  for (const auto& [place, payload] : *contents) {
    if (std::get<1>(place) == "evil") {
      found.insert(codec.KeyTexts(RowKey(std::get<2>(place)))->front());
      std::vector<std::string_view> fields;
      SplitCopyLine(payload, &fields);
      std::string value;
      ASSERT_TRUE(AppendCopyValue(fields[2], &value));
      EXPECT_EQ(value, codec.KeyTexts(RowKey(std::get<2>(place)))->front());
    }
  }
  EXPECT_EQ(found, expected);
}

TEST_F(PostgresCutTest, HostileNamesAreRead) {
  Run(R"(CREATE SCHEMA "s ""; DROP SCHEMA public; --";
         CREATE TABLE "s ""; DROP SCHEMA public; --"."t'\"("a""b\" int PRIMARY KEY,
           "site_id" bigint NOT NULL); )"
      R"(INSERT INTO "s ""; DROP SCHEMA public; --"."t'\" VALUES (1, 3))");
  const auto contents = ReadAll(Open().get());
  ASSERT_THAT(contents, IsOk());
  EXPECT_EQ(contents->size(), 21);
}

// What is written after the transaction began and before the view is taken is in the cut, so its
// instant must not be before that. now(), which is the begin of the transaction, is.
TEST_F(PostgresCutTest, ItsInstantIsNotBeforeWhatItHoldsAsNowWouldBe) {
  ASSERT_THAT(connection_->Begin({.repeatable_read = false}), IsOk());
  Run("LOCK TABLE sites IN ACCESS EXCLUSIVE MODE");
  std::unique_ptr<PostgresCut> cut;
  std::thread ours([&] { cut = Open(); });
  int64_t now_us = 0;
  bool naive_has_it = false;
  std::thread naive([&] {
    const auto connection = Connect();
    EXPECT_THAT(connection->Begin({.repeatable_read = true}), IsOk());
    EXPECT_THAT(connection->Execute("lock", "LOCK TABLE sites IN ACCESS SHARE MODE"), IsOk());
    const auto seen = connection->Query(
        "look",
        "SELECT count(*), (extract(epoch FROM now()) * 1000000)::bigint FROM sites WHERE id = 77");
    naive_has_it = seen->GetInt(0, 0) == 1;
    now_us = seen->GetInt(0, 1);
  });
  const std::string waiting =
      "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = "
      "(SELECT oid FROM pg_database WHERE datname = current_database())";
  while (Value(waiting) != "2") {
    std::this_thread::yield();
  }
  const int64_t written_us =
      std::stoll(Value("INSERT INTO sites VALUES (77, 'late', NULL) RETURNING "
                       "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"));
  Run("COMMIT");
  ours.join();
  naive.join();
  EXPECT_TRUE(naive_has_it);
  EXPECT_LT(now_us, written_us) << "the naive instant is before a row that is there";
  const auto contents = ReadAll(cut.get());
  ASSERT_THAT(contents, IsOk());
  EXPECT_EQ(contents->size(), 21);
  EXPECT_GE(absl::ToUnixMicros(cut->info().instant), written_us);
  EXPECT_THAT(cut->info().position, HasSubstr("timeline 0000000"));
}

// The same value has the same text, whatever the role or database are set to.
TEST_F(PostgresCutTest, TextIsTheSameUnderAnySettingAsItIsNotWithoutPinning) {
  Run("CREATE TABLE times(id int PRIMARY KEY, site_id bigint NOT NULL, a timestamptz, b interval,"
      " c float8, d bytea, e date);"
      "INSERT INTO times VALUES (1, 1, '2022-04-05 07:38:00+02', '1 mon 2 days 03:04', 0.1::float8"
      "  + 0.2, '\\x00ff5c', '2022-04-05')");
  const auto copied = [this] {
    const auto connection = Connect();
    EXPECT_THAT(connection->StartCopyOut("naive", "COPY times TO STDOUT"), IsOk());
    std::string_view line;
    EXPECT_TRUE(*connection->NextLine(&line));
    std::string text(line);
    EXPECT_THAT(connection->DropLines(), IsOk());
    return text;
  };
  const auto before = ReadAll(Open().get());
  const std::string naive_before = copied();
  for (const char* const setting :
       {"DateStyle = 'German, DMY'", "IntervalStyle = 'iso_8601'", "TimeZone = 'Asia/Tokyo'",
        "extra_float_digits = -5", "bytea_output = 'escape'"}) {
    Run(absl::StrCat("ALTER DATABASE ", database_, " SET ", setting));
  }
  EXPECT_NE(copied(), naive_before);
  const auto after = ReadAll(Open().get());
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(*after, *before);
}

TEST_F(PostgresCutTest, GivesWayToWhoWaitsBehindIt) {
  options_.give_way_after = absl::Milliseconds(300);
  const auto cut = Open();
  const auto stream = cut->OpenShard(0);
  TenantRow row;
  ASSERT_TRUE(*(*stream)->Next(&row));
  // Without the cut giving way, this would fail by its time-out.
  Run("SET lock_timeout = '20s'; ALTER TABLE sites ADD COLUMN more int");
  const absl::Status status = cut->CountRows(0).status();
  EXPECT_THAT(status, FailsWith(Reason::kSessionLost));
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave way"));
  EXPECT_THAT(cut->OpenShard(0).status(), FailsWith(Reason::kSessionLost));
}

TEST_F(PostgresCutTest, OutlivesTheTimeOutsOfItsRole) {
  Run("ALTER DATABASE " + database_ + " SET idle_in_transaction_session_timeout = '50ms'");
  const auto cut = Open();
  const auto naive = Connect();
  ASSERT_THAT(naive->Execute("begin", "BEGIN ISOLATION LEVEL REPEATABLE READ"), IsOk());
  const std::string exported(naive->Query("export", "SELECT pg_export_snapshot()")->Get(0, 0));
  // The control arm: nobody can join its view any more. The cut has waited for longer.
  while (Value(absl::StrCat("SELECT count(*) FROM pg_stat_activity WHERE pid = ",
                            naive->backend_pid())) != "0") {
    std::this_thread::yield();
  }
  EXPECT_FALSE(Connect()
                   ->Execute("join", absl::StrCat("BEGIN ISOLATION LEVEL REPEATABLE READ; SET "
                                                  "TRANSACTION SNAPSHOT '",
                                                  exported, "'"))
                   .ok());
  EXPECT_THAT(ReadAll(cut.get()), IsOk());
}

TEST_F(PostgresCutTest, ALostConnectionIsAnErrorNotTheEnd) {
  Run("INSERT INTO sites SELECT i, repeat('x', 1000), NULL FROM generate_series(100, 30000) i");
  const auto cut = Open(1);
  const auto stream = cut->OpenShard(0);
  TenantRow row;
  ASSERT_TRUE(*(*stream)->Next(&row));
  Run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
      "'reinstate cut%' AND datname = current_database()");
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) {
    more = (*stream)->Next(&row);
  }
  EXPECT_THAT(more, FailsWith(Reason::kSessionLost));
  EXPECT_THAT((*stream)->Next(&row), FailsWith(Reason::kSessionLost));
  EXPECT_THAT(cut->OpenShard(0).status(), FailsWith(Reason::kSessionLost));
}

TEST_F(PostgresCutTest, RefusesASuperuserUnlessToldOtherwise) {
  options_.allow_superuser = false;
  const auto cut = PostgresCut::Open(options_, 1);
  EXPECT_THAT(cut, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(cut.status().message()), HasSubstr("allow_superuser"));
}

TEST_F(PostgresCutTest, NoMessageHoldsAValue) {
  Run("CREATE TABLE logs(id int PRIMARY KEY, site_id text);"
      "INSERT INTO logs VALUES (1, 'secret of another')");
  const absl::Status status = ReadAll(Open().get()).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("logs"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace reinstate
