// What goes wrong on the daemon's own side, as who calls sees it: a full disk, damaged files, an
// end in the middle of long work.

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class Trouble : public CliSite {
 protected:
  // One that would take minutes. Returns the job's id.
  std::string BeginLongVerification() {
    StartDaemon();
    std::string lines;
    for (int tenant = 0; tenant < 200; ++tenant) {
      lines += nlohmann::json({{"tenant", std::to_string(tenant)},
                               {"table", "issue"},
                               {"key", "1"},
                               {"payload", "one"}})
                   .dump() +
               "\n";
    }
    EXPECT_EQ(Run({"record", "load"}, lines).exit_code, 0);
    EXPECT_EQ(Run({"snapshot", "take", "--wait"}).exit_code, 0);
    StartDaemon("history.verifying=slow");
    return Json({"snapshot", "verify", "snap-1-1"})["id"];
  }

  // Flips a byte in the middle of the largest table file of the history.
  void DamageHistory() const {
    fs::path largest;
    uintmax_t most = 0;
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path() + "/data/history")) {
      if (entry.path().extension() == ".sst" && entry.file_size() > most) {
        most = entry.file_size();
        largest = entry.path();
      }
    }
    ASSERT_GT(most, 0U);
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(most / 3));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(most / 3));
    file.put(static_cast<char>(byte ^ 0xff));
  }
};

TEST_F(Trouble, AFullDiskFailsTheSnapshotAndNothingElse) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/50);
  StartDaemon("history.while_merging=no-space");
  const ProgramResult full = Run({"snapshot", "take", "--wait"});
  EXPECT_EQ(full.exit_code, 1) << full.out;
  EXPECT_THAT(full.err, HasSubstr("[NO_SPACE]"));
  EXPECT_EQ(Json({"snapshot", "list"}).size(), 1U);
  DeleteTenant("1001");
  EXPECT_EQ(Run({"restore", "create", "1001", "--at", "snap-1-1", "--wait"}).exit_code, 0);
  EXPECT_EQ(Issues("1001"), 50U);
  EXPECT_EQ(Run({"snapshot", "take", "--wait"}).exit_code, 0) << "once there is space again";
}

TEST_F(Trouble, DamageOfTheHistoryIsAMismatchAndChangesNothing) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/2000);
  DeleteTenant("1001");
  DeleteTenant("1002");
  ASSERT_EQ(daemon_->Terminate(), 0);
  DamageHistory();
  StartDaemon();
  const ProgramResult verified = Run({"snapshot", "verify", "snap-1-1", "--wait"});
  EXPECT_EQ(verified.exit_code, 9) << verified.out << verified.err;
  // Each is refused, or comes back whole where the byte is of the other one alone.
  int refused = 0;
  for (const char* tenant : {"1001", "1002"}) {
    const ProgramResult restored = Run({"restore", "create", tenant, "--at", "latest", "--wait"});
    refused += restored.exit_code == 9 ? 1 : 0;
    EXPECT_EQ(Issues(tenant), restored.exit_code == 0 ? 2000U : 0U) << restored.err;
  }
  EXPECT_GE(refused, 1);
}

TEST_F(Trouble, DamageOfTheHistoryLeavesNoExportThatLooksComplete) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/2000);
  ASSERT_EQ(daemon_->Terminate(), 0);
  DamageHistory();
  StartDaemon();
  int refused = 0;
  for (const std::string tenant : {"1001", "1002"}) {
    const std::string path = dir_.path() + "/" + tenant + ".jsonl";
    const ProgramResult exported =
        Run({"tenant", "export", tenant, "--at", "latest", "--to", path});
    const ProgramResult printed = Run({"tenant", "export", tenant, "--at", "latest"});
    refused += exported.exit_code == 9 ? 1 : 0;
    EXPECT_EQ(fs::exists(path), exported.exit_code == 0) << exported.err;
    EXPECT_EQ(printed.exit_code, exported.exit_code);
    EXPECT_EQ(printed.out.find("{\"end\":true") != std::string::npos, exported.exit_code == 0);
    EXPECT_FALSE(fs::exists(path + ".partial"));
  }
  EXPECT_GE(refused, 1);
}

TEST_F(Trouble, AVerificationDoesNotHoldUpTheEndOfTheDaemonAndIsDoneAfterTheNextStart) {
  const std::string job = BeginLongVerification();
  while (Json({"job", "show", job})["state"] != "JOB_STATE_RUNNING") {
    ASSERT_EQ(daemon_->WaitForEnd(absl::Milliseconds(10)), -1);
  }
  EXPECT_EQ(daemon_->Terminate(absl::Seconds(30)), 0) << daemon_->Output();
  StartDaemon();
  EXPECT_EQ(Run({"job", "watch", job}).exit_code, 0);
}

TEST_F(Trouble, AVerificationCanBeCancelled) {
  const std::string job = BeginLongVerification();
  EXPECT_EQ(Run({"job", "cancel", job}).exit_code, 0);
  EXPECT_EQ(Run({"job", "watch", job}).exit_code, 1);
  EXPECT_EQ(Json({"job", "show", job})["state"], "JOB_STATE_CANCELLED");
}

}  // namespace
}  // namespace reinstate
