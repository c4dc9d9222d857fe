// Sites that span PostgreSQL and two embedded stores, by the real programs: one line of a list puts
// a site back in all of them, whatever its id is there, and one undo takes it back from all.

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using Records = std::map<std::string, std::string>;  // of one tenant's table: key -> payload

constexpr size_t kVictims = 4;
constexpr size_t kWrites = 4;     // a site that goes on writing
constexpr size_t kTakesName = 5;  // a site that takes the name of a victim

class PostgresGroup : public CliSite {
 protected:
  PostgresGroup()
      : tracker_(PostgresServer::Shared(), {300, 40, 90, 25, 50, 30}), arguments_(Arguments()) {
    for (size_t site = 0; site < kVictims; ++site) {
      victims_.push_back(site);
    }
  }

  // The wiki knows the site 1003 as 3, and the documents as docs-3.
  std::vector<std::string> Arguments() {
    std::vector<std::string> arguments = tracker_.DaemonArguments();
    std::ofstream(arguments.back(), std::ios::app) << R"([[store]]
name = "wiki"
[[store]]
name = "docs"
[[group]]
name = "site"
stores = ["wiki", "main", "docs"]
[group.tenants]
main = "100{id}"
docs = "docs-{id}"
)";
    return arguments;
  }

  static std::string TenantIn(const std::string& store, size_t site) {
    return store == "docs" ? absl::StrCat("docs-", site) : absl::StrCat(site);
  }

  static Records PagesAtFirst(const std::string& store, size_t site) {
    Records pages;
    for (size_t i = 0; i < 5 + 10 * site; ++i) {
      pages[absl::StrCat("page ", i)] = absl::StrCat(store, " of site ", site, ", page ", i);
    }
    return pages;
  }

  // As protobuf's JSON has them.
  static std::string Bytes(const std::string& base64) {
    std::string bytes;
    EXPECT_TRUE(absl::Base64Unescape(base64, &bytes)) << base64;
    return bytes;
  }

  Records Pages(const std::string& store, size_t site) const {
    Records pages;
    for (const auto& record : Json(
             {"record", "scan", TenantIn(store, site), "page", "--store", store, "--limit", "0"})) {
      pages[Bytes(record["key"])] = Bytes(record["payload"]);
    }
    return pages;
  }

  void MustRun(const std::vector<std::string>& words, const std::string& input = "") const {
    const ProgramResult result = Run(words, input);
    ASSERT_EQ(result.exit_code, 0) << absl::StrJoin(words, " ") << "\n"
                                   << result.err << daemon_->Output();
  }

  void SetUp() override {
    StartDaemon("", arguments_);
    for (const std::string store : {"wiki", "docs"}) {
      std::string lines;
      const auto add = [&](size_t site, const std::string& table, const std::string& key,
                           const std::string& payload) {
        absl::StrAppend(&lines,
                        nlohmann::json({{"tenant", TenantIn(store, site)},
                                        {"table", table},
                                        {"key", key},
                                        {"payload", payload}})
                            .dump(),
                        "\n");
      };
      for (size_t site = 0; site < tracker_.site().sites(); ++site) {
        add(site, "tenant", "name", absl::StrCat("Site ", site));
        for (const auto& [key, payload] : PagesAtFirst(store, site)) {
          add(site, "page", key, payload);
        }
      }
      MustRun({"record", "load", "--store", store}, lines);
    }
    for (const std::string store : {"main", "wiki", "docs"}) {
      MustRun({"snapshot", "take", "--store", store, "--wait"});
    }
  }

  // What a clean-up script did; one site was found by its owner since.
  void Lose() {
    tracker_.Delete(victims_);
    for (const size_t site : victims_) {
      for (const std::string store : {"wiki", "docs"}) {
        const std::string tenant = TenantIn(store, site);
        MustRun({"record", "delete-tenant", tenant, "--store", store, "--confirm", tenant});
      }
    }
    MustRun(
        {"record", "load", "--store", "docs"},
        R"({"tenant": "docs-2", "table": "page", "key": "page 0", "payload": "where is all?"})");
  }

  // A batch of the victims, by the ids and names that the first store of the group knows.
  std::string Create() const {
    const ProgramResult created =
        Run({"batch", "create", "-f", "-", "--group", "site", "--at", "latest", "--mode", "mirror",
             "--accept-shrinking", "--confirm", absl::StrCat(kVictims), "-o", "json"},
            "0\nSite 1\n2\n3\n");
    EXPECT_EQ(created.exit_code, 0) << created.err << daemon_->Output();
    return nlohmann::json::parse(created.out)["id"];
  }

  void ExpectPagesAtFirst(size_t site) const {
    for (const std::string store : {"wiki", "docs"}) {
      EXPECT_EQ(Pages(store, site), PagesAtFirst(store, site)) << store << " of " << site;
    }
  }

  absl::Time TimeOf(const std::string& restore, const char* name) const {
    absl::Time time;
    EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full,
                                Json({"restore", "get", restore})[name].get<std::string>(), &time,
                                nullptr));
    return time;
  }

  // Each line has a restore in each store, which began when the one before had ended.
  void ExpectDoneStoreByStore(const std::string& batch) const {
    const nlohmann::json lines = Json({"batch", "get", batch, "--lines"});
    ASSERT_EQ(lines.size(), kVictims);
    for (size_t site = 0; site < kVictims; ++site) {
      EXPECT_EQ(lines[site]["state"], "BATCH_LINE_STATE_SUCCEEDED");
      const nlohmann::json& restores = lines[site]["restores"];
      ASSERT_EQ(restores.size(), 3);
      absl::Time before = absl::InfinitePast();
      for (const auto& [place, store, tenant] :
           {std::tuple(0, "wiki", absl::StrCat(site)), std::tuple(1, "main", tracker_.Tenant(site)),
            std::tuple(2, "docs", absl::StrCat("docs-", site))}) {
        const nlohmann::json& restore = restores[place];
        EXPECT_EQ(restore["store"], store);
        EXPECT_EQ(restore["tenant"], tenant);
        EXPECT_EQ(restore["state"], "RESTORE_STATE_SUCCEEDED");
        EXPECT_EQ(restore["hasCertificate"], true);
        EXPECT_GE(TimeOf(restore["restore"], "startTime"), before) << store << " of " << site;
        before = TimeOf(restore["restore"], "endTime");
      }
    }
  }

  TrackerWorld tracker_;
  const std::vector<std::string> arguments_;
  std::vector<size_t> victims_;
};

TEST_F(PostgresGroup, PutsSitesBackInAllStoresAndTakesThemBackAgain) {
  const std::unique_ptr<SiteWriter> writer = tracker_.Write({kWrites}, /*seed=*/7);
  Lose();
  const std::string batch = Create();
  MustRun({"batch", "watch", batch});
  tracker_.ExpectAtFirst(victims_);
  for (const size_t site : victims_) {
    ExpectPagesAtFirst(site);
  }
  ExpectDoneStoreByStore(batch);

  MustRun({"batch", "undo", batch, "--confirm", absl::StrCat(kVictims), "--wait"});
  for (const size_t site : victims_) {
    tracker_.expected()->Forget(tracker_.Id(site));
    EXPECT_EQ(Pages("wiki", site), Records());
    EXPECT_EQ(Pages("docs", site), site == 2 ? Records({{"page 0", "where is all?"}}) : Records());
  }
  const nlohmann::json undone = Json({"batch", "get", batch});
  EXPECT_EQ(undone["state"], "BATCH_STATE_PARTLY_FAILED");
  EXPECT_EQ(undone["lines"]["undone"], absl::StrCat(kVictims));
  EXPECT_THAT(writer->Stop(), IsOk());
  EXPECT_GT(writer->commits(), 50) << "it must have written meanwhile";
  tracker_.ExpectAllAsItMustBe();
  ExpectPagesAtFirst(kWrites);
}

TEST_F(PostgresGroup, ASiteThatFailsInPostgresIsNotDoneAndTheRetryGoesOnFromThere) {
  Lose();
  // A name is unique in the tracker, and a customer that is not restored has it by now.
  const auto rename = [&](const std::string& to) {
    tracker_.Run(absl::StrCat("UPDATE sites SET name = '", to,
                              "' WHERE id = ", tracker_.Tenant(kTakesName)));
  };
  rename(tracker_.site().SiteName(1));
  const std::string batch = Create();
  const ProgramResult watched = Run({"batch", "watch", batch});
  EXPECT_EQ(watched.exit_code, 3) << watched.err;
  EXPECT_THAT(watched.err, AllOf(HasSubstr("KEY_CONFLICT"), HasSubstr("Site 1")));
  const nlohmann::json failed = Json({"batch", "get", batch, "--lines"})[1];
  EXPECT_EQ(failed["state"], "BATCH_LINE_STATE_FAILED");
  EXPECT_EQ(failed["restores"][0]["state"], "RESTORE_STATE_SUCCEEDED");
  EXPECT_EQ(failed["restores"][1]["state"], "RESTORE_STATE_FAILED");
  EXPECT_EQ(failed["restores"][2]["failure"]["reason"], "STORE_BEFORE_FAILED");
  EXPECT_EQ(Pages("wiki", 1), PagesAtFirst("wiki", 1));
  EXPECT_EQ(Pages("docs", 1), Records());
  EXPECT_TRUE(tracker_.Read(1) == SiteRows());

  rename(tracker_.site().SiteName(kTakesName));
  MustRun({"batch", "retry", batch, "--wait"});
  tracker_.ExpectAtFirst(victims_);
  tracker_.ExpectAllAsItMustBe();
  for (const size_t site : victims_) {
    ExpectPagesAtFirst(site);
  }
  ExpectDoneStoreByStore(batch);
}

}  // namespace
}  // namespace reinstate
