// The main job by the real programs: from the discovery of the tables to the undo, with the
// customers of an application in PostgreSQL.

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PostgresStory : public CliSite {
 protected:
  PostgresStory() : tracker_(PostgresServer::Shared(), LongTailSizes(60, 3'000)) {
    daemon_arguments_ = tracker_.DaemonArguments();
    const std::vector<size_t> order = tracker_.site().BySize();
    for (size_t rank = 1; rank < order.size(); rank += 5) {
      victims_.push_back(order[rank]);
    }
    writers_of_ = {order[0], order[2], order[3]};
  }

  // As daemon_arguments_ say.
  void StartDaemon() { CliSite::StartDaemon("", daemon_arguments_); }

  void SetUp() override { StartDaemon(); }

  void TakeSnapshot() {
    const ProgramResult taken = Run({"snapshot", "take", "--wait"});
    ASSERT_EQ(taken.exit_code, 0) << taken.err << daemon_->Output();
  }

  // The words of the command that a plan tells to run next.
  static std::vector<std::string> NextCommand(const std::string& report) {
    const std::string marker = "To do exactly this:\n  reinstate ";
    const size_t begin = report.find(marker);
    if (begin == std::string::npos) {
      ADD_FAILURE() << "no command in: " << report;
      return {};
    }
    const std::string line = report.substr(begin + marker.size());
    return absl::StrSplit(line.substr(0, line.find('\n')), ' ');
  }

  // Restores a site by its plan, and returns the id of the restore.
  std::string Restore(size_t site) {
    const std::string tenant = tracker_.Tenant(site);
    const ProgramResult plan = Run({"restore", "plan", tenant, "--at", "latest"});
    EXPECT_EQ(plan.exit_code, 0) << plan.err;
    EXPECT_THAT(plan.out,
                AllOf(HasSubstr(tracker_.site().SiteName(site)),
                      HasSubstr(absl::StrCat(tracker_.site().Rows(site), " rows to change"))));
    const ProgramResult restored = Run(NextCommand(plan.out));
    EXPECT_EQ(restored.exit_code, 0) << restored.err << daemon_->Output();
    EXPECT_THAT(restored.out, HasSubstr(absl::StrCat(tracker_.site().Rows(site), " inserted")));
    const nlohmann::json restores = Json({"restore", "list", "--tenant", tenant});
    return restores.empty() ? "" : restores[0]["id"];
  }

  TrackerWorld tracker_;
  std::vector<std::string> daemon_arguments_;
  std::vector<size_t> victims_;
  std::vector<size_t> writers_of_;
};

TEST_F(PostgresStory, DiscoversHowEveryTableIsOwned) {
  const ProgramResult tables = Run({"store", "discover", "-o", "csv"});
  ASSERT_EQ(tables.exit_code, 0) << tables.err << daemon_->Output();
  for (const char* owned :
       {"sites", "users", "projects", "issues", "comments", "attachments", "worklogs", "changes"}) {
    EXPECT_THAT(tables.out, HasSubstr(absl::StrCat("\n", owned, ",owned,"))) << tables.out;
  }
  EXPECT_THAT(tables.out,
              AllOf(HasSubstr("\nplans,shared,"), HasSubstr("\nnotifications,excluded,")));
  EXPECT_EQ(tables.out.find("changes_2021"), std::string::npos) << "a partition is no table";
}

TEST_F(PostgresStory, PutsBackDeletedCustomersWhileOthersWriteAndTakesSomeBackAgain) {
  const std::unique_ptr<SiteWriter> writer = tracker_.Write(writers_of_, /*seed=*/9);
  TakeSnapshot();
  tracker_.Delete(victims_);

  const nlohmann::json lost = Json({"tenant", "list", "--lost", "--at", "latest"});
  std::set<std::string> expected;
  for (const size_t victim : victims_) {
    expected.insert(tracker_.Tenant(victim));
  }
  std::set<std::string> found;
  for (const auto& tenant : lost) {
    found.insert(tenant["ref"]["tenant"].get<std::string>());
    EXPECT_EQ(tenant["loss"], "TENANT_LOSS_GONE");
  }
  EXPECT_EQ(found, expected);
  const size_t victim = victims_.front();
  const nlohmann::json by_name = Json({"tenant", "find", tracker_.site().SiteName(victim)});
  ASSERT_GE(by_name.size(), 1);
  EXPECT_EQ(by_name[0]["ref"]["tenant"], tracker_.Tenant(victim));

  std::vector<std::string> restores;
  for (const size_t site : victims_) {
    restores.push_back(Restore(site));
  }
  tracker_.ExpectAtFirst(victims_);
  const nlohmann::json certificate = Json({"restore", "certificate", restores.front()});
  EXPECT_EQ(certificate["inserted"], absl::StrCat(tracker_.site().Rows(victim)));
  EXPECT_GE(certificate["tables"].size(), kSiteTables);
  for (const auto& table : certificate["tables"]) {
    EXPECT_EQ(table["expected"], table["found"]);
  }

  for (const size_t i : {size_t{0}, size_t{3}}) {
    const std::string tenant = tracker_.Tenant(victims_[i]);
    const ProgramResult undone =
        Run({"restore", "undo", restores[i], "--confirm", tenant, "--wait"});
    ASSERT_EQ(undone.exit_code, 0) << undone.err << daemon_->Output();
    tracker_.expected()->Forget(tracker_.Id(victims_[i]));
  }
  EXPECT_THAT(writer->Stop(), IsOk());
  EXPECT_GT(writer->commits(), 50) << "it must have written meanwhile";
  tracker_.ExpectAllAsItMustBe();
}

// The dump as somebody may write it who knows rows and little else: without types and keys, and
// with the columns in another order.
std::string WithoutWhatMayBeLeftOut(const std::string& dump) {
  std::string changed;
  std::set<std::string> keyed;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(dump, '\n', absl::SkipEmpty()))) {
    nlohmann::json json = nlohmann::json::parse(line);  // sorts the columns of rows by name
    if (json.contains("reinstate_dump")) {
      for (auto& table : json["tables"]) {
        std::reverse(table["columns"].begin(), table["columns"].end());
        for (auto& column : table["columns"]) {
          if (column.erase("key") > 0) {
            keyed.insert(table["table"]);
          }
          column.erase("type");
        }
      }
    } else if (json.contains("columns") && keyed.contains(json["table"])) {
      json.erase("key");
    }
    changed += json.dump() + "\n";
  }
  return changed;
}

TEST_F(PostgresStory, PutsBackACustomerFromADumpOfRows) {
  TakeSnapshot();
  const size_t site = victims_.front();
  const std::string tenant = tracker_.Tenant(site);
  const ProgramResult exported = Run({"tenant", "export", tenant, "--at", "latest"});
  ASSERT_EQ(exported.exit_code, 0) << exported.err << daemon_->Output();
  EXPECT_THAT(exported.err, HasSubstr(absl::StrCat(tracker_.site().Rows(site), " rows of ")));
  const std::vector<std::pair<std::string, std::string>> dumps = {
      {"exported", exported.out}, {"plain", WithoutWhatMayBeLeftOut(exported.out)}};
  for (const auto& [lineage, dump] : dumps) {
    SCOPED_TRACE(lineage);
    tracker_.Delete({site});
    const ProgramResult imported =
        Run({"snapshot", "import", "-", "--lineage", lineage, "--wait"}, dump);
    ASSERT_EQ(imported.exit_code, 0) << imported.err << daemon_->Output();
    const ProgramResult restored = Run({"restore", "create", tenant, "--at", lineage + "/latest",
                                        "--mode", "mirror", "--confirm", tenant, "--wait"});
    ASSERT_EQ(restored.exit_code, 0) << restored.err << daemon_->Output();
    tracker_.ExpectAtFirst({site});
    tracker_.ExpectAllAsItMustBe();
  }
}

TEST_F(PostgresStory, ExportsACustomerAsCsvFiles) {
  TakeSnapshot();
  const std::string tenant = tracker_.Tenant(victims_.front());
  const std::string folder = dir_.path() + "/csv";
  const ProgramResult exported =
      Run({"tenant", "export", tenant, "--at", "latest", "-o", "csv", "--to", folder});
  ASSERT_EQ(exported.exit_code, 0) << exported.err << daemon_->Output();
  std::ifstream file(folder + "/sites.csv", std::ios::binary);
  std::string titles;
  ASSERT_TRUE(std::getline(file, titles));
  EXPECT_THAT(titles, HasSubstr("name"));
  std::string row;
  ASSERT_TRUE(std::getline(file, row));
  EXPECT_THAT(row, HasSubstr(tenant));
}

TEST_F(PostgresStory, AMirrorPutsBackWhatWasEditedAddedAndDeleted) {
  TakeSnapshot();
  const size_t site = victims_.front();
  {
    // Work of the customer itself.
    const std::unique_ptr<SiteWriter> writer = tracker_.Write({site}, /*seed=*/3);
    while (writer->commits() < 60) {
      std::this_thread::yield();
    }
    ASSERT_THAT(writer->Stop(), IsOk());
  }
  const std::string tenant = tracker_.Tenant(site);
  const ProgramResult restored = Run({"restore", "create", tenant, "--at", "latest", "--mode",
                                      "mirror", "--confirm", tenant, "--wait"});
  ASSERT_EQ(restored.exit_code, 0) << restored.err << daemon_->Output();
  const SiteRows edited = tracker_.expected()->Get(tracker_.Id(site));
  tracker_.ExpectAtFirst({site});
  tracker_.ExpectAllAsItMustBe();

  const std::string id = Json({"restore", "list", "--tenant", tenant})[0]["id"];
  const ProgramResult undone = Run({"restore", "undo", id, "--confirm", tenant, "--wait"});
  ASSERT_EQ(undone.exit_code, 0) << undone.err << daemon_->Output();
  tracker_.expected()->Set(tracker_.Id(site), edited);
  tracker_.ExpectAllAsItMustBe();
}

}  // namespace
}  // namespace reinstate
