// Restores that wait for the throttle of their store, or for the store itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/jobs/restore_manager.h"
#include "server/snapshot/snapshotter.h"
#include "tests/support/wrapped_store.h"
#include "tests/unit/server/jobs/jobs_fixture.h"
#include "tests/unit/server/jobs/scripted_engine.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The same store twice, as `main` and as `wiki`, each with a history of its own. The tenant t6 has
// 25 rows.
class ThrottledRestoresTest : public JobsFixture {
 protected:
  void SetUp() override {
    for (int i = 1; i <= 6; ++i) {
      const std::string tenant = absl::StrCat("t", i);
      site_.Put(tenant, "tenant", "name", absl::StrCat("Tenant ", i));
      for (int row = 0; row < 4 * i; ++row) {
        site_.Put(tenant, "issues", absl::StrCat(row), "payload");
      }
    }
    wiki_hooks_.health = [this] {
      return wiki_suffers_ ? StoreHealth{.writable = true,
                                         .pressure = "commit_latency",
                                         .detail = "A small commit took 3s."}
                           : StoreHealth();
    };
    Serve();
    TakeSnapshotOf("main");
    TakeSnapshotOf("wiki");
  }

  void TearDown() override { manager_.reset(); }

  void TakeSnapshotOf(const std::string& store) {
    ASSERT_THAT(Snapshotter(SnapshotterOptions(), &site_.history())
                    .Take(&site_.store(), {.lineage = (*registry_->Find(store))->lineage,
                                           .store_identity = registry_->Record(store)->identity()}),
                IsOk());
    site_.clock().Advance(absl::Minutes(1));
  }

  // Begins a process that serves both stores, without starting its manager.
  void Serve() {
    manager_.reset();
    OpenState();
    ASSERT_THAT(registry_->Register(Served("wiki", &wiki_)), IsOk());
    engine_ = std::make_unique<ScriptedEngine>(state_.get());
    RestoreManagerOptions options;
    options.workers = 4;
    options.clock = &site_.clock();
    options.observer = &ended_;
    options.probe_every = absl::Milliseconds(1);
    manager_ = *RestoreManager::Create(options, registry_.get(), &site_.history(), state_.get(),
                                       engine_.get());
  }

  void Start() { ASSERT_THAT(manager_->Start(), IsOk()); }

  std::string CreateIn(const std::string& store, const std::string& tenant) {
    state::RestoreOrder order;
    order.set_store(store);
    order.set_tenant(tenant);
    order.mutable_point()->set_requested("latest");
    order.set_mode(state::CREATE_MISSING);
    *order.mutable_actor() = Ada();
    const auto record = manager_->CreateRestore(RequestKey(), order, false);
    EXPECT_THAT(record, IsOk());
    return record->id();
  }
  std::string Create(const std::string& tenant) { return CreateIn("main", tenant); }

  state::JobState StateOf(const std::string& id) { return manager_->GetRestore(id)->state(); }

  void AwaitState(const std::string& id, state::JobState state) {
    Await([&](auto on_change) { return manager_->WatchJob(id, std::move(on_change)); },
          [&] { return StateOf(id) == state; });
  }

  void Hold(const std::string& tenant) { engine_->Write(tenant, {.hold = true}); }

  static state::Throttle RowsPerSecond(int64_t rows) {
    state::Throttle throttle;
    throttle.set_rows_per_second(rows);
    return throttle;
  }

  absl::Status SetThrottle(const std::string& store, const state::Throttle& throttle) {
    return manager_->SetThrottle(store, throttle, Ada(), "it is slow");
  }

  // Has `tenant` of `main` run, with its budget taken, until the test releases it.
  std::string BeginAndHold(const std::string& tenant) {
    Hold(tenant);
    const size_t before = engine_->begun().size();
    const std::string id = Create(tenant);
    engine_->AwaitBegun(before + 1);
    return id;
  }

  // Blocks until so long a waiting was told.
  void AwaitHeldBack(const std::string& store_and_reason, absl::Duration time) {
    while (ended_.held_back()[store_and_reason] < time) {
      std::this_thread::yield();
    }
  }

  // Until the waiting is counted at all: from then on all time is.
  void AwaitHeldBack(const std::string& store_and_reason) {
    while (ended_.held_back()[store_and_reason] == absl::ZeroDuration()) {
      site_.clock().Advance(absl::Nanoseconds(1));
      std::this_thread::yield();
    }
  }

  std::atomic<bool> wiki_suffers_ = false;
  StoreHooks wiki_hooks_;
  WrappedStore wiki_{&site_.store(), &wiki_hooks_};
  EndedJobs ended_;
  std::unique_ptr<ScriptedEngine> engine_;
  std::unique_ptr<RestoreManager> manager_;
};

TEST_F(ThrottledRestoresTest, TheNextRestoreOfAStoreWaitsUntilTheLastOneIsPaidForAndOthersGoOn) {
  Start();
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  BeginAndHold("t6");  // 25 rows
  const std::string waiting = Create("t1");
  AwaitState(CreateIn("wiki", "t1"), state::SUCCEEDED);
  AwaitState(CreateIn("wiki", "t2"), state::SUCCEEDED);
  EXPECT_EQ(StateOf(waiting), state::QUEUED);
  EXPECT_THAT(manager_->HoldingBack("main").value_or(""), HasSubstr("1 rows a second"));
  EXPECT_FALSE(manager_->HoldingBack("wiki").has_value());
  AwaitHeldBack("main rows_per_second");
  site_.clock().Advance(absl::Seconds(23));
  AwaitHeldBack("main rows_per_second", absl::Seconds(23));
  EXPECT_EQ(StateOf(waiting), state::QUEUED);
  site_.clock().Advance(absl::Seconds(2));
  AwaitState(waiting, state::SUCCEEDED);
  EXPECT_FALSE(ended_.held_back().contains("wiki rows_per_second"));
}

TEST_F(ThrottledRestoresTest, AChangedLimitLetsTheNextRestoreBeginAtOnce) {
  Start();
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  BeginAndHold("t6");
  const std::string waiting = Create("t1");
  AwaitState(CreateIn("wiki", "t1"), state::SUCCEEDED);
  ASSERT_EQ(StateOf(waiting), state::QUEUED);
  ASSERT_THAT(SetThrottle("main", state::Throttle()), IsOk());
  AwaitState(waiting, state::SUCCEEDED);
}

TEST_F(ThrottledRestoresTest, WhatARestoreDidNotWriteIsGivenBackWhenItEnds) {
  Start();
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  const std::string first = BeginAndHold("t6");
  const std::string waiting = Create("t1");
  AwaitState(CreateIn("wiki", "t1"), state::SUCCEEDED);
  ASSERT_EQ(StateOf(waiting), state::QUEUED);
  engine_->Release("t6");  // which writes no rows
  AwaitState(first, state::SUCCEEDED);
  AwaitState(waiting, state::SUCCEEDED);
}

TEST_F(ThrottledRestoresTest, TheNumberAtOnceChangesAtOnceAndGoesBackToWhatIsConfigured) {
  Start();
  state::Throttle one;
  one.set_max_running(1);
  ASSERT_THAT(SetThrottle("main", one), IsOk());
  for (const char* tenant : {"t1", "t2", "t3"}) {
    Hold(tenant);
    Create(tenant);
  }
  engine_->AwaitBegun(1);
  AwaitState(CreateIn("wiki", "t4"), state::SUCCEEDED);
  EXPECT_EQ(manager_->Loads().at("main").running, 1);
  ASSERT_THAT(SetThrottle("main", state::Throttle()), IsOk());
  engine_->AwaitBegun(4);
  EXPECT_EQ(manager_->Loads().at("main").running, 3);
}

TEST_F(ThrottledRestoresTest, AThrottleHoldsAlsoAfterARestartAndIsInTheAudit) {
  Start();
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  const state::AuditEntry entry = state_->ListAudit(0, 1000)->back();
  EXPECT_EQ(entry.action(), "store.throttled");
  EXPECT_EQ(entry.subject(), "main");
  EXPECT_EQ(entry.actor().name(), "ada");
  EXPECT_THAT(entry.details(), AllOf(HasSubstr("\"rows_per_second\":1"), HasSubstr("it is slow")));
  Serve();
  Start();
  BeginAndHold("t6");
  const std::string waiting = Create("t1");
  AwaitState(CreateIn("wiki", "t1"), state::SUCCEEDED);
  EXPECT_EQ(StateOf(waiting), state::QUEUED);
}

TEST_F(ThrottledRestoresTest, WhatIsOwedIsOwedAlsoByTheNextProcess) {
  Start();
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  BeginAndHold("t6");  // 25 rows
  site_.clock().Advance(absl::Seconds(5));
  const auto kept =
      registry_->Record("main")->throttle_debt();  // as a process that is killed left it
  EXPECT_EQ(kept.rows(), 25);
  Serve();
  ASSERT_THAT(registry_->SetThrottleDebt("main", kept), IsOk());
  const std::string waiting = Create("t1");
  Start();
  AwaitState(CreateIn("wiki", "t1"), state::SUCCEEDED);
  EXPECT_EQ(StateOf(waiting), state::QUEUED);
  EXPECT_THAT(manager_->WhyQueued(*manager_->GetRestore(waiting)).value_or(""),
              HasSubstr("begins in 20 s"));
  site_.clock().Advance(absl::Seconds(19));
  AwaitHeldBack("main rows_per_second", absl::Seconds(19));
  EXPECT_EQ(StateOf(waiting), state::QUEUED);
  site_.clock().Advance(absl::Seconds(1));
  AwaitState(waiting, state::SUCCEEDED);
}

TEST_F(ThrottledRestoresTest, AChangedLimitHasPaidNothingBeforeItWasSet) {
  Start();
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  BeginAndHold("t6");  // 25 rows
  site_.clock().Advance(absl::Seconds(10));
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(5)), IsOk());
  const auto kept = registry_->Record("main")->throttle_debt();
  EXPECT_EQ(kept.rows(), 15);
  EXPECT_EQ(kept.as_of_us(), absl::ToUnixMicros(site_.clock().Now()));
}

TEST_F(ThrottledRestoresTest, WhatWasForgivenIsNotOwedAgainByTheNextProcess) {
  Start();
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  BeginAndHold("t6");
  ASSERT_EQ(registry_->Record("main")->throttle_debt().rows(), 25);
  ASSERT_THAT(SetThrottle("main", state::Throttle()), IsOk());
  EXPECT_EQ(registry_->Record("main")->throttle_debt().rows(), 0);
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  EXPECT_EQ(registry_->Record("main")->throttle_debt().rows(), 0);
}

TEST_F(ThrottledRestoresTest, WhatAStoppedProcessRolledBackIsNotOwed) {
  Start();
  ASSERT_THAT(SetThrottle("main", RowsPerSecond(1)), IsOk());
  const std::string running = BeginAndHold("t6");
  Serve();
  Start();
  AwaitState(running, state::SUCCEEDED);
}

TEST_F(ThrottledRestoresTest, WithoutALimitNothingIsStoredOfWhatIsOwed) {
  Start();
  AwaitState(Create("t6"), state::SUCCEEDED);
  EXPECT_FALSE(registry_->Record("main")->has_throttle_debt());
}

TEST_F(ThrottledRestoresTest, RefusesLimitsBelowZeroAndStoresThatAreNotThere) {
  Start();
  EXPECT_THAT(SetThrottle("main", RowsPerSecond(-1)), FailsWith(Reason::kInvalidArgument));
  state::Throttle running;
  running.set_max_running(-1);
  EXPECT_THAT(SetThrottle("main", running), FailsWith(Reason::kInvalidArgument));
  EXPECT_THAT(SetThrottle("nope", RowsPerSecond(1)), FailsWith(Reason::kStoreNotFound));
  EXPECT_FALSE(registry_->Record("main")->has_throttle());
}

TEST_F(ThrottledRestoresTest, WhoWatchesAQueuedRestoreHearsOfWhatHoldsItBack) {
  Start();
  ASSERT_THAT(SetThrottle("wiki", RowsPerSecond(1)), IsOk());
  Hold("t6");
  CreateIn("wiki", "t6");
  engine_->AwaitBegun(1);
  const std::string waiting = CreateIn("wiki", "t1");
  const auto why = [&] { return manager_->WhyQueued(*manager_->GetRestore(waiting)).value_or(""); };
  EXPECT_THAT(why(), HasSubstr("1 rows a second"));
  wiki_suffers_ = true;  // of which nothing is told but by the watch
  Await([&](auto on_change) { return manager_->WatchJob(waiting, std::move(on_change)); },
        [&] { return why() == "A small commit took 3s."; });
}

TEST_F(ThrottledRestoresTest, AStoreUnderPressureGetsNoFurtherRestoreUntilItIsWellWhileOthersGoOn) {
  Start();
  Hold("t6");
  const std::string running = CreateIn("wiki", "t6");
  engine_->AwaitBegun(1);
  wiki_suffers_ = true;
  while (!manager_->HoldingBack("wiki").has_value()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(*manager_->HoldingBack("wiki"), "A small commit took 3s.");
  const std::string waiting = CreateIn("wiki", "t1");
  AwaitState(Create("t1"), state::SUCCEEDED);
  AwaitState(Create("t2"), state::SUCCEEDED);
  EXPECT_EQ(StateOf(waiting), state::QUEUED);
  EXPECT_EQ(StateOf(running), state::RUNNING) << "what runs goes on";
  AwaitHeldBack("wiki commit_latency");
  site_.clock().Advance(absl::Seconds(40));
  AwaitHeldBack("wiki commit_latency", absl::Seconds(40));
  wiki_suffers_ = false;
  AwaitState(waiting, state::SUCCEEDED);
  EXPECT_FALSE(manager_->HoldingBack("wiki").has_value());
  EXPECT_FALSE(ended_.held_back().contains("main commit_latency"));
}

}  // namespace
}  // namespace reinstate
