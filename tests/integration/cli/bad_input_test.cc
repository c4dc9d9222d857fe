#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"

namespace reinstate {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What is wrong gets one line that says what to do, an exit code of its own, and changes nothing.
class BadInput : public CliSite {
 protected:
  void SetUp() override {
    StartDaemon();
    LoadAndSnapshot(/*rows=*/5);
  }

  void Refused(const std::vector<std::string>& words, int exit_code, const std::string& reason) {
    const ProgramResult result = Run(words);
    EXPECT_EQ(result.exit_code, exit_code) << result.err << result.out;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("reinstate: "));
    EXPECT_THAT(result.err, EndsWith(" [" + reason + "]\n"));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }

  void NothingHasChanged() {
    EXPECT_EQ(Issues("1001"), 5);
    EXPECT_EQ(Issues("1002"), 5);
    EXPECT_EQ(Json({"restore", "list"}).size(), 0);
    EXPECT_EQ(Json({"snapshot", "list"}).size(), 1);
  }
};

TEST_F(BadInput, NamesWhatIsNotThere) {
  Refused({"restore", "create", "1003", "--at", "latest"}, 5, "TENANT_NOT_AT_POINT");
  Refused({"tenant", "show", "1003"}, 5, "TENANT_NOT_FOUND");
  Refused({"tenant", "find", "Umbrella"}, 5, "TENANT_NOT_FOUND");
  Refused({"restore", "plan", "1001", "--at", "latest", "--store", "wiki"}, 5, "STORE_NOT_FOUND");
  Refused({"restore", "plan", "1001", "--at", "snap-1-9"}, 5, "SNAPSHOT_NOT_FOUND");
  Refused({"snapshot", "show", "snap-7-1"}, 5, "SNAPSHOT_NOT_FOUND");
  Refused({"restore", "plan", "1001", "--at", "latest", "--table", "wiki"}, 5, "TABLE_NOT_FOUND");
  Refused({"restore", "get", "rst-00000000000000000000000000"}, 5, "RESTORE_NOT_FOUND");
  Refused({"restore", "create", "--plan", "plan-1"}, 5, "PLAN_NOT_FOUND");
  Refused({"job", "show", "job-1"}, 5, "JOB_NOT_FOUND");
  Refused({"record", "get", "1001", "issue", "nothing"}, 5, "RECORD_NOT_FOUND");
  NothingHasChanged();
}

TEST_F(BadInput, SuggestsTheTenantWhereTheLabelWasGivenForTheId) {
  const ProgramResult result = Run({"restore", "create", "Acme", "--at", "latest"});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, HasSubstr("Did you mean 1001 \"Acme Corp\"?"));
}

TEST_F(BadInput, RefusesPointsThatAreNone) {
  for (const char* at : {"yesterday", "2026-13-01T00:00:00Z", "2026-04-05T07:38:00", "snap-1-x",
                         "-", "1001", "2 fortnights"}) {
    Refused({"restore", "create", "1001", std::string("--at=") + at}, 2, "POINT_INVALID");
  }
  Refused({"restore", "create", "1001", "--at", "2001-01-01T00:00:00Z"}, 5,
          "POINT_BEFORE_FIRST_SNAPSHOT");
  Refused({"restore", "create", "1001", "--at", "2h"}, 5, "POINT_BEFORE_FIRST_SNAPSHOT");
  Refused({"restore", "create", "1001", "--at", "2099-01-01T00:00:00Z"}, 6, "POINT_IN_FUTURE");
  NothingHasChanged();
}

TEST_F(BadInput, RefusesIdsThatAreNone) {
  Refused({"restore", "create", "", "--at", "latest"}, 2, "INVALID_ARGUMENT");
  Refused({"restore", "create", std::string(64 << 10, 'x'), "--at", "latest"}, 2,
          "TENANT_ID_INVALID");
  Refused({"restore", "create", "\xff\xfe", "--at", "latest"}, 2, "INVALID_ARGUMENT");
  Refused({"record", "put", "", "issue", "1", "x"}, 2, "TENANT_ID_INVALID");
  Refused({"record", "put", "1001", "", "1", "x"}, 2, "INVALID_ARGUMENT");
  Refused({"record", "put", "1001", "issue", "", "x"}, 2, "INVALID_ARGUMENT");
  NothingHasChanged();
}

TEST_F(BadInput, TakesHostileNamesForNames) {
  const std::string hostile = "1001'; DROP TABLE issue; --\n\x1b[2J";
  Refused({"restore", "create", hostile, "--at", "latest"}, 5, "TENANT_NOT_AT_POINT");
  ASSERT_EQ(Run({"record", "put", hostile, "issue", "1", "x"}).exit_code, 0);
  EXPECT_EQ(Json({"record", "scan", hostile, "issue"}).size(), 1);
  const ProgramResult listed = Run({"tenant", "list"});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("DROP TABLE issue; --\\x0a\\x1b[2J"));
  NothingHasChanged();
}

TEST_F(BadInput, NamesTheLineOfAFileThatIsWrong) {
  const ProgramResult loaded =
      Run({"record", "load"},
          "{\"tenant\":\"1003\",\"table\":\"issue\",\"key\":\"1\",\"payload\":\"x\"}\nnot json\n");
  EXPECT_EQ(loaded.exit_code, 2);
  EXPECT_THAT(loaded.err, HasSubstr("the standard input, line 2: "));
  EXPECT_EQ(Run({"record", "load", "/nonexistent"}).exit_code, 2);
}

TEST_F(BadInput, RefusesRecordsThatAreTooLarge) {
  const ProgramResult put =
      Run({"record", "put", "1001", "issue", "large"}, std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(put.exit_code, 1) << put.err;
  EXPECT_THAT(put.err, HasSubstr("[TOO_LARGE]"));
  NothingHasChanged();
}

TEST_F(BadInput, SaysThatNoDaemonAnswers) {
  daemon_->Kill();
  Refused({"store", "list"}, 7, "UNAVAILABLE");
}

TEST_F(BadInput, DeclinesWhatDestroysWhereNobodyIsAsked) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"restore", "create", "1001", "--at", "latest", "--mode", "mirror"},
           {"restore", "create", "1001", "--at", "latest", "--mode", "overwrite"},
           {"record", "delete-tenant", "1001"},
           {"record", "delete-tenant", "1001", "--confirm", "1002"},
           {"snapshot", "delete", "snap-1-1"},
           {"snapshot", "delete", "snap-1-1", "--confirm", "snap-1-2"}}) {
    const ProgramResult result = Run(words);
    EXPECT_EQ(result.exit_code, 8) << result.err;
    EXPECT_THAT(result.err, EndsWith(" [DECLINED]\n"));
  }
  NothingHasChanged();
}

}  // namespace
}  // namespace reinstate
