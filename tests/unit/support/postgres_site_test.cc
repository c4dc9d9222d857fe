// The ticket tracker in PostgreSQL and its checker: what every test of the adapter leans on.

#include "tests/support/postgres_site.h"

#include <gmock/gmock.h>

#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/support/expected_site.h"
#include "tests/support/made_up_text.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_server.h"
#include "tests/support/site_writer.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PostgresSiteTest : public testing::Test {
 protected:
  PostgresSiteTest() : site_(LongTailSizes(40, 4'000)), expected_(site_) {
    conninfo_ = PostgresServer::Shared()->OnSocket(PostgresServer::Shared()->MakeDatabase());
    database_ = Connect();
    EXPECT_THAT(site_.Load(database_.get()), IsOk());
  }

  std::unique_ptr<PlainDatabase> Connect() {
    auto database = PlainDatabase::Connect(conninfo_);
    EXPECT_THAT(database, IsOk());
    return *std::move(database);
  }

  std::vector<std::string> Differences() {
    auto differences = expected_.Differences(database_.get());
    EXPECT_THAT(differences, IsOk());
    return *std::move(differences);
  }

  void Run(const std::string& sql) { EXPECT_THAT(database_->Run(sql), IsOk()); }

  const PostgresSite site_;
  ExpectedSite expected_;
  std::string conninfo_;
  std::unique_ptr<PlainDatabase> database_;
};

TEST_F(PostgresSiteTest, HasTheRowsThatItSaysAndExactlyAsItSaysThem) {
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_EQ(expected_.Rows(), site_.TotalRows());
  int64_t by_table = 0;
  for (const SiteTableInfo& info : kSiteTableInfos) {
    by_table += site_.Rows(7, info.table);
    EXPECT_GT(site_.Rows(site_.BySize().front(), info.table), 0) << info.name;
  }
  EXPECT_EQ(by_table, site_.Rows(7));
}

TEST_F(PostgresSiteTest, TheCheckerNoticesEveryKindOfDamage) {
  const int64_t site = site_.SiteId(site_.BySize().front());
  const std::string id = std::to_string(site);
  // Back to the loaded rows afterwards.
  const auto after = [&](const std::string& sql) {
    Run("BEGIN; SET LOCAL session_replication_role = replica; " + sql + "; COMMIT");
    const std::vector<std::string> differences = Differences();
    return differences;
  };
  EXPECT_THAT(after("DELETE FROM worklogs WHERE id = (SELECT min(id) FROM worklogs)"),
              ElementsAre(HasSubstr("is missing")));
  EXPECT_THAT(after("UPDATE users SET active = NOT active WHERE id = 1 AND site_id = " + id),
              testing::SizeIs(2));
  EXPECT_THAT(after("INSERT INTO comments SELECT 999999999, issue_id, author_id, body, reactions, "
                    "created_at FROM comments ORDER BY id LIMIT 1"),
              testing::SizeIs(3));
  EXPECT_THAT(after("ALTER TABLE attachments DROP CONSTRAINT attachments_pkey; INSERT INTO "
                    "attachments (id, site_id, issue_id, file_name, content, created_at) SELECT id,"
                    " site_id, issue_id, file_name, content, created_at FROM attachments LIMIT 1"),
              testing::Contains(HasSubstr("is there twice")));
  EXPECT_THAT(after("UPDATE comments SET issue_id = 777777777 WHERE id = 999999999"),
              testing::Contains(HasSubstr("a row of no site")));
}

TEST_F(PostgresSiteTest, TheScriptDeletesTheseSitesAndNothingElse) {
  const std::vector<int64_t> victims = {site_.SiteId(3), site_.SiteId(17), site_.SiteId(39)};
  EXPECT_THAT(DeleteSites(database_.get(), victims, /*silent=*/false), IsOk());
  for (const int64_t victim : victims) {
    expected_.Forget(victim);
  }
  EXPECT_THAT(Differences(), IsEmpty());
}

TEST_F(PostgresSiteTest, WritersTellWhatTheyWrite) {
  {
    SiteWriter first(conninfo_, {site_.SiteId(1), site_.SiteId(2)}, 1, &expected_);
    SiteWriter second(conninfo_, {site_.SiteId(site_.BySize().front())}, 2, &expected_);
    while (first.commits() < 100 || second.commits() < 100) {
      std::this_thread::yield();
    }
    EXPECT_THAT(first.Stop(), IsOk());
    EXPECT_THAT(second.Stop(), IsOk());
  }
  EXPECT_THAT(Differences(), IsEmpty());
  EXPECT_NE(expected_.Rows(), site_.TotalRows()) << "they must have written";
}

TEST_F(PostgresSiteTest, AnnouncedChangesAreWhollyThereOrNotAtAll) {
  const int64_t site = site_.SiteId(site_.BySize().front());
  const std::string key =
      expected_.Get(site)[static_cast<size_t>(SiteTable::kWorklogs)].begin()->first;
  const std::string comment =
      expected_.Get(site)[static_cast<size_t>(SiteTable::kComments)].begin()->first;
  expected_.Announce(site, {{.table = SiteTable::kWorklogs, .key = key, .line = std::nullopt},
                            {.table = SiteTable::kComments, .key = comment, .line = std::nullopt}});
  EXPECT_THAT(Differences(), IsEmpty());
  Run("DELETE FROM worklogs WHERE id = " + key);
  EXPECT_THAT(Differences(), ElementsAre(HasSubstr("worklogs " + key + " is missing")));
  Run("DELETE FROM comments WHERE id = " + comment);
  EXPECT_THAT(Differences(), IsEmpty());
  expected_.Settle(site, /*committed=*/false);
  EXPECT_THAT(Differences(), testing::SizeIs(2));
}

}  // namespace
}  // namespace reinstate
