#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class RestoreStory : public CliSite {
 protected:
  void SetUp() override {
    StartDaemon();
    LoadAndSnapshot(/*rows=*/50);
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
};

TEST_F(RestoreStory, WithoutATableAsksForTheSameConsentsAsWithAllAndNamesWhatItKeeps) {
  DeleteTenant("1001");
  ASSERT_EQ(Run({"record", "put", "1001", "made later", "1", "row"}).exit_code, 0);
  std::vector<std::string> create = {"restore", "create", "1001",   "--at",      "latest",
                                     "--mode",  "mirror", "--wait", "--confirm", "1001"};
  const ProgramResult whole = Run(create);
  EXPECT_THAT(whole.err, AllOf(HasSubstr("made later"), HasSubstr("[TABLES_UNCOVERED]")));
  create.insert(create.end(), {"--without-table", "issue"});
  const ProgramResult refused = Run(create);
  EXPECT_EQ(refused.exit_code, whole.exit_code) << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("made later"), HasSubstr("[TABLES_UNCOVERED]")));
  create.emplace_back("--accept-uncovered-tables");
  const ProgramResult restored = Run(create);
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_EQ(Issues("1001"), 0);
  const nlohmann::json restores = Json({"restore", "list"});
  EXPECT_EQ(restores[0]["totals"]["inserted"], "1") << restores[0];
  EXPECT_THAT(Run({"restore", "certificate", restores[0]["id"]}).out,
              HasSubstr("the snapshot does not cover them: made later"));
}

TEST_F(RestoreStory, PutsBackADeletedCustomerAndTakesItBackAgain) {
  DeleteTenant("1001");
  ASSERT_EQ(Issues("1001"), 0);

  const nlohmann::json lost = Json({"tenant", "list", "--lost", "--at", "latest"});
  ASSERT_EQ(lost.size(), 1);
  EXPECT_EQ(lost[0]["ref"]["tenant"], "1001");
  EXPECT_EQ(lost[0]["ref"]["label"], "Acme Corp");
  EXPECT_EQ(lost[0]["loss"], "TENANT_LOSS_GONE");
  const nlohmann::json found = Json({"tenant", "find", "acme corp"});
  ASSERT_GE(found.size(), 1);
  EXPECT_EQ(found[0]["ref"]["tenant"], "1001");

  const ProgramResult plan = Run({"restore", "plan", "1001", "--at", "latest"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out, AllOf(HasSubstr("1001 \"Acme Corp\""), HasSubstr("As of snap-1-1"),
                              HasSubstr("issue"), HasSubstr("51 rows to change")));
  ASSERT_EQ(Issues("1001"), 0) << "a plan must change nothing";

  const ProgramResult restored = Run(NextCommand(plan.out));
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_THAT(restored.out, AllOf(HasSubstr("succeeded"), HasSubstr("51 inserted")));
  EXPECT_EQ(Issues("1001"), 50);
  EXPECT_EQ(Issues("1002"), 50);

  const nlohmann::json restores = Json({"restore", "list", "--tenant", "1001"});
  ASSERT_EQ(restores.size(), 1);
  const std::string id = restores[0]["id"];
  EXPECT_EQ(restores[0]["actor"]["name"], "pat@support");
  const nlohmann::json certificate = Json({"restore", "certificate", id});
  EXPECT_EQ(certificate["inserted"], "51");
  for (const auto& table : certificate["tables"]) {
    EXPECT_EQ(table["expected"], table["found"]);
  }
  const ProgramResult report = Run({"restore", "certificate", id});
  EXPECT_THAT(report.out, AllOf(HasSubstr("certificate of"), HasSubstr("Read back")));

  const ProgramResult undone = Run({"restore", "undo", id, "--confirm", "1001", "--wait"});
  ASSERT_EQ(undone.exit_code, 0) << undone.err;
  EXPECT_EQ(Issues("1001"), 0);
  EXPECT_EQ(Json({"restore", "get", id})["state"], "RESTORE_STATE_UNDONE");
  EXPECT_EQ(Run({"restore", "undo", id, "--confirm", "1001", "--wait"}).exit_code, 6)
      << "a restore can be undone once";
}

TEST_F(RestoreStory, KeepsNewerWorkUnlessToldToOverwrite) {
  ASSERT_EQ(Run({"record", "put", "1001", "issue", "000001", "newer"}).exit_code, 0);
  ASSERT_EQ(Run({"record", "put", "1001", "issue", "999999", "added"}).exit_code, 0);
  ASSERT_EQ(Run({"record", "delete", "1001", "issue", "000002"}).exit_code, 0);

  ASSERT_EQ(Run({"restore", "create", "1001", "--at", "latest", "--wait"}).exit_code, 0);
  EXPECT_EQ(Run({"record", "get", "1001", "issue", "000001", "--raw"}).out, "newer");
  EXPECT_EQ(Run({"record", "get", "1001", "issue", "000002", "--raw"}).out, "Acme's issue 2");

  const std::vector<std::string> overwrite = {"restore", "create", "1001",      "--at",
                                              "latest",  "--mode", "overwrite", "--wait"};
  EXPECT_EQ(Run(overwrite).exit_code, 8) << "nobody was asked";
  EXPECT_EQ(Run({"record", "get", "1001", "issue", "000001", "--raw"}).out, "newer");
  std::vector<std::string> confirmed = overwrite;
  confirmed.insert(confirmed.end(), {"--confirm", "1001"});
  ASSERT_EQ(Run(confirmed).exit_code, 0);
  EXPECT_EQ(Run({"record", "get", "1001", "issue", "000001", "--raw"}).out, "Acme's issue 1");
  EXPECT_EQ(Run({"record", "get", "1001", "issue", "999999", "--raw"}).out, "added");

  ASSERT_EQ(Run({"restore", "create", "1001", "--at", "latest", "--mode", "mirror", "--confirm",
                 "1001", "--wait"})
                .exit_code,
            0);
  EXPECT_EQ(Run({"record", "get", "1001", "issue", "999999"}).exit_code, 5);
}

TEST_F(RestoreStory, RefusesAPlanThatNoLongerHolds) {
  DeleteTenant("1001");
  const ProgramResult plan = Run({"restore", "plan", "1001", "--at", "latest"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  ASSERT_EQ(Run({"record", "put", "1001", "issue", "000001", "newer"}).exit_code, 0);
  const ProgramResult restored = Run(NextCommand(plan.out));
  EXPECT_EQ(restored.exit_code, 6);
  EXPECT_THAT(restored.err, HasSubstr("[PLAN_CHANGED]"));
  EXPECT_EQ(Issues("1001"), 1) << "nothing may be changed";
}

TEST_F(RestoreStory, ComparesACustomerWithAPoint) {
  ASSERT_EQ(Run({"record", "put", "1001", "issue", "000001", "newer"}).exit_code, 0);
  ASSERT_EQ(Run({"record", "delete", "1001", "issue", "000002"}).exit_code, 0);
  const nlohmann::json comparison = Json({"tenant", "compare", "1001", "--at", "latest"});
  EXPECT_EQ(comparison["equal"], false);
  for (const auto& table : comparison["tables"]) {
    if (table["table"] == "issue") {
      EXPECT_EQ(table["equal"], "48");
      EXPECT_EQ(table["differs"], "1");
      EXPECT_EQ(table["onlyInHistory"], "1");
    }
  }
  EXPECT_THAT(Run({"tenant", "show", "1001", "--live", "--versions"}).out,
              AllOf(HasSubstr("Acme Corp"), HasSubstr("50"), HasSubstr("snap-1-1")));
}

TEST_F(RestoreStory, KeepsAndRetiresSnapshots) {
  ASSERT_EQ(Run({"snapshot", "take", "--wait"}).exit_code, 0);
  EXPECT_EQ(Json({"snapshot", "list"}).size(), 2);
  EXPECT_EQ(Json({"snapshot", "resolve", "--at", "latest"})["snapshot"], "snap-1-2");
  ASSERT_EQ(Run({"snapshot", "verify", "snap-1-1", "--wait"}).exit_code, 0);
  ASSERT_EQ(Run({"snapshot", "hold", "snap-1-1", "--reason", "INC-77"}).exit_code, 0);
  EXPECT_EQ(Run({"snapshot", "delete", "snap-1-1", "--confirm", "snap-1-1"}).exit_code, 6);
  ASSERT_EQ(Run({"snapshot", "release", "snap-1-1"}).exit_code, 0);
  EXPECT_EQ(Run({"snapshot", "delete", "snap-1-1"}).exit_code, 8);
  ASSERT_EQ(Run({"snapshot", "delete", "snap-1-1", "--confirm", "snap-1-1"}).exit_code, 0);
  EXPECT_EQ(Json({"snapshot", "list"}).size(), 1);
  EXPECT_EQ(Json({"snapshot", "list", "--hidden"}).size(), 2);
  EXPECT_EQ(Run({"restore", "plan", "1001", "--at", "snap-1-1"}).exit_code, 6);
  ASSERT_EQ(Run({"snapshot", "undelete", "snap-1-1"}).exit_code, 0);
  EXPECT_EQ(Json({"snapshot", "list"}).size(), 2);
  ASSERT_EQ(Run({"snapshot", "retain", "--wait"}).exit_code, 0);
  EXPECT_GE(Json({"job", "list"}).size(), 4);
}

TEST_F(RestoreStory, ShowsStoresAndTheirTables) {
  const nlohmann::json stores = Json({"store", "list"});
  ASSERT_EQ(stores.size(), 1);
  EXPECT_EQ(stores[0]["name"], "main");
  EXPECT_EQ(stores[0]["state"], "STORE_STATE_READY");
  const ProgramResult tables = Run({"store", "discover", "-o", "csv"});
  EXPECT_THAT(tables.out, AllOf(HasSubstr("table,relation,how,estimated_rows,remarks\r\n"),
                                HasSubstr("issue,owned")));
  EXPECT_THAT(Run({"store", "show"}).out, HasSubstr("snap-1-1"));
}

TEST_F(RestoreStory, CreatesOneRestoreForOneRequestId) {
  DeleteTenant("1001");
  const std::vector<std::string> words = {"restore",  "create",       "1001",        "--at",
                                          "snap-1-1", "--request-id", "INC-77-1001", "--wait"};
  const std::string first = Json(words)["id"];
  EXPECT_EQ(Json(words)["id"], first);
  std::vector<std::string> other = words;
  other[2] = "1002";
  const ProgramResult reused = Run(other);
  EXPECT_EQ(reused.exit_code, 6);
  EXPECT_THAT(reused.err, HasSubstr("[REQUEST_ID_REUSED]"));
}

TEST_F(RestoreStory, WritesNoColoursWhereThereIsNoTerminal) {
  EXPECT_THAT(Run({"store", "list"}).out, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace reinstate
