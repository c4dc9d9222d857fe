// Hooks of the real daemon: commands and an endpoint that follow restores, also after kill -9.

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/daemon_fixture.h"
#include "tests/support/http_get.h"
#include "tests/support/http_server.h"
#include "tests/support/prometheus_text.h"
#include "tests/support/script.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;

class DaemonHooksTest : public DaemonTest {
 protected:
  // A hook that appends its event to the file `events` and then does what `script` says.
  void Add(const std::string& name, const std::string& when, const std::string& script,
           const std::string& more = "") {
    const std::string command =
        WriteScript(Path(name), absl::StrCat("cat >> ", Path("events"), "\n", script));
    absl::StrAppend(&config_, "[[hook]]\nname = \"", name, "\"\nwhen = \"", when,
                    "\"\ncommand = [\"", command, "\"]\n",
                    absl::StrContains(more, "retries") ? "" : "retries = 0\n", more, "\n");
  }

  void StartWithHooks(const std::string& fault_points = "") {
    std::ofstream(Path("reinstated.toml")) << config_;
    Start({"--config", Path("reinstated.toml")}, fault_points);
  }

  // A tenant with a row, a snapshot, and the row deleted.
  void LoseATenant() {
    Put("acme", "1", "one");
    MustTakeSnapshot();
    DeleteTenant("acme");
  }

  v1::Restore GetRestore(const std::string& id) {
    v1::GetRestoreRequest request;
    request.set_restore(id);
    const absl::StatusOr<v1::Restore> restore = client_->GetRestore(request);
    EXPECT_THAT(restore, IsOk());
    return restore.value_or(v1::Restore());
  }

  // Restores the tenant; returns once its rows are back, whatever the hooks do.
  v1::Restore RestoreRows(const std::string& tenant) {
    const absl::StatusOr<v1::Restore> created = CreateRestore(tenant);
    EXPECT_THAT(created, IsOk());
    v1::Restore restore = created.value_or(v1::Restore());
    for (int i = 0; i < 6000 && !HasEnded(restore); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
      restore = GetRestore(restore.id());
    }
    return restore;
  }

  v1::Restore AwaitHooks(const std::string& id) {
    v1::Restore restore = GetRestore(id);
    for (int i = 0; i < 6000 && !IsFinal(restore); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
      restore = GetRestore(id);
    }
    EXPECT_FALSE(restore.hooks_pending()) << daemon_->Output();
    return restore;
  }

  std::vector<std::string> Events() const {
    std::vector<std::string> events;
    std::istringstream lines(ContentsOf(Path("events")));
    for (std::string line; std::getline(lines, line);) {
      events.push_back(line);
    }
    return events;
  }

  void AwaitEvents(size_t count) {
    for (int i = 0; i < 6000 && Events().size() < count; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    ASSERT_GE(Events().size(), count) << daemon_->Output();
  }

  std::string config_;
};

// What a script does until the file `go` is there; it ends by itself after a minute.
std::string WaitFor(const std::string& path) {
  return absl::StrCat("for i in $(seq 600); do test -e ", path,
                      " && exit 0; sleep 0.1; done; exit 1");
}

TEST_F(DaemonHooksTest, OneThatKillNineInterruptedIsRunAfterTheNextStart) {
  Add("index", "after", WaitFor(Path("go")));
  StartWithHooks();
  LoseATenant();
  const v1::Restore restored = RestoreRows("acme");
  ASSERT_EQ(restored.state(), v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_TRUE(restored.hooks_pending());
  AwaitEvents(1);
  daemon_->Kill();
  StartWithHooks();
  AwaitEvents(2);
  EXPECT_TRUE(GetRestore(restored.id()).hooks_pending());
  std::ofstream(Path("go")) << "\n";
  const v1::Restore after = AwaitHooks(restored.id());
  ASSERT_EQ(after.hooks_size(), 1);
  EXPECT_TRUE(after.hooks(0).succeeded()) << after.hooks(0).message();
  EXPECT_EQ(after.state(), v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_EQ(Events(), std::vector<std::string>(2, Events()[0]));  // so that it can be told apart
  EXPECT_THAT(Events()[0], HasSubstr(absl::StrCat(R"("restore":")", restored.id(), "\"")));
  Stop();
  StartWithHooks();
  EXPECT_FALSE(GetRestore(restored.id()).hooks_pending());
  Stop();
  EXPECT_EQ(Events().size(), 2);
}

TEST_F(DaemonHooksTest,
       OneThatFailedIsRunAgainByARetryOfItsBatchWithoutTheRestoreAlsoAfterKillNine) {
  Add("index", "after", absl::StrCat("test -e ", Path("up"), " || exit 1\n", WaitFor(Path("go"))),
      "required = true");
  StartWithHooks();
  LoseATenant();
  v1::CreateBatchRequest request;
  request.mutable_spec()->set_store("main");
  request.mutable_spec()->set_at("latest");
  request.mutable_spec()->set_mode(v1::RESTORE_MODE_MIRROR);
  request.add_lines()->set_tenant("acme");
  absl::StatusOr<v1::Batch> batch = client_->CreateBatch(request);
  ASSERT_THAT(batch, IsOk());
  batch = client_->WaitForBatch(batch->id(), {});
  ASSERT_THAT(batch, IsOk());
  EXPECT_EQ(batch->state(), v1::BATCH_STATE_PARTLY_FAILED);
  Put("acme", "1", "newer");
  std::ofstream(Path("up")) << "\n";
  v1::ControlBatchRequest retry;
  retry.set_batch(batch->id());
  const absl::StatusOr<v1::Batch> retried = client_->RetryBatch(retry);
  ASSERT_THAT(retried, IsOk());
  EXPECT_EQ(retried->state(), v1::BATCH_STATE_RUNNING);
  AwaitEvents(2);
  daemon_->Kill();
  StartWithHooks();
  AwaitEvents(3);
  std::ofstream(Path("go")) << "\n";
  batch = client_->WaitForBatch(batch->id(), {});
  ASSERT_THAT(batch, IsOk());
  EXPECT_EQ(batch->state(), v1::BATCH_STATE_SUCCEEDED);
  EXPECT_EQ(Events(), std::vector<std::string>(3, Events()[0])) << "of one and the same restore";
  EXPECT_EQ(*Get("acme", "1"), "newer");
}

TEST_F(DaemonHooksTest, FollowARestoreThatKillNineMetAfterItsCommit) {
  Add("freeze", "before", "exit 0", "required = true");
  Add("index", "after", "exit 0");
  StartWithHooks("restore.after_commit=hang");
  LoseATenant();
  const absl::StatusOr<v1::Restore> created = CreateRestore("acme");
  ASSERT_THAT(created, IsOk());
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!absl::StrContains(daemon_->Output(), "restore.after_commit reached")) {
    ASSERT_LT(absl::Now(), deadline) << daemon_->Output();
    absl::SleepFor(absl::Milliseconds(10));
  }
  daemon_->Kill();
  EXPECT_EQ(Events().size(), 1);
  StartWithHooks();
  const v1::Restore restore = AwaitHooks(created->id());
  EXPECT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_EQ(restore.hooks_size(), 2);
  ASSERT_EQ(Events().size(), 2);
  EXPECT_THAT(Events()[1], HasSubstr(R"("state":"SUCCEEDED","rows":{"inserted":1,)"));
  EXPECT_EQ(*Get("acme", "1"), "one");
}

TEST_F(DaemonHooksTest, ARequiredOneThatFailsBeforeARestoreLeavesTheTenantAsItWas) {
  Add("freeze", "before", "echo cannot freeze; exit 2", "required = true");
  Add("thaw", "after", "exit 0");
  StartWithHooks();
  LoseATenant();
  const v1::Restore restore = Restore("acme");
  EXPECT_EQ(restore.state(), v1::RESTORE_STATE_FAILED);
  EXPECT_EQ(restore.failure().reason(), "HOOK_FAILED");
  EXPECT_THAT(restore.failure().message(), HasSubstr("cannot freeze"));
  EXPECT_FALSE(Get("acme", "1").ok());
  ASSERT_EQ(Events().size(), 2);
  EXPECT_THAT(Events()[1], HasSubstr(R"("state":"FAILED","failure":{"reason":"HOOK_FAILED"})"));
}

TEST_F(DaemonHooksTest, OneThatHangsHoldsUpNeitherRestoresNorTheShutdown) {
  Add("index", "after", "trap '' TERM; sleep 600");
  StartWithHooks();
  LoseATenant();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(RestoreRows("acme").state(), v1::RESTORE_STATE_SUCCEEDED);
  }
  AwaitEvents(1);
  const absl::Time begin = absl::Now();
  Stop();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(30));
}

TEST_F(DaemonHooksTest, AWatchOfARestoreEndsOnceThoseAfterItHave) {
  Add("index", "after", WaitFor(Path("go")));
  StartWithHooks();
  LoseATenant();
  const absl::StatusOr<v1::Restore> created = CreateRestore("acme");
  ASSERT_THAT(created, IsOk());
  bool ended_before = false;  // the rows were back while the hook still ran, and the watch went on
  ReinstateClient::WaitObserver<v1::Restore> observer;
  observer.on_update = [&](const v1::Restore& restore) {
    if (HasEnded(restore) && restore.hooks_pending()) {
      ended_before = true;
      std::ofstream(Path("go")) << "\n";
    }
  };
  const absl::StatusOr<v1::Restore> watched = client_->WaitForRestore(created->id(), observer);
  ASSERT_THAT(watched, IsOk());
  EXPECT_TRUE(ended_before);
  ASSERT_EQ(watched->hooks_size(), 1);
  EXPECT_TRUE(watched->hooks(0).succeeded()) << watched->hooks(0).message();
}

TEST_F(DaemonHooksTest, AreCountedByNameAndOutcome) {
  Add("index", "after", "exit 0");
  Add("cache", "after", "exit 1", "retries = 1");
  config_ += "[metrics]\nlisten = \"127.0.0.1:0\"\n";
  StartWithHooks();
  LoseATenant();
  Restore("acme");
  const std::string output = daemon_->Output();
  const std::string key = "metrics address=";
  const size_t at = output.find(key) + key.size();
  const auto page = HttpGet(output.substr(at, output.find('\n', at) - at), "/metrics");
  ASSERT_THAT(page, IsOk());
  const auto text = PrometheusText::Parse(page->body);
  ASSERT_THAT(text, IsOk());
  const auto runs = [&](const char* hook, const char* outcome) {
    return text->Find("reinstate_hook_runs_total", {{"hook", hook}, {"outcome", outcome}});
  };
  EXPECT_EQ(runs("index", "succeeded"), 1);
  EXPECT_EQ(runs("index", "failed"), 0);
  EXPECT_EQ(runs("cache", "failed"), 1);
  EXPECT_EQ(text->Find("reinstate_hook_retries_total", {{"hook", "cache"}}), 1);
  EXPECT_GE(text->Find("reinstate_hook_duration_seconds_sum", {{"hook", "cache"}}), 1)
      << "with the wait before the second attempt";
}

TEST_F(DaemonHooksTest, AnEndpointIsToldOfARestore) {
  const HttpServer server([](const auto&) { return HttpAnswerText("200 OK"); });
  config_ = absl::StrCat("[[hook]]\nname = \"index\"\nwhen = \"after\"\nurl = \"", server.url(),
                         "/restored\"\n");
  StartWithHooks();
  LoseATenant();
  const v1::Restore restore = Restore("acme");
  ASSERT_EQ(restore.hooks_size(), 1);
  EXPECT_TRUE(restore.hooks(0).succeeded()) << restore.hooks(0).message();
  ASSERT_EQ(server.requests().size(), 1);
  EXPECT_THAT(server.requests()[0].body, HasSubstr(R"("tenant":"acme")"));
}

TEST_F(DaemonHooksTest, ABadOneKeepsTheDaemonFromStarting) {
  std::ofstream(Path("reinstated.toml")) << "[[hook]]\nname = \"index\"\nwhen = \"after\"\n";
  EXPECT_THAT(Refusal("data", {"--config", Path("reinstated.toml")}),
              testing::AllOf(HasSubstr("code 2"), HasSubstr(":1: command is required")));
}

}  // namespace
}  // namespace reinstate
