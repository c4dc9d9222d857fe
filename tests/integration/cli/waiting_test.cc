#include <algorithm>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/support/script.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;

class Waiting : public CliSite {
 protected:
  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }

  // Writes the daemon's configuration with a hook after restores, which does what `script` says.
  void Configure(const std::string& hook, const std::string& script) {
    std::ofstream(Path("reinstated.toml")) << "[[hook]]\nwhen = \"after\"\ncommand = [\""
                                           << WriteScript(Path("hook"), script) << "\"]\n"
                                           << hook << "\n";
  }
};

TEST_F(Waiting, GoesOnWhenTheDaemonIsKilledAndStartedAgain) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/50);
  DeleteTenant("1001");
  StartDaemon("restore.verifying=hang");
  const auto create = Begin({"restore", "create", "1001", "--at", "latest", "--wait"}, true);
  // It has been told that the restore was taken, and waits for its end.
  ASSERT_TRUE(create->WaitForText("verifying")) << create->Out();
  daemon_->Kill();
  ASSERT_TRUE(create->WaitForText("The daemon does not answer")) << create->Out();
  StartDaemon();
  EXPECT_EQ(create->WaitForEnd(), 0) << create->Out();
  const std::string shown = create->Out();
  EXPECT_THAT(shown, HasSubstr("The daemon does not answer; waiting for it to come back."));
  EXPECT_THAT(shown, HasSubstr("The daemon answers again.\r\n"));
  EXPECT_THAT(shown, HasSubstr("succeeded"));
  EXPECT_EQ(Issues("1001"), 50);
}

TEST_F(Waiting, EndsOnCtrlCWithoutEndingTheRestore) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/50);
  DeleteTenant("1001");
  StartDaemon("restore.verifying=hang");
  const auto create = Begin({"restore", "create", "1001", "--at", "latest", "--wait"}, true);
  ASSERT_TRUE(create->WaitForText("verifying")) << create->Out();
  create->Type("\x03");
  EXPECT_EQ(create->WaitForEnd(), 130) << create->Out();
  const std::string shown = create->Out();
  const size_t command = shown.find("reinstate restore watch rst-");
  ASSERT_NE(command, std::string::npos) << shown;
  EXPECT_THAT(shown, HasSubstr("goes on"));

  const std::string id = Json({"restore", "list"})[0]["id"];
  EXPECT_THAT(shown, HasSubstr("reinstate restore watch " + id));
  StartDaemon();
  EXPECT_EQ(Run({"restore", "watch", id}).exit_code, 0);
  EXPECT_EQ(Issues("1001"), 50);
}

TEST_F(Waiting, DrawsABarOnATerminalAndLeavesNothingOfIt) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/50);
  DeleteTenant("1001");
  const auto create = Begin({"restore", "create", "1001", "--at", "latest", "--wait"}, true);
  EXPECT_EQ(create->WaitForEnd(), 0) << create->Out();
  const std::string shown = create->Out();
  const size_t cleared = shown.rfind("\r\x1b[K");
  ASSERT_NE(cleared, std::string::npos) << shown;
  EXPECT_THAT(shown.substr(cleared), HasSubstr("succeeded"));
}

TEST_F(Waiting, SaysNothingOnStderrOfWhatIsDoneSoon) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/50);
  DeleteTenant("1001");
  const absl::Time begin = absl::Now();
  const ProgramResult created = Run({"restore", "create", "1001", "--at", "latest", "--wait"});
  const absl::Duration took = absl::Now() - begin;
  EXPECT_EQ(created.exit_code, 0) << created.err;
  // A line every three seconds: none, where the machine is not very slow.
  const size_t end = created.err.find("Read back before the commit");
  ASSERT_NE(end, std::string::npos) << created.err;
  EXPECT_LE(
      std::count(created.err.begin(), created.err.begin() + static_cast<ptrdiff_t>(end), '\n'),
      took / absl::Seconds(3))
      << created.err;
}

TEST_F(Waiting, AsksOnATerminalAndGoesOnAfterTheTenantsId) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/50);
  ASSERT_EQ(Run({"record", "put", "1001", "issue", "000001", "newer"}).exit_code, 0);
  const auto create =
      Begin({"restore", "create", "1001", "--at", "latest", "--mode", "mirror", "--wait"}, true);
  ASSERT_TRUE(create->WaitForText("Type the tenant's id to go on: ")) << create->Out();
  EXPECT_THAT(create->Out(), HasSubstr("1 replaced"));
  EXPECT_THAT(create->Out(), HasSubstr(dir_.path()));  // where the store is
  create->Type("1001\n");
  EXPECT_EQ(create->WaitForEnd(), 0) << create->Out();
  EXPECT_EQ(Run({"record", "get", "1001", "issue", "000001", "--raw"}).out, "Acme's issue 1");
}

TEST_F(Waiting, EndsWith1WhereTheRestoreWasCancelled) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/50);
  DeleteTenant("1001");
  StartDaemon("restore.planning=hang");
  const std::string id = Json({"restore", "create", "1001", "--at", "latest"})["id"];
  while (daemon_->Output().find("restore.planning") == std::string::npos) {
    ASSERT_EQ(daemon_->WaitForEnd(absl::Milliseconds(10)), -1);
  }
  ASSERT_EQ(Run({"restore", "cancel", id, "--reason", "wrong customer"}).exit_code, 0);
  StartDaemon();
  const ProgramResult watched = Run({"restore", "watch", id});
  EXPECT_EQ(watched.exit_code, 1);
  EXPECT_THAT(watched.err, HasSubstr("[CANCELLED]"));
  EXPECT_EQ(Issues("1001"), 0);
  EXPECT_EQ(Run({"restore", "cancel", id}).exit_code, 0) << "cancelling twice is no error";
}

TEST_F(Waiting, EndsOnlyOnceTheHooksAfterTheRestoreHaveEnded) {
  Configure("name = \"index\"", "until test -e " + dir_.path() + "/go; do sleep 0.05; done");
  StartDaemon("", {"--config", Path("reinstated.toml")});
  LoadAndSnapshot(/*rows=*/50);
  DeleteTenant("1001");
  const auto create = Begin({"restore", "create", "1001", "--at", "latest", "--wait"}, true);
  ASSERT_TRUE(create->WaitForText("succeeded, hooks follow")) << create->Out();
  EXPECT_EQ(Issues("1001"), 50);
  EXPECT_EQ(create->WaitForEnd(absl::Milliseconds(300)), -1) << "it waits for the hook";
  WriteScript(Path("go"), "");
  EXPECT_EQ(create->WaitForEnd(), 0) << create->Out();
  EXPECT_THAT(create->Out(), HasSubstr("after   index succeeded"));
}

TEST_F(Waiting, EndsWith3WhereTheRowsAreBackAndARequiredHookFailed) {
  Configure("name = \"index\"\nrequired = true\nretries = 0", "echo no such index; exit 7");
  StartDaemon("", {"--config", Path("reinstated.toml")});
  LoadAndSnapshot(/*rows=*/50);
  DeleteTenant("1001");
  const ProgramResult created = Run({"restore", "create", "1001", "--at", "latest", "--wait"});
  EXPECT_EQ(created.exit_code, 3) << created.err;
  EXPECT_THAT(created.err, HasSubstr("The rows are back, but the hook index, which is required"));
  EXPECT_THAT(created.err, HasSubstr("it printed: no such index"));
  EXPECT_THAT(created.out, HasSubstr("after   index (required) failed"));
  EXPECT_EQ(Issues("1001"), 50);
  const std::string id = Json({"restore", "list"})[0]["id"];
  EXPECT_EQ(Run({"restore", "watch", id}).exit_code, 3);

  // A batch counts such a line as failed.
  DeleteTenant("1002");
  const ProgramResult batch = Run(
      {"batch", "create", "-f", "-", "--at", "latest", "--confirm", "2", "--wait"}, "1001\n1002\n");
  EXPECT_EQ(batch.exit_code, 1) << batch.err;
  EXPECT_THAT(batch.err, HasSubstr("0 of 2 lines of the batch"));
  EXPECT_THAT(batch.err, HasSubstr("HOOK_FAILED"));
  EXPECT_THAT(batch.err, HasSubstr("runs it again, and not the restore"));
  EXPECT_EQ(Issues("1002"), 50);
}

TEST_F(Waiting, TellsThatOneOfSeveralFailed) {
  StartDaemon();
  LoadAndSnapshot(/*rows=*/50);
  DeleteTenant("1001");
  StartDaemon("restore.planning=hang");
  const std::string cancelled = Json({"restore", "create", "1001", "--at", "latest"})["id"];
  ASSERT_EQ(Run({"restore", "cancel", cancelled}).exit_code, 0);
  StartDaemon();
  const std::string done = Json({"restore", "create", "1001", "--at", "latest"})["id"];
  const ProgramResult watched = Run({"restore", "watch", cancelled, done});
  EXPECT_EQ(watched.exit_code, 3) << watched.err;
  EXPECT_THAT(watched.err, HasSubstr("[PARTLY_FAILED]"));
}

}  // namespace
}  // namespace reinstate
