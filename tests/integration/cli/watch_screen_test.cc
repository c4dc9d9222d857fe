// `batch watch` on a terminal, as who sits before it sees it.

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/support/script.h"
#include "tests/support/terminal_screen.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kQuick = 6;
constexpr int kRows = 200;
constexpr absl::Duration kPatience = absl::Seconds(60);

// A batch of eight customers, of which one fails, and one goes on only once the test says so.
class WatchScreen : public CliSite {
 protected:
  // Begins the batch, and to watch it, with a daemon with these fault points.
  void StartBatch(const std::string& fault_points = "") {
    const std::string hook = WriteScript(
        Path("hook"), absl::StrCat("case \"$(cat)\" in\n*'\"bad\"'*) echo no room; exit 1 ;;\n"
                                   "*'\"slow\"'*) for i in $(seq 600); do test -e ",
                                   Path("go"), " && exit 0; sleep 0.1; done; exit 1 ;;\nesac"));
    std::ofstream(Path("reinstated.toml"))
        << "[[hook]]\nname = \"room\"\nwhen = \"before\"\nrequired = true\nretries = 0\n"
        << "timeout = \"2m\"\ncommand = [\"" << hook << "\"]\n";
    StartDaemon(fault_points, {"--config", Path("reinstated.toml")});
    std::string records;
    for (const std::string& tenant : Tenants()) {
      for (int row = 0; row < kRows; ++row) {
        absl::StrAppend(&records, R"({"tenant": ")", tenant, R"(", "table": "issue", "key": ")",
                        row, R"(", "payload": "an issue"})", "\n");
      }
    }
    ASSERT_EQ(Run({"record", "load"}, records).exit_code, 0);
    ASSERT_EQ(Run({"snapshot", "take", "--wait"}).exit_code, 0);
    std::string list;
    for (const std::string& tenant : Tenants()) {
      DeleteTenant(tenant);
      absl::StrAppend(&list, tenant, "\n");
    }
    const ProgramResult created =
        Run({"batch", "create", "-f", "-", "--at", "latest", "--accept-shrinking", "--confirm",
             absl::StrCat(Tenants().size()), "-o", "json"},
            list);
    ASSERT_EQ(created.exit_code, 0) << created.err;
    batch_ = nlohmann::json::parse(created.out)["id"];
    watch_ = Begin({"batch", "watch", batch_}, /*terminal=*/true);
  }

  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }

  static std::vector<std::string> Tenants() {
    std::vector<std::string> tenants = {"bad", "slow"};
    for (int i = 0; i < kQuick; ++i) {
      tenants.push_back(absl::StrCat("quick-", i));
    }
    return tenants;
  }

  // Puts what the program has written since on the screen.
  void Look() {
    const std::string shown = watch_->Out();
    screen_.Write(std::string_view(shown).substr(seen_));
    seen_ = shown.size();
  }

  // Blocks until all of these are on the screen at once.
  void AwaitOnScreen(const std::vector<std::string>& texts) {
    const absl::Time deadline = absl::Now() + kPatience;
    const auto is_missing = [&](const std::string& text) {
      return !absl::StrContains(screen_.Text(), text);
    };
    auto missing = texts.begin();
    while ((missing = std::find_if(texts.begin(), texts.end(), is_missing)) != texts.end()) {
      ASSERT_LT(absl::Now(), deadline) << "no '" << *missing << "' in:\n" << screen_.Text();
      absl::SleepFor(absl::Milliseconds(10));
      Look();
    }
  }

  void AwaitAllButTheSlowOne() {
    AwaitOnScreen({"6 of 8 customers restored", "1 running", "1 failed"});
  }

  std::string batch_;
  std::unique_ptr<Subprocess> watch_;
  TerminalScreen screen_{Subprocess::kColumns, Subprocess::kRows};
  size_t seen_ = 0;
};

TEST_F(WatchScreen, ShowsCountsRateEtaWhatRunsAndTheLastFailures) {
  // The last restore, the slow one, stays where it has written its rows, and so has a rate.
  ASSERT_NO_FATAL_FAILURE(StartBatch(absl::StrCat("restore.verifying=hang@", kQuick + 1)));
  ASSERT_NO_FATAL_FAILURE(AwaitAllButTheSlowOne());
  std::ofstream(Path("go")) << "";
  ASSERT_NO_FATAL_FAILURE(
      AwaitOnScreen({absl::StrCat("Batch ", batch_, "  running\n"), "%  ETA ", " rows, ",
                     " rows/s\n", "1 running, 1 failed\n", "Now:\n  verifying ", "  slow\n",
                     "Failed last:\n  bad  HOOK_FAILED: "}));
  EXPECT_THAT(screen_.Text(), Not(HasSubstr("quick-"))) << "what is done is only counted";

  StartDaemon("", {"--config", Path("reinstated.toml")});
  EXPECT_EQ(watch_->WaitForEnd(), 3);
  Look();
  EXPECT_THAT(screen_.Text(), HasSubstr("7 of 8"));
  EXPECT_THAT(screen_.Text(), Not(HasSubstr("Now:"))) << "the live view is gone";
  EXPECT_THAT(screen_.unknown(), IsEmpty());
}

TEST_F(WatchScreen, IsDrawnAnewInATerminalThatHasBecomeSmall) {
  ASSERT_NO_FATAL_FAILURE(StartBatch());
  ASSERT_NO_FATAL_FAILURE(AwaitAllButTheSlowOne());
  constexpr int kNarrow = 50;
  watch_->Resize(kNarrow, 12);
  Look();
  screen_.Resize(kNarrow, 12);
  ASSERT_EQ(Run({"batch", "pause", batch_}).exit_code, 0);
  ASSERT_NO_FATAL_FAILURE(AwaitOnScreen({"  paused\n", "To go on: "}));
  // Nothing is left of the wider view, and nothing has wrapped.
  EXPECT_EQ(screen_.Lines().front(), absl::StrCat("Batch ", batch_, "  paused")) << screen_.Text();
  EXPECT_THAT(screen_.Text(), Not(HasSubstr("  running\n")));
  std::ofstream(Path("go")) << "";
  ASSERT_EQ(Run({"batch", "resume", batch_}).exit_code, 0);
  EXPECT_EQ(watch_->WaitForEnd(), 3);
}

TEST_F(WatchScreen, CtrlCLeavesTheTerminalInOrderAndTheBatchRunning) {
  ASSERT_NO_FATAL_FAILURE(StartBatch());
  ASSERT_NO_FATAL_FAILURE(AwaitAllButTheSlowOne());
  const std::string modes = watch_->TerminalModes();
  watch_->Type("\x03");
  EXPECT_EQ(watch_->WaitForEnd(), 130);
  Look();
  EXPECT_EQ(watch_->TerminalModes(), modes);
  EXPECT_EQ(screen_.cursor_column(), 0) << screen_.Text();
  EXPECT_THAT(screen_.Text(), HasSubstr(absl::StrCat("reinstate batch watch ", batch_)));
  EXPECT_THAT(screen_.Text(), Not(HasSubstr("Now:"))) << "the live view is gone";
  EXPECT_THAT(screen_.unknown(), IsEmpty());

  EXPECT_EQ(Json({"batch", "get", batch_})["state"], "BATCH_STATE_RUNNING");
  std::ofstream(Path("go")) << "";
  EXPECT_EQ(Run({"batch", "watch", batch_}).exit_code, 3);
  EXPECT_EQ(Json({"batch", "get", batch_})["lines"]["succeeded"], "7");
}

}  // namespace
}  // namespace reinstate
