#include "server/hooks/hook_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "tests/support/http_server.h"
#include "tests/support/manual_clock.h"
#include "tests/support/script.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HookRunnerTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }

  Hook Script(const std::string& text) const {
    return {.name = "h", .command = {WriteScript(Path("script"), text)}};
  }

  absl::StatusOr<state::HookOutcome> Run(const Hook& hook,
                                         absl::Duration backoff = absl::Milliseconds(1)) {
    const HookRunner runner({.hooks = {}, .first_backoff = backoff, .clock = &clock_});
    state::RestoreRecord record;
    record.set_id("rst-1");
    return runner.Run(hook, record, &control_);
  }

  static std::vector<std::string> Names(const std::vector<const Hook*>& hooks) {
    std::vector<std::string> names;
    for (const Hook* hook : hooks) {
      names.push_back(hook->name);
    }
    return names;
  }

  const TempDir dir_;
  ManualClock clock_;
  RunControl control_;
};

TEST_F(HookRunnerTest, FindsTheHooksOfAStoreInTheirOrder) {
  const HookRunner runner(
      {.hooks = {{.name = "b", .when = Hook::When::kAfter},
                 {.name = "c", .when = Hook::When::kBefore},
                 {.name = "a", .when = Hook::When::kAfter, .stores = {"crm"}}}});
  EXPECT_THAT(Names(runner.For(Hook::When::kAfter, "crm")), ElementsAre("b", "a"));
  EXPECT_THAT(Names(runner.For(Hook::When::kAfter, "main")), ElementsAre("b"));
  EXPECT_THAT(Names(runner.For(Hook::When::kBefore, "main")), ElementsAre("c"));
  EXPECT_THAT(HookRunner({}).For(Hook::When::kAfter, "main"), IsEmpty());
}

TEST_F(HookRunnerTest, SucceedsOnceAnAttemptDoes) {
  Hook hook = Script("echo x >> " + Path("runs") + "; test $(wc -l < " + Path("runs") + ") = 3");
  hook.required = true;
  hook.when = Hook::When::kBefore;
  const auto outcome = Run(hook);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_TRUE(outcome->succeeded());
  EXPECT_EQ(outcome->attempts(), 3);
  EXPECT_EQ(outcome->message(), "");
  EXPECT_EQ(outcome->name(), "h");
  EXPECT_TRUE(outcome->required());
  EXPECT_FALSE(outcome->after());
  EXPECT_EQ(outcome->finished_us(), absl::ToUnixMicros(clock_.Now()));
}

TEST_F(HookRunnerTest, FailsAfterItsRetriesWithWhatTheLastOnePrinted) {
  Hook hook = Script("echo x >> " + Path("runs") + "; wc -l < " + Path("runs") + "; exit 5");
  hook.retries = 3;
  const auto outcome = Run(hook);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_FALSE(outcome->succeeded());
  EXPECT_EQ(outcome->attempts(), 4);
  EXPECT_EQ(outcome->message(), "ended with exit code 5; it printed: 4");
  hook.retries = 0;
  EXPECT_EQ(Run(hook)->attempts(), 1);
  EXPECT_EQ(ContentsOf(Path("runs")), "x\nx\nx\nx\nx\n");
}

TEST_F(HookRunnerTest, GivesEachAttemptItsOwnTime) {
  Hook hook =
      Script("test -e " + Path("second") + " && exit 0; touch " + Path("second") + "; sleep 600");
  hook.timeout = absl::Seconds(3);
  const auto outcome = Run(hook);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_TRUE(outcome->succeeded()) << outcome->message();
  EXPECT_EQ(outcome->attempts(), 2);
}

TEST_F(HookRunnerTest, TellsAnEndpointAgainAfterAFailure) {
  int calls = 0;
  const HttpServer server(
      [&](const auto&) { return HttpAnswerText(++calls == 1 ? "502 Bad Gateway" : "200 OK"); });
  const auto outcome = Run({.name = "h", .url = server.url()});
  ASSERT_THAT(outcome, IsOk());
  EXPECT_TRUE(outcome->succeeded());
  ASSERT_EQ(server.requests().size(), 2);
  EXPECT_EQ(server.requests()[0].body, server.requests()[1].body);
  EXPECT_THAT(server.requests()[0].body, HasSubstr(R"("restore":"rst-1")"));
}

TEST_F(HookRunnerTest, EndsBetweenAttemptsWhenItIsToldTo) {
  std::thread stop([this] {
    while (ContentsOf(Path("runs")).empty()) {
      std::this_thread::yield();
    }
    control_.Stop();
  });
  EXPECT_THAT(Run(Script("echo x > " + Path("runs") + "; exit 1"), absl::Hours(1)),
              FailsWith(Reason::kShuttingDown));
  stop.join();
  EXPECT_THAT(Run(Script("echo y >> " + Path("runs"))), FailsWith(Reason::kShuttingDown));
  EXPECT_EQ(ContentsOf(Path("runs")), "x\n");
}

}  // namespace
}  // namespace reinstate
