// Hooks as steps of restores: real commands, an engine that does what the test has written.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/jobs/restore_manager.h"
#include "tests/support/script.h"
#include "tests/unit/server/jobs/jobs_fixture.h"
#include "tests/unit/server/jobs/scripted_engine.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Json = nlohmann::json;

// Keeps the restores whose hooks have ended.
class EndedHooks final : public JobObserver {
 public:
  void RestoreEnded(const state::RestoreRecord& /*restore*/) override {}
  void HistoryJobEnded(const state::HistoryJob& /*job*/) override {}
  void HooksEnded(const state::RestoreRecord& restore) override {
    MutexLock lock(&mu_);
    ended_.push_back(restore);
  }

  void HookRuns(const std::string& /*restore*/,
                const std::optional<HookAttempt>& attempt) override {
    MutexLock lock(&mu_);
    runs_.push_back(!attempt.has_value()
                        ? "none"
                        : absl::StrCat(attempt->after ? "after " : "before ", attempt->name, " ",
                                       attempt->attempt, " of ", attempt->attempts));
  }

  std::vector<state::RestoreRecord> all() const {
    MutexLock lock(&mu_);
    return ended_;
  }
  std::vector<std::string> runs() const {
    MutexLock lock(&mu_);
    return runs_;
  }

 private:
  mutable Mutex mu_;
  std::vector<std::string> runs_ ABSL_GUARDED_BY(mu_);
  std::vector<state::RestoreRecord> ended_ ABSL_GUARDED_BY(mu_);
};

class RestoreHooksTest : public JobsFixture {
 protected:
  void SetUp() override {
    for (const char* tenant : {"t1", "t2"}) {
      site_.Put(tenant, "issues", "1", "payload");
    }
    site_.TakeSnapshot();
    engine_ = std::make_unique<ScriptedEngine>(state_.get());
  }

  void TearDown() override { manager_.reset(); }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  // Adds a hook, which appends its event to the file `events` and then does what `script` says.
  void Add(const std::string& name, Hook::When when, const std::string& script = "",
           bool required = false) {
    const std::string text = "cat >> " + Path("events") + "\n" + script;
    hooks_.push_back({.name = name,
                      .when = when,
                      .command = {WriteScript(Path(name), text)},
                      .retries = 0,
                      .required = required});
  }

  // Begins as a process does.
  void Start() {
    RestoreManagerOptions options;
    options.workers = 2;
    options.clock = &site_.clock();
    options.observer = &ended_;
    options.hooks = hooks_;
    options.hook_backoff = absl::Milliseconds(1);
    manager_ = *RestoreManager::Create(options, registry_.get(), &site_.history(), state_.get(),
                                       engine_.get());
    ASSERT_THAT(manager_->Start(), IsOk());
  }

  // Ends as a process does, and begins the next one.
  void StartAgain() {
    manager_.reset();
    OpenState();
    engine_ = std::make_unique<ScriptedEngine>(state_.get());
    Start();
  }

  std::string Create(const std::string& tenant) {
    state::RestoreOrder order;
    order.set_store("main");
    order.set_tenant(tenant);
    order.mutable_point()->set_requested("latest");
    order.set_mode(state::CREATE_MISSING);
    *order.mutable_actor() = Ada();
    const auto record = manager_->CreateRestore(RequestKey(), order, false);
    EXPECT_THAT(record, IsOk());
    return record->id();
  }

  state::RestoreRecord AwaitThat(const std::string& id,
                                 const std::function<bool(const state::RestoreRecord&)>& holds) {
    Await([&](auto on_change) { return manager_->WatchJob(id, std::move(on_change)); },
          [&] { return holds(*manager_->GetRestore(id)); });
    return *manager_->GetRestore(id);
  }
  state::RestoreRecord AwaitState(const std::string& id, state::JobState state) {
    return AwaitThat(id, [=](const auto& record) { return record.state() == state; });
  }
  state::RestoreRecord AwaitHooks(const std::string& id) {
    return AwaitThat(id, [](const auto& record) {
      return record.state() != state::QUEUED && record.state() != state::RUNNING &&
             !record.hooks_pending();
    });
  }

  void AwaitEvents(size_t count) {
    while (Events().size() < count) {
      std::this_thread::yield();
    }
  }

  // "hook state" of each event so far.
  std::vector<std::string> Events() const {
    std::vector<std::string> events;
    std::istringstream lines(ContentsOf(Path("events")));
    for (std::string line; std::getline(lines, line);) {
      const Json event = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (!event.is_discarded()) {
        events.push_back(event["hook"].get<std::string>() + " " +
                         event["state"].get<std::string>());
      }
    }
    return events;
  }

  // "hook succeeded" or "hook failed" of each, in the order of the record.
  static std::vector<std::string> Outcomes(const state::RestoreRecord& record) {
    std::vector<std::string> outcomes;
    for (const state::HookOutcome& hook : record.hooks()) {
      outcomes.push_back(hook.name() + (hook.succeeded() ? " succeeded" : " failed"));
    }
    return outcomes;
  }

  std::vector<Hook> hooks_;
  EndedHooks ended_;
  std::unique_ptr<ScriptedEngine> engine_;
  std::unique_ptr<RestoreManager> manager_;
};

constexpr Hook::When kBefore = Hook::When::kBefore;
constexpr Hook::When kAfter = Hook::When::kAfter;

TEST_F(RestoreHooksTest, RunBeforeAndAfterInTheirOrder) {
  Add("index", kAfter);
  Add("maintenance", kBefore);
  Add("billing", kAfter);
  Add("freeze", kBefore);
  Start();
  const std::string id = Create("t1");
  const state::RestoreRecord record = AwaitHooks(id);
  EXPECT_EQ(record.state(), state::SUCCEEDED);
  EXPECT_THAT(Events(), ElementsAre("maintenance RUNNING", "freeze RUNNING", "index SUCCEEDED",
                                    "billing SUCCEEDED"));
  EXPECT_THAT(Outcomes(record), ElementsAre("maintenance succeeded", "freeze succeeded",
                                            "index succeeded", "billing succeeded"));
  EXPECT_THAT(*state_->RestoresWithPendingHooks(), IsEmpty());
  manager_->Shutdown();
  ASSERT_EQ(ended_.all().size(), 1);
  EXPECT_EQ(ended_.all()[0].id(), id);
  EXPECT_EQ(ended_.all()[0].hooks_size(), 4);
}

TEST_F(RestoreHooksTest, ARequiredOneBeforeItThatFailsEndsTheRestoreBeforeAnythingIsChanged) {
  Add("maintenance", kBefore, "echo the flag is stuck; exit 3", /*required=*/true);
  Add("freeze", kBefore);
  Add("thaw", kAfter);
  Start();
  const state::RestoreRecord record = AwaitHooks(Create("t1"));
  EXPECT_EQ(record.state(), state::FAILED);
  EXPECT_EQ(record.failure().reason(), "HOOK_FAILED");
  EXPECT_THAT(record.failure().message(), HasSubstr("the hook maintenance"));
  EXPECT_THAT(record.failure().message(),
              HasSubstr("ended with exit code 3; it printed: the flag is stuck"));
  EXPECT_THAT(engine_->begun(), IsEmpty());
  EXPECT_THAT(Events(), ElementsAre("maintenance RUNNING", "thaw FAILED"));
  EXPECT_THAT(Outcomes(record), ElementsAre("maintenance failed", "thaw succeeded"));
}

TEST_F(RestoreHooksTest, OneBeforeItThatFailsIsNotedIfItIsNotRequired) {
  Add("cache", kBefore, "echo no such key; exit 1");
  Start();
  const state::RestoreRecord record = AwaitState(Create("t1"), state::SUCCEEDED);
  ASSERT_THAT(Outcomes(record), ElementsAre("cache failed"));
  EXPECT_EQ(record.hooks(0).message(), "ended with exit code 1; it printed: no such key");
  EXPECT_GT(record.hooks(0).finished_us(), 0);
}

TEST_F(RestoreHooksTest, ARequiredOneAfterItThatFailsLeavesItSucceeded) {
  Add("index", kAfter, "exit 1", /*required=*/true);
  Add("billing", kAfter);
  Start();
  const state::RestoreRecord record = AwaitHooks(Create("t1"));
  EXPECT_EQ(record.state(), state::SUCCEEDED);
  EXPECT_THAT(Outcomes(record), ElementsAre("index failed", "billing succeeded"));
  EXPECT_TRUE(record.hooks(0).required());
}

TEST_F(RestoreHooksTest, ThoseAfterItThatHangHoldUpNoRestore) {
  Add("index", kAfter, "sleep 600");
  Start();
  const std::string first = Create("t1");
  EXPECT_TRUE(AwaitState(first, state::SUCCEEDED).hooks_pending());
  AwaitEvents(1);
  AwaitState(Create("t2"), state::SUCCEEDED);
  EXPECT_TRUE(manager_->GetRestore(first)->hooks_pending());
}

TEST_F(RestoreHooksTest, ThoseThatAShutdownInterruptsAreRunAfterTheNextStart) {
  Add("billing", kAfter);
  Add("index", kAfter, "test -e " + Path("go") + " || sleep 600");
  Start();
  const std::string id = Create("t1");
  AwaitEvents(2);
  manager_->Shutdown();
  EXPECT_TRUE(state_->GetRestore(id)->hooks_pending());
  EXPECT_THAT(ended_.all(), IsEmpty());
  WriteScript(Path("go"), "");
  StartAgain();
  EXPECT_THAT(Outcomes(AwaitHooks(id)), ElementsAre("billing succeeded", "index succeeded"));
  EXPECT_THAT(Events(), ElementsAre("billing SUCCEEDED", "index SUCCEEDED", "index SUCCEEDED"));
  StartAgain();
  manager_->Shutdown();
  EXPECT_EQ(Events().size(), 3);
}

TEST_F(RestoreHooksTest, TellOfEachAttemptAsItBegins) {
  Add("freeze", kBefore);
  Add("billing", kAfter, "exit 1");
  hooks_.back().retries = 2;
  Start();
  AwaitHooks(Create("t1"));
  EXPECT_THAT(ended_.runs(), ElementsAre("before freeze 1 of 1", "none", "after billing 1 of 3",
                                         "after billing 2 of 3", "after billing 3 of 3", "none"));
}

TEST_F(RestoreHooksTest, ThoseThatAreNotConfiguredAnyMoreAreNotWaitedFor) {
  Add("index", kAfter, "sleep 600");
  Start();
  const std::string id = Create("t1");
  AwaitEvents(1);
  hooks_.clear();
  StartAgain();
  EXPECT_THAT(Outcomes(AwaitHooks(id)), IsEmpty());
}

TEST_F(RestoreHooksTest, ThoseBeforeItThatHaveSucceededAreNotRunAgainWithTheRestore) {
  Add("freeze", kBefore);
  Add("cache", kBefore, "exit 1");
  engine_->Write("t1", {.unrecorded = 1});
  Start();
  const std::string id = Create("t1");
  while (manager_->GetRestore(id)->state() != state::SUCCEEDED) {
    site_.clock().Advance(absl::Seconds(1));
    std::this_thread::yield();
  }
  EXPECT_THAT(Events(), ElementsAre("freeze RUNNING", "cache RUNNING", "cache RUNNING"));
  EXPECT_THAT(Outcomes(*manager_->GetRestore(id)), ElementsAre("freeze succeeded", "cache failed"));
}

TEST_F(RestoreHooksTest, DoNotFollowAFailureBeforeWhichNoneWasRun) {
  Add("thaw", kAfter);
  engine_->Write("t1", {.end = state::FAILED});
  Start();
  const state::RestoreRecord record = AwaitHooks(Create("t1"));
  EXPECT_EQ(record.state(), state::FAILED);
  manager_->Shutdown();
  EXPECT_THAT(Events(), IsEmpty());
  EXPECT_THAT(ended_.all(), IsEmpty());
}

TEST_F(RestoreHooksTest, FollowAFailureBeforeWhichTheyWereRun) {
  Add("freeze", kBefore);
  Add("thaw", kAfter);
  engine_->Write("t1", {.end = state::FAILED});
  Start();
  EXPECT_EQ(AwaitHooks(Create("t1")).state(), state::FAILED);
  EXPECT_THAT(Events(), ElementsAre("freeze RUNNING", "thaw FAILED"));
}

TEST_F(RestoreHooksTest, ACancelEndsTheOneThatRunsBeforeIt) {
  Add("freeze", kBefore, "sleep 600", /*required=*/true);
  Add("thaw", kAfter);
  Start();
  const std::string id = Create("t1");
  AwaitEvents(1);
  EXPECT_EQ(manager_->GetRestore(id)->hooks(0).finished_us(), 0);
  ASSERT_THAT(manager_->CancelRestore(id, Ada(), ""), IsOk());
  const state::RestoreRecord record = AwaitHooks(id);
  EXPECT_EQ(record.state(), state::CANCELLED);
  EXPECT_THAT(engine_->begun(), IsEmpty());
  EXPECT_THAT(Events(), ElementsAre("freeze RUNNING", "thaw CANCELLED"));
  EXPECT_EQ(record.hooks(0).finished_us(), 0);
}

TEST_F(RestoreHooksTest, OneBeforeItThatAShutdownInterruptsIsRunAgainWithTheRestore) {
  Add("freeze", kBefore, "test -e " + Path("go") + " || sleep 600", /*required=*/true);
  Start();
  const std::string id = Create("t1");
  AwaitEvents(1);
  manager_->Shutdown();
  EXPECT_EQ(state_->GetRestore(id)->state(), state::QUEUED);
  WriteScript(Path("go"), "");
  StartAgain();
  EXPECT_THAT(Outcomes(AwaitState(id, state::SUCCEEDED)), ElementsAre("freeze succeeded"));
  EXPECT_THAT(Events(), ElementsAre("freeze RUNNING", "freeze RUNNING"));
}

TEST_F(RestoreHooksTest, FollowARestoreInDoubtOnceItIsResolved) {
  Add("index", kAfter);
  engine_->Write("t1", {.end = state::IN_DOUBT});
  Start();
  const std::string id = Create("t1");
  AwaitState(id, state::IN_DOUBT);
  EXPECT_THAT(Events(), IsEmpty());
  ASSERT_THAT(manager_->ResolveRestore(id, true, Ada(), "looked"), IsOk());
  EXPECT_THAT(Outcomes(AwaitHooks(id)), ElementsAre("index succeeded"));
  EXPECT_THAT(Events(), ElementsAre("index SUCCEEDED"));
}

TEST_F(RestoreHooksTest, ThoseThatFailedAreRunAgainAfterARestoreIfAskedAndOnlyThose) {
  Add("freeze", kBefore, "exit 1");
  Add("index", kAfter, "test -e " + Path("go"));
  Add("billing", kAfter);
  Start();
  const std::string id = Create("t1");
  AwaitHooks(id);
  WriteScript(Path("go"), "");
  EXPECT_TRUE(*manager_->RunFailedHooksAgain(id));
  const state::RestoreRecord record = AwaitHooks(id);
  EXPECT_EQ(record.state(), state::SUCCEEDED);
  EXPECT_THAT(Outcomes(record),
              ElementsAre("freeze failed", "billing succeeded", "index succeeded"));
  EXPECT_THAT(Events(), ElementsAre("freeze RUNNING", "index SUCCEEDED", "billing SUCCEEDED",
                                    "index SUCCEEDED"));
  EXPECT_FALSE(*manager_->RunFailedHooksAgain(id)) << "one before it is no longer to be run";
  EXPECT_THAT(engine_->begun(), ElementsAre("t1"));
}

TEST_F(RestoreHooksTest, AreNotRunAgainBeforeTheyHaveFailed) {
  Add("freeze", kBefore, "exit 1");
  Add("index", kAfter, "sleep 600");
  Start();
  engine_->Write("t2", {.hold = true});
  const std::string runs = Create("t2");
  engine_->AwaitBegun(1);
  EXPECT_FALSE(*manager_->RunFailedHooksAgain(runs));
  const std::string ended = Create("t1");
  AwaitState(ended, state::SUCCEEDED);
  EXPECT_FALSE(*manager_->RunFailedHooksAgain(ended)) << "it is being run";
  EXPECT_THAT(manager_->RunFailedHooksAgain("rst-nope").status(),
              FailsWith(Reason::kRestoreNotFound));
  engine_->Release("t2");
}

TEST_F(RestoreHooksTest, AreRunForAnUndoToo) {
  Add("index", kAfter);
  Start();
  const std::string id = Create("t1");
  AwaitHooks(id);
  state::RestoreOrder order;
  order.set_undo_of(id);
  const auto undo = manager_->CreateUndo(RequestKey(), order, false);
  ASSERT_THAT(undo, IsOk());
  EXPECT_THAT(Outcomes(AwaitHooks(undo->id())), ElementsAre("index succeeded"));
  EXPECT_THAT(ContentsOf(Path("events")), HasSubstr(absl::StrCat(R"("undo_of":")", id, "\"")));
  EXPECT_THAT(Outcomes(*manager_->GetRestore(id)), ElementsAre("index succeeded"));
}

}  // namespace
}  // namespace reinstate
