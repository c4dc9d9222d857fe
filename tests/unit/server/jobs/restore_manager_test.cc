#include "server/jobs/restore_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/server/jobs/jobs_fixture.h"
#include "tests/unit/server/jobs/scripted_engine.h"

namespace reinstate {
namespace {

constexpr int kTenants = 6;

class RestoreManagerTest : public JobsFixture {
 protected:
  void SetUp() override {
    for (int i = 1; i <= kTenants; ++i) {
      const std::string tenant = absl::StrCat("t", i);
      site_.Put(tenant, "tenant", "name", absl::StrCat("Tenant ", i));
      for (int row = 0; row < 4 * i; ++row) {
        site_.Put(tenant, "issues", absl::StrCat(row), "payload");
      }
    }
    snapshot_ = site_.TakeSnapshot().id.ToString();
    Begin(/*workers=*/2);
  }

  void TearDown() override { manager_.reset(); }

  // Begins a process, without starting its manager.
  void Begin(int workers) {
    manager_.reset();
    if (engine_ != nullptr) {
      OpenState();
    }
    engine_ = std::make_unique<ScriptedEngine>(state_.get());
    RestoreManagerOptions options;
    options.workers = workers;
    options.clock = &site_.clock();
    options.observer = &ended_;
    manager_ = *RestoreManager::Create(options, registry_.get(), &site_.history(), state_.get(),
                                       engine_.get());
  }

  void Start() { ASSERT_THAT(manager_->Start(), IsOk()); }

  state::RestoreOrder Order(const std::string& tenant, const std::string& at = "latest") {
    state::RestoreOrder order;
    order.set_store("main");
    order.set_tenant(tenant);
    order.mutable_point()->set_requested(at);
    order.set_mode(state::CREATE_MISSING);
    *order.mutable_actor() = Ada();
    return order;
  }

  absl::StatusOr<state::RestoreRecord> TryCreate(const state::RestoreOrder& order) {
    return manager_->CreateRestore(RequestKey(), order, false);
  }

  std::string Create(const std::string& tenant) {
    const auto record = TryCreate(Order(tenant));
    EXPECT_THAT(record, IsOk());
    return record->id();
  }

  void AwaitState(const std::string& id, state::JobState state) {
    Await([&](auto on_change) { return manager_->WatchJob(id, std::move(on_change)); },
          [&] { return manager_->GetRestore(id)->state() == state; });
  }

  // The end of a restore is stored before what follows from it.
  void AwaitNothingHeldBack() {
    while (manager_->HoldingBack("main").has_value()) {
      std::this_thread::yield();
    }
  }

  void Hold(const std::string& tenant) { engine_->Write(tenant, {.hold = true}); }

  std::vector<std::string> Pins() {
    return site_.history().GetSnapshot(*SnapshotId::Parse(snapshot_))->pinned_by;
  }

  std::string snapshot_;
  EndedJobs ended_;
  std::unique_ptr<ScriptedEngine> engine_;
  std::unique_ptr<RestoreManager> manager_;
};

// --- What is told ---

TEST_F(RestoreManagerTest, TellsOfEachRestoreOnceWhatBecameOfIt) {
  engine_->Write("t1", {.end = state::FAILED});
  engine_->Write("t2", {.unrecorded = 1});
  engine_->Write("t3", {.end = state::IN_DOUBT});
  Hold("t4");
  const std::string cancelled_in_queue = Create("t5");
  ASSERT_THAT(manager_->CancelRestore(cancelled_in_queue, Ada(), "why"), IsOk());
  Start();
  AwaitState(Create("t1"), state::FAILED);
  const std::string again = Create("t2");
  while (manager_->GetRestore(again)->state() != state::SUCCEEDED) {
    site_.clock().Advance(absl::Seconds(1));
    std::this_thread::yield();
  }
  const std::string in_doubt = Create("t3");
  AwaitState(in_doubt, state::IN_DOUBT);
  ASSERT_THAT(manager_->ResolveRestore(in_doubt, true, Ada(), "looked"), IsOk());
  const std::string cancelled_running = Create("t4");
  engine_->AwaitBegun(5);
  ASSERT_THAT(manager_->CancelRestore(cancelled_running, Ada(), "why"), IsOk());
  AwaitState(cancelled_running, state::CANCELLED);
  manager_->Shutdown();
  EXPECT_THAT(ended_.all(),
              testing::UnorderedElementsAre("t5 CANCELLED", "t1 FAILED", "t2 SUCCEEDED",
                                            "t3 IN_DOUBT", "t3 SUCCEEDED", "t4 CANCELLED"));
}

TEST_F(RestoreManagerTest, CountsWhatHasNotEnded) {
  Start();
  for (const char* tenant : {"t1", "t2", "t3"}) {
    Hold(tenant);
    Create(tenant);
  }
  engine_->AwaitBegun(2);
  EXPECT_EQ(manager_->Loads().at("main").running, 2);
  EXPECT_EQ(manager_->Loads().at("main").queued, 1);
  EXPECT_EQ(manager_->Loads().at("main").in_doubt, 0);
  for (const char* tenant : {"t1", "t2", "t3"}) {
    engine_->Release(tenant);
  }
  engine_->AwaitBegun(3);
  manager_->Shutdown();
  EXPECT_TRUE(manager_->Loads().empty());
}

// --- Orders ---

TEST_F(RestoreManagerTest, StoresWhatTheOrderResolvedTo) {
  const auto record = TryCreate(Order("t2"));
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->state(), state::QUEUED);
  EXPECT_EQ(record->order().point().snapshot(), snapshot_);
  EXPECT_EQ(record->label(), "Tenant 2");
  EXPECT_EQ(record->size_rows(), 9);
  EXPECT_EQ(record->progress().total_rows(), 9);
  EXPECT_TRUE(record->id().starts_with("rst-"));
  EXPECT_EQ(Pins(), std::vector<std::string>({record->id()}));
  EXPECT_EQ(state_->ListAudit(0, 100)->back().action(), "restore.created");
}

TEST_F(RestoreManagerTest, StoresNothingWhenItOnlyValidates) {
  const auto record = manager_->CreateRestore({"r1", "CreateRestore", "d"}, Order("t1"), true);
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->id(), "");
  EXPECT_EQ(record->order().point().snapshot(), snapshot_);
  EXPECT_EQ(manager_->ListRestores({}, "", 10)->size(), 0U);
  EXPECT_TRUE(Pins().empty());
}

TEST_F(RestoreManagerTest, RefusesWhatIsNotThere) {
  state::RestoreOrder order = Order("t1");
  order.set_store("nope");
  EXPECT_THAT(TryCreate(order), FailsWith(Reason::kStoreNotFound));
  EXPECT_THAT(TryCreate(Order("t99")), FailsWith(Reason::kTenantNotAtPoint));
  EXPECT_THAT(TryCreate(Order("")), FailsWith(Reason::kTenantIdInvalid));
  EXPECT_THAT(TryCreate(Order(std::string(70'000, 'x'))), FailsWith(Reason::kTenantIdInvalid));
  EXPECT_THAT(TryCreate(Order("t1", "snap-1-99")), FailsWith(Reason::kSnapshotNotFound));
  EXPECT_THAT(TryCreate(Order("t1", "whenever")), FailsWith(Reason::kPointInvalid));
  EXPECT_THAT(TryCreate(Order("t1", "2999-01-01T00:00:00Z")), FailsWith(Reason::kPointInFuture));
  EXPECT_THAT(TryCreate(Order("t1", "1999-01-01T00:00:00Z")),
              FailsWith(Reason::kPointBeforeFirstSnapshot));
  order = Order("t1");
  order.add_tables("nope");
  EXPECT_THAT(TryCreate(order), FailsWith(Reason::kTableNotFound));
  order = Order("t1");
  order.set_plan("plan-nope");
  EXPECT_THAT(TryCreate(order), FailsWith(Reason::kPlanNotFound));
  EXPECT_EQ(manager_->ListRestores({}, "", 10)->size(), 0U);
  EXPECT_TRUE(Pins().empty());
}

TEST_F(RestoreManagerTest, TakesTablesOfTheLiveStoreOnlyBesideSomeOfThePoint) {
  site_.Put("t1", "made later", "1", "payload");
  state::RestoreOrder order = Order("t1");
  order.add_tables("made later");
  EXPECT_THAT(TryCreate(order), FailsWith(Reason::kTableNotFound));
  order.add_tables("issues");
  EXPECT_THAT(TryCreate(order), IsOk());
  order.add_tables("nope");
  EXPECT_THAT(TryCreate(order), FailsWith(Reason::kTableNotFound));
}

TEST_F(RestoreManagerTest, RefusesAPointAtWhichTheTenantHasShrunkenUntilThatIsAccepted) {
  for (int row = 0; row < 20; ++row) {
    site_.Delete("t5", "issues", absl::StrCat(row));
  }
  site_.TakeSnapshot();
  EXPECT_THAT(TryCreate(Order("t5")), FailsWith(Reason::kPointShrunken));
  EXPECT_THAT(TryCreate(Order("t5", snapshot_)), IsOk());
  state::RestoreOrder order = Order("t5");
  EXPECT_THAT(manager_->CreatePlan(RequestKey(), order), IsOk());  // the plan shows it
  order.set_accept_shrunken(true);
  EXPECT_THAT(TryCreate(order), IsOk());
}

TEST_F(RestoreManagerTest, MakesOneRestoreOfTheSameRequest) {
  const RequestKey request{"r1", "CreateRestore", "digest"};
  const auto first = manager_->CreateRestore(request, Order("t1"), false);
  const auto second = manager_->CreateRestore(request, Order("t1"), false);
  EXPECT_EQ(first->id(), second->id());
  EXPECT_EQ(Pins().size(), 1U);
  EXPECT_THAT(manager_->CreateRestore({"r1", "CreateRestore", "other"}, Order("t1"), false),
              FailsWith(Reason::kRequestIdReused));
}

TEST_F(RestoreManagerTest, MakesOneRestoreOfTheSameRequestFromManyThreads) {
  std::vector<std::string> ids(16);
  std::vector<std::thread> threads;
  for (std::string& id : ids) {
    threads.emplace_back([this, &id] {
      id = manager_->CreateRestore({"r1", "CreateRestore", "digest"}, Order("t1"), false)->id();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(std::count(ids.begin(), ids.end(), ids.front()), 16);
  EXPECT_EQ(Pins(), std::vector<std::string>({ids.front()}));
}

// --- Running ---

TEST_F(RestoreManagerTest, RunsAQueuedRestoreToItsEndAndUnpinsTheSnapshot) {
  Start();
  const std::string id = Create("t1");
  AwaitState(id, state::SUCCEEDED);
  manager_->Shutdown();
  EXPECT_TRUE(Pins().empty());
}

TEST_F(RestoreManagerTest, RunsTheShortestFirst) {
  Begin(/*workers=*/1);
  std::string last;
  for (const char* tenant : {"t3", "t1", "t2"}) {
    const std::string id = Create(tenant);
    last = tenant == std::string("t3") ? id : last;
  }
  Start();
  AwaitState(last, state::SUCCEEDED);
  EXPECT_EQ(engine_->begun(), (std::vector<std::string>{"t1", "t2", "t3"}));
}

TEST_F(RestoreManagerTest, RunsNoMoreAtOnceThanItHasWorkersAndOneATenant) {
  Begin(/*workers=*/3);
  Hold("t1");
  Hold("t2");
  const std::string first = Create("t1");
  const std::string second = Create("t1");
  const std::string other = Create("t2");
  Start();
  engine_->AwaitBegun(2);
  EXPECT_EQ(manager_->GetRestore(second)->state(), state::QUEUED);
  engine_->Release("t1");
  AwaitState(second, state::SUCCEEDED);
  engine_->Release("t2");
  AwaitState(other, state::SUCCEEDED);
  EXPECT_EQ(manager_->GetRestore(first)->state(), state::SUCCEEDED);
  EXPECT_LE(engine_->most_at_once(), 2);
}

TEST_F(RestoreManagerTest, ShowsTheProgressAndEtaOfARunningRestore) {
  Hold("t1");
  Start();
  const std::string id = Create("t1");
  engine_->AwaitBegun(1);
  site_.clock().Advance(absl::Seconds(10));
  const auto record = manager_->GetRestore(id);
  EXPECT_EQ(record->state(), state::RUNNING);
  EXPECT_EQ(record->phase(), state::APPLYING);
  EXPECT_EQ(record->progress().bytes(), 10);
  const RestoreManager::Eta eta = manager_->EstimateEnd(*record);
  ASSERT_TRUE(eta.known);
  EXPECT_LT(eta.low, absl::Seconds(10));
  EXPECT_GT(eta.high, absl::Seconds(10));
  EXPECT_EQ(manager_->ListRestores({}, "", 10)->at(0).progress().bytes(), 10);
}

TEST_F(RestoreManagerTest, OneTenantsFailureDoesNotTouchTheOthers) {
  engine_->Write("t1", {.end = state::FAILED});
  Start();
  const std::string failed = Create("t1");
  const std::string other = Create("t2");
  AwaitState(failed, state::FAILED);
  AwaitState(other, state::SUCCEEDED);
}

TEST_F(RestoreManagerTest, TriesAgainWhatCouldNotBeRecorded) {
  engine_->Write("t1", {.unrecorded = 1});
  Start();
  const std::string id = Create("t1");
  // The time of the second try is set once the first has failed, whenever that is.
  while (engine_->begun().size() < 2) {
    site_.clock().Advance(absl::Minutes(2));
    std::this_thread::yield();
  }
  AwaitState(id, state::SUCCEEDED);
}

TEST_F(RestoreManagerTest, AStoreThatIsNotAvailableIsWaitedForAndItIsSaidThatItIs) {
  engine_->Write("t1", {.unrecorded = 3, .unrecorded_for = Reason::kUnavailable});
  Start();
  const std::string id = Create("t1");
  while (!manager_->HoldingBack("main").has_value()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(*manager_->HoldingBack("main"),
            "1 of what was begun is soon tried again, since the store was not available: scripted");
  while (manager_->GetRestore(id)->state() != state::SUCCEEDED) {
    site_.clock().Advance(absl::Minutes(2));
    std::this_thread::yield();
  }
  EXPECT_EQ(engine_->begun().size(), 4);
  AwaitNothingHeldBack();
  manager_->Shutdown();
  EXPECT_EQ(ended_.all(), std::vector<std::string>{"t1 SUCCEEDED"});
}

TEST_F(RestoreManagerTest, ARestoreFailsOnceItsStoreHasTakenNoneOfManyRuns) {
  engine_->Write("t1", {.unrecorded = 1000, .unrecorded_for = Reason::kUnavailable});
  Start();
  const std::string id = Create("t1");
  while (manager_->GetRestore(id)->state() != state::FAILED) {
    site_.clock().Advance(absl::Minutes(2));
    std::this_thread::yield();
  }
  EXPECT_EQ(engine_->begun().size(), 10);
  EXPECT_EQ(manager_->GetRestore(id)->failure().reason(), "UNAVAILABLE");
  EXPECT_TRUE(manager_->GetRestore(id)->failure().retryable());
  AwaitNothingHeldBack();
  manager_->Shutdown();
  EXPECT_TRUE(Pins().empty());
}

TEST_F(RestoreManagerTest, CancelsARestoreThatWaitsForItsStoreAtOnce) {
  engine_->Write("t1", {.unrecorded = 1000, .unrecorded_for = Reason::kUnavailable});
  Start();
  const std::string id = Create("t1");
  while (!manager_->HoldingBack("main").has_value() ||
         manager_->GetRestore(id)->state() != state::QUEUED) {
    std::this_thread::yield();
  }
  ASSERT_THAT(manager_->CancelRestore(id, Ada(), "why"), IsOk());
  AwaitState(id, state::CANCELLED);
  AwaitNothingHeldBack();
}

TEST_F(RestoreManagerTest, RefusesToRunOnAStoreThatIsAnotherOneByThen) {
  const std::string id = Create("t1");
  state::StoreRecord record = *registry_->Record("main");
  record.set_identity("another");
  ASSERT_THAT(state_->PutStore(record, AuditDraft()), IsOk());
  EXPECT_THAT(TryCreate(Order("t2")), FailsWith(Reason::kStoreIdentityChanged));
  Start();
  AwaitState(id, state::FAILED);
  EXPECT_EQ(manager_->GetRestore(id)->failure().reason(), "STORE_IDENTITY_CHANGED");
  EXPECT_TRUE(engine_->begun().empty());
}

// --- Cancel ---

TEST_F(RestoreManagerTest, CancelsAQueuedRestoreAtOnce) {
  const std::string id = Create("t1");
  const auto record = manager_->CancelRestore(id, Ada(), "why");
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->state(), state::CANCELLED);
  EXPECT_EQ(manager_->CancelRestore(id, Person("eve"), "me too")->state(), state::CANCELLED);
  EXPECT_EQ(Audited("restore.cancelled").actor().name(), "ada");
  EXPECT_THAT(Audited("restore.cancelled").details(), testing::HasSubstr(R"("reason":"why")"));
  EXPECT_TRUE(Pins().empty());
  Start();
  const std::string other = Create("t2");
  AwaitState(other, state::SUCCEEDED);
  EXPECT_EQ(engine_->begun(), std::vector<std::string>({"t2"}));
}

TEST_F(RestoreManagerTest, CancelsARunningRestoreSoon) {
  Hold("t1");
  Start();
  const std::string id = Create("t1");
  engine_->AwaitBegun(1);
  ASSERT_THAT(manager_->CancelRestore(id, Ada(), "why"), IsOk());
  AwaitState(id, state::CANCELLED);
}

TEST_F(RestoreManagerTest, DoesNotCancelWhatIsBeingCommittedOrHasEnded) {
  engine_->Write("t1", {.hold = true, .intent_before_hold = true});
  Start();
  const std::string id = Create("t1");
  engine_->AwaitBegun(1);
  EXPECT_THAT(manager_->CancelRestore(id, Ada(), "why"), FailsWith(Reason::kNotCancellable));
  engine_->Release("t1");
  AwaitState(id, state::SUCCEEDED);
  EXPECT_THAT(manager_->CancelRestore(id, Ada(), "why"), FailsWith(Reason::kNotCancellable));
  EXPECT_THAT(manager_->CancelRestore("rst-nope", Ada(), "why"),
              FailsWith(Reason::kRestoreNotFound));
}

// --- Stop and start ---

TEST_F(RestoreManagerTest, GoesOnAfterARestartWithWhatWasQueuedOrRan) {
  Begin(/*workers=*/1);
  Hold("t1");
  Start();
  const std::string ran = Create("t1");
  engine_->AwaitBegun(1);
  const std::string queued = Create("t2");
  manager_->Shutdown();
  EXPECT_EQ(state_->GetRestore(ran)->state(), state::QUEUED);
  EXPECT_EQ(Pins().size(), 2U);
  Begin(/*workers=*/1);
  Start();
  AwaitState(ran, state::SUCCEEDED);
  AwaitState(queued, state::SUCCEEDED);
}

TEST_F(RestoreManagerTest, RefusesToStartRatherThanForgetARestoreInAStateThatItDoesNotKnow) {
  const std::string id = Create("t1");
  ASSERT_THAT(state_->UpdateRestore(id,
                                    [](state::RestoreRecord* record) {
                                      record->set_state(state::PENDING_APPROVAL);
                                      return absl::OkStatus();
                                    }),
              IsOk());
  Begin(/*workers=*/1);
  EXPECT_THAT(manager_->Start(), FailsWith(Reason::kInternal));
}

TEST_F(RestoreManagerTest, DoesNotBeginAgainWhatWasCancelledBeforeTheRestart) {
  const std::string id = Create("t1");
  ASSERT_THAT(state_->UpdateRestore(id,
                                    [](state::RestoreRecord* record) {
                                      record->set_cancel_requested(true);
                                      record->mutable_cancelled_by()->set_name("eve");
                                      record->set_cancel_reason("the wrong one");
                                      return absl::OkStatus();
                                    }),
              IsOk());
  Begin(/*workers=*/1);
  Start();
  EXPECT_EQ(manager_->GetRestore(id)->state(), state::CANCELLED);
  EXPECT_EQ(Audited("restore.cancelled").actor().name(), "eve");
  EXPECT_THAT(Audited("restore.cancelled").details(),
              testing::HasSubstr(R"("reason":"the wrong one")"));
}

TEST_F(RestoreManagerTest, SettlesARecordedIntentAfterARestartEvenIfCancelWasAskedFor) {
  const std::string id = Create("t1");
  ASSERT_THAT(state_->RecordIntent(id, state::Intent()), IsOk());
  ASSERT_THAT(state_->UpdateRestore(id,
                                    [](state::RestoreRecord* record) {
                                      record->set_cancel_requested(true);
                                      return absl::OkStatus();
                                    }),
              IsOk());
  EXPECT_THAT(manager_->CancelRestore(id, Ada(), "why"), FailsWith(Reason::kNotCancellable));
  Begin(/*workers=*/1);
  Start();
  AwaitState(id, state::SUCCEEDED);
}

TEST_F(RestoreManagerTest, LiftsPinsOfRestoresThatWereNeverStored) {
  ASSERT_THAT(site_.history().Pin(*SnapshotId::Parse(snapshot_), "rst-lost"), IsOk());
  const std::string id = Create("t1");
  engine_->Write("t1", {.hold = true});
  Start();
  EXPECT_EQ(Pins(), std::vector<std::string>({id}));
}

// --- In doubt ---

TEST_F(RestoreManagerTest, BlocksATenantInDoubtUntilSomebodySettlesIt) {
  engine_->Write("t1", {.end = state::IN_DOUBT});
  Begin(/*workers=*/1);
  engine_->Write("t1", {.hold = true, .end = state::IN_DOUBT});
  Start();
  const std::string doubtful = Create("t1");
  engine_->AwaitBegun(1);
  const std::string next = Create("t1");
  engine_->Release("t1");
  AwaitState(doubtful, state::IN_DOUBT);
  const std::string other = Create("t2");
  AwaitState(other, state::SUCCEEDED);
  EXPECT_EQ(manager_->GetRestore(next)->state(), state::QUEUED);
  EXPECT_THAT(TryCreate(Order("t1")), FailsWith(Reason::kTenantInDoubt));
  EXPECT_THAT(manager_->CancelRestore(doubtful, Ada(), "why"), FailsWith(Reason::kNotCancellable));

  Begin(/*workers=*/1);  // also after a restart
  Start();
  AwaitState(Create("t3"), state::SUCCEEDED);
  EXPECT_EQ(manager_->GetRestore(next)->state(), state::QUEUED);
  ASSERT_THAT(manager_->ResolveRestore(doubtful, true, Ada(), "looked at it"), IsOk());
  AwaitState(next, state::SUCCEEDED);
  EXPECT_EQ(manager_->GetRestore(doubtful)->resolved_by(), "ada");
}

TEST_F(RestoreManagerTest, AnswersTheSameWordOnARestoreInDoubtAsTheFirstTime) {
  engine_->Write("t1", {.end = state::IN_DOUBT});
  engine_->Write("t2", {.end = state::IN_DOUBT});
  Start();
  for (const bool committed : {true, false}) {
    const std::string id = Create(committed ? "t1" : "t2");
    AwaitState(id, state::IN_DOUBT);
    const auto first = manager_->ResolveRestore(id, committed, Ada(), "looked at it");
    ASSERT_THAT(first, IsOk());
    const auto second = manager_->ResolveRestore(id, committed, Ada(), "looked at it");
    ASSERT_THAT(second, IsOk());
    EXPECT_EQ(second->state(), first->state());
    EXPECT_EQ(second->resolved_by(), "ada");
    EXPECT_THAT(manager_->ResolveRestore(id, !committed, Ada(), "looked at it"),
                FailsWith(Reason::kNotInDoubt));
    EXPECT_THAT(manager_->ResolveRestore(id, committed, Person("eve"), "looked at it"),
                FailsWith(Reason::kNotInDoubt));
    EXPECT_THAT(manager_->ResolveRestore(id, committed, Ada(), "on second thoughts"),
                FailsWith(Reason::kNotInDoubt));
  }
  manager_->Shutdown();
  EXPECT_THAT(ended_.all(), testing::UnorderedElementsAre("t1 IN_DOUBT", "t1 SUCCEEDED",
                                                          "t2 IN_DOUBT", "t2 FAILED"));
}

TEST_F(RestoreManagerTest, LeavesNoTenantBlockedThatIsSettledAsSoonAsItIsInDoubt) {
  // It is told after it was recorded, before anything else is made of it.
  ended_.on_restore = [this](const state::RestoreRecord& restore) {
    if (restore.state() == state::IN_DOUBT) {
      EXPECT_THAT(manager_->ResolveRestore(restore.id(), true, Ada(), "looked at it"), IsOk());
    }
  };
  Begin(/*workers=*/1);
  engine_->Write("t1", {.hold = true, .end = state::IN_DOUBT});
  Start();
  const std::string doubtful = Create("t1");
  engine_->AwaitBegun(1);
  const std::string next = Create("t1");
  engine_->Release("t1");
  AwaitState(doubtful, state::SUCCEEDED);
  AwaitState(next, state::SUCCEEDED);
  manager_->Shutdown();
  EXPECT_TRUE(manager_->Loads().empty());
}

// --- Undo ---

TEST_F(RestoreManagerTest, UndoesARestoreOnce) {
  Start();
  const std::string id = Create("t1");
  AwaitState(id, state::SUCCEEDED);
  state::RestoreOrder order;
  order.set_undo_of(id);
  const auto checked = manager_->CreateUndo(RequestKey(), order, true);
  ASSERT_THAT(checked, IsOk());
  EXPECT_EQ(checked->order().tenant(), "t1");
  const auto undo = manager_->CreateUndo(RequestKey(), order, false);
  ASSERT_THAT(undo, IsOk());
  AwaitState(undo->id(), state::SUCCEEDED);
  EXPECT_EQ(manager_->GetRestore(id)->state(), state::UNDONE);
  EXPECT_THAT(manager_->CreateUndo(RequestKey(), order, false), FailsWith(Reason::kNotUndoable));
  order.set_undo_of(undo->id());
  EXPECT_THAT(manager_->CreateUndo(RequestKey(), order, false), FailsWith(Reason::kNotUndoable));
  order.set_undo_of("rst-nope");
  EXPECT_THAT(manager_->CreateUndo(RequestKey(), order, false),
              FailsWith(Reason::kRestoreNotFound));
}

TEST_F(RestoreManagerTest, RefusesAnUndoThatHasExpiredOrWhoseRestoreDidNotSucceed) {
  engine_->Write("t2", {.end = state::FAILED});
  Start();
  const std::string expired = Create("t1");
  const std::string failed = Create("t2");
  AwaitState(expired, state::SUCCEEDED);
  AwaitState(failed, state::FAILED);
  site_.clock().Advance(absl::Hours(25));
  state::RestoreOrder order;
  for (const std::string& id : {expired, failed}) {
    order.set_undo_of(id);
    EXPECT_THAT(manager_->CreateUndo(RequestKey(), order, false), FailsWith(Reason::kNotUndoable));
  }
  EXPECT_THAT(std::string(manager_->CreateUndo(RequestKey(), order, false).status().message()),
              testing::HasSubstr(" is failed; "));
}

// --- Plans ---

class RestorePlansTest : public RestoreManagerTest {
 protected:
  void AwaitPlan(const std::string& id) {
    Await([&](auto on_change) { return manager_->WatchJob(id, std::move(on_change)); },
          [&] { return manager_->GetPlan(id)->state() == state::PLAN_READY; });
  }
};

TEST_F(RestorePlansTest, PlansWhileAllWorkersRestoreGiants) {
  Begin(/*workers=*/1);
  Hold("t6");
  Start();
  Create("t6");
  engine_->AwaitBegun(1);
  const auto plan = manager_->CreatePlan(RequestKey(), Order("t1"));
  ASSERT_THAT(plan, IsOk());
  AwaitPlan(plan->id());
  EXPECT_EQ(manager_->GetPlan(plan->id())->summary().rows_to_change(), 3);
}

TEST_F(RestorePlansTest, RestoresByAPlanOfTheSameOrderOnly) {
  Start();
  const auto plan = manager_->CreatePlan(RequestKey(), Order("t1"));
  AwaitPlan(plan->id());
  state::RestoreOrder order = Order("t1", snapshot_);
  order.set_plan(plan->id());
  const auto record = TryCreate(order);
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->order().plan_digest(), "digest of t1");
  state::RestoreOrder other = order;
  other.set_mode(state::MIRROR);
  EXPECT_THAT(TryCreate(other), FailsWith(Reason::kPlanChanged));
  other = order;
  other.set_tenant("t2");
  EXPECT_THAT(TryCreate(other), FailsWith(Reason::kPlanChanged));
  other = order;
  other.set_plan_digest("another");
  EXPECT_THAT(TryCreate(other), FailsWith(Reason::kPlanChanged));
}

TEST_F(RestorePlansTest, PlansAgainAfterARestart) {
  const auto plan = manager_->CreatePlan(RequestKey(), Order("t1"));
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->state(), state::PLAN_QUEUED);
  Begin(/*workers=*/1);
  Start();
  AwaitPlan(plan->id());
}

}  // namespace
}  // namespace reinstate
