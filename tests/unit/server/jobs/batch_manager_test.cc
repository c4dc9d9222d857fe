// What a batch is made of, and what becomes of it when nobody meddles.

#include "server/jobs/batch_manager.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/script.h"
#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

using Strings = std::vector<std::string>;

class BatchManagerTest : public BatchFixture {
 protected:
  void ExpectNothingStored() {
    EXPECT_TRUE(Restores().empty());
    EXPECT_TRUE(batches_->List("", 10)->empty());
    const auto snapshots = site_.history().ListSnapshots(site_.lineage());
    ASSERT_THAT(snapshots, IsOk());
    for (const SnapshotInfo& snapshot : *snapshots) {
      EXPECT_TRUE(snapshot.pinned_by.empty()) << snapshot.id.ToString();
    }
  }

  static state::BatchOrder DryRun() {
    state::BatchOrder order = Order();
    order.set_dry_run(true);
    return order;
  }

  absl::StatusOr<BatchView> CreateFromPlan(const std::string& plan, const std::string& digest,
                                           bool skip_invalid = false) {
    state::BatchOrder order;
    order.set_skip_invalid(skip_invalid);
    order.set_plan(plan);
    order.set_plan_digest(digest);
    *order.mutable_actor() = Ada();
    return batches_->CreateBatch(RequestKey(), order, {}, false);
  }
};

// --- Checks ---

TEST_F(BatchManagerTest, StartsNothingIfALineIsWrongAndListsEachWithItsNumberAndReason) {
  std::vector<BatchLineOrder> lines = Lines({"t1", "t99", "t2", "t1", ""});
  lines.push_back({.line = 9, .input = "Acme", .tenant = "", .note = "", .problem = {}});
  lines.back().problem.emplace().set_reason("AMBIGUOUS");
  EXPECT_THAT(batches_->CreateBatch(RequestKey(), Order(), lines, false),
              FailsWith(Reason::kBatchLinesInvalid));
  const auto draft = batches_->CreateBatch(RequestKey(), Order(), lines, true);
  ASSERT_THAT(draft, IsOk());
  EXPECT_EQ(draft->record.id(), "");
  Strings invalid;
  for (const BatchLineView& line : draft->invalid) {
    invalid.push_back(absl::StrCat(line.record.line(), " ", line.record.problem().reason()));
  }
  EXPECT_EQ(invalid, Strings({"3 TENANT_NOT_AT_POINT", "5 TENANT_TWICE", "6 TENANT_ID_INVALID",
                              "9 AMBIGUOUS"}));
  EXPECT_EQ(Count(*draft, BatchLineState::kQueued), 2);
  ExpectNothingStored();
}

TEST_F(BatchManagerTest, KeepsSkippedLinesAsNotRestoredAndEndsPartlyFailed) {
  state::BatchOrder order = Order();
  order.set_skip_invalid(true);
  const std::string id = Create({"t1", "t99", "t2", "t2"}, order);
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const BatchView view = Get(id);
  EXPECT_EQ(Count(view, BatchLineState::kNotRestored), 2);
  EXPECT_EQ(Count(view, BatchLineState::kSucceeded), 2);
  EXPECT_EQ(view.record.lines(), 4);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 SUCCEEDED"}));
}

TEST_F(BatchManagerTest, RefusesABatchOfWhichNoLineIsLeft) {
  state::BatchOrder order = Order();
  order.set_skip_invalid(true);
  EXPECT_THAT(TryCreate({"t99", "t98"}, order), FailsWith(Reason::kBatchLinesInvalid));
  ExpectNothingStored();
}

TEST_F(BatchManagerTest, RefusesTooManyLinesAndNone) {
  EXPECT_THAT(TryCreate(Strings(10'001, "t1")), FailsWith(Reason::kTooLarge));
  EXPECT_THAT(TryCreate({}), FailsWith(Reason::kInvalidArgument));
  ExpectNothingStored();
}

TEST_F(BatchManagerTest, RefusesStoresGroupsAndPointsThatThereAreNot) {
  state::BatchOrder order = Order();
  order.set_store("nope");
  EXPECT_THAT(TryCreate({"t1"}, order), FailsWith(Reason::kStoreNotFound));
  order.set_group("nope");
  EXPECT_THAT(TryCreate({"t1"}, order), FailsWith(Reason::kGroupNotFound));
  order = Order();
  order.set_at("whenever");
  EXPECT_THAT(TryCreate({"t1"}, order), FailsWith(Reason::kPointInvalid));
  order.set_at("1999-01-01T00:00:00Z");
  EXPECT_THAT(TryCreate({"t1"}, order), FailsWith(Reason::kPointBeforeFirstSnapshot));
  EXPECT_THAT(batches_->Get("bat-nope"), FailsWith(Reason::kBatchNotFound));
  ExpectNothingStored();
}

TEST_F(BatchManagerTest, MakesOneBatchOfOneRequestFromManyThreads) {
  Strings ids(32);
  std::vector<std::thread> threads;
  for (std::string& id : ids) {
    threads.emplace_back([this, &id] {
      id = batches_->CreateBatch({"r1", "CreateBatch", "d"}, Order(), Lines({"t1", "t2"}), false)
               ->record.id();
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(std::count(ids.begin(), ids.end(), ids.front()), 32);
  AwaitState(ids.front(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(batches_->List("", 10)->size(), 1U);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 SUCCEEDED"}));
  EXPECT_THAT(batches_->CreateBatch({"r1", "CreateBatch", "other"}, Order(), Lines({"t3"}), false),
              FailsWith(Reason::kRequestIdReused));
}

// --- Ends ---

TEST_F(BatchManagerTest, EndsPartlyFailedIfATenantFailsAndRestoresTheOthers) {
  Write("t2", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const BatchView view = Get(id);
  EXPECT_EQ(Count(view, BatchLineState::kSucceeded), 2);
  ASSERT_EQ(view.failures.size(), 1U);
  EXPECT_EQ(view.failures.front().record.tenant(), "t2");
  EXPECT_NE(view.record.finished_us(), 0);
}

TEST_F(BatchManagerTest, ChangesItsEndOnceADoubtIsResolved) {
  Write("t2", {.end = state::IN_DOUBT});
  const std::string id = Create({"t1", "t2"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kInDoubt), 1);
  EXPECT_NE(Get(id).record.state_message(), "");
  const std::string doubt = AllLines(id)[1].targets.front().restore;
  ASSERT_THAT(restores_->ResolveRestore(doubt, true, Ada(), "looked"), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Get(id).record.state_message(), "");
}

TEST_F(BatchManagerTest, ChangesItsEndOnceADoubtIsResolvedAfterARestart) {
  Write("t2", {.end = state::IN_DOUBT});
  const std::string id = Create({"t1", "t2"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const std::string doubt = AllLines(id)[1].targets.front().restore;
  Begin();
  ASSERT_THAT(restores_->ResolveRestore(doubt, true, Ada(), "looked"), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchManagerTest, EndsEveryOtherOf500WhileAGiantRunsAndAFifthIsCancelled) {
  Strings tenants = {"giant"};
  for (int row = 0; row < 100; ++row) {
    site_.Put("giant", "issues", absl::StrCat(row), std::string(1000, 'x'));
  }
  for (int i = 1; i < 500; ++i) {
    tenants.push_back(absl::StrCat("small-", i));
    site_.Put(tenants.back(), "issues", "1", std::string(static_cast<size_t>(i % 17), 'x'));
  }
  TakeSnapshots();
  Begin(/*workers=*/4);
  Hold("giant");
  Hold(tenants[5]);  // one of those that are cancelled, which has not ended by then
  const std::string id = Create(tenants);
  int64_t cancelled = 0;
  const std::vector<BatchLineView> lines = AllLines(id);
  for (size_t i = 5; i < lines.size(); i += 5) {
    // One that has ended meanwhile cannot be cancelled any more.
    cancelled += restores_->CancelRestore(lines[i].targets.front().restore, Ada(), "").ok() ? 1 : 0;
  }
  AwaitBatch(id, [&](const BatchView& view) {
    return Count(view, BatchLineState::kSucceeded) + Count(view, BatchLineState::kCancelled) == 499;
  });
  EXPECT_EQ(StateOf(id), state::BATCH_RUNNING);
  EXPECT_GT(cancelled, 0);
  engine_->Release("giant");
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const Strings begun = engine_->begun();
  EXPECT_EQ(std::count(begun.begin(), begun.end(), "giant"), 1);
}

// --- Dry runs ---

TEST_F(BatchManagerTest, PlansInADryRunAndRestoresNothing) {
  const std::string id = Create({"t1", "t2", "t3"}, DryRun());
  AwaitState(id, state::BATCH_PLANNED);
  EXPECT_EQ(Get(id).record.digest().size(), 32U);
  EXPECT_EQ(Count(Get(id), BatchLineState::kSucceeded), 3);
  EXPECT_TRUE(Restores().empty());
  const std::string same = Create({"t1", "t2", "t3"}, DryRun());
  const std::string other = Create({"t1", "t2"}, DryRun());
  AwaitState(same, state::BATCH_PLANNED);
  AwaitState(other, state::BATCH_PLANNED);
  EXPECT_EQ(Get(same).record.digest(), Get(id).record.digest());
  EXPECT_NE(Get(other).record.digest(), Get(id).record.digest());
}

TEST_F(BatchManagerTest, PlansEveryLineOfALongList) {
  Strings tenants;
  for (int i = 0; i < 150; ++i) {
    tenants.push_back(absl::StrCat("one of many ", i));
    site_.Put(tenants.back(), "issues", "1", "payload");
  }
  TakeSnapshots();
  const std::string id = Create(tenants, DryRun());
  AwaitState(id, state::BATCH_PLANNED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kSucceeded), 150);
}

TEST_F(BatchManagerTest, DoesWhatADryRunHasPlanned) {
  const std::string plan = Create({"t1", "t2"}, DryRun());
  AwaitState(plan, state::BATCH_PLANNED);
  const auto batch = CreateFromPlan(plan, Get(plan).record.digest());
  ASSERT_THAT(batch, IsOk());
  AwaitState(batch->record.id(), state::BATCH_SUCCEEDED);
  const std::string restore = AllLines(batch->record.id()).front().targets.front().restore;
  EXPECT_EQ(state_->GetRestore(restore)->order().plan_digest(), "digest of t1");
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 SUCCEEDED"}));
}

TEST_F(BatchManagerTest, LeavesOutWhatCouldNotBePlannedOnlyIfToldSo) {
  Write("t1", {.end = state::FAILED});
  const std::string plan = Create({"t1", "t2"}, DryRun());
  AwaitState(plan, state::BATCH_PLANNED);
  EXPECT_THAT(CreateFromPlan(plan, ""), FailsWith(Reason::kBatchLinesInvalid));
  EXPECT_TRUE(Restores().empty());
  const auto batch = CreateFromPlan(plan, "", /*skip_invalid=*/true);
  ASSERT_THAT(batch, IsOk());
  EXPECT_EQ(Count(*batch, BatchLineState::kNotRestored), 1);
  AwaitState(batch->record.id(), state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t2 SUCCEEDED"}));
}

TEST_F(BatchManagerTest, RefusesADryRunThatIsNotPlannedOrHasAnotherDigest) {
  Hold("t2");
  const std::string plan = Create({"t1", "t2"}, DryRun());
  EXPECT_THAT(CreateFromPlan(plan, ""), FailsWith(Reason::kPlanChanged));
  engine_->Release("t2");
  AwaitState(plan, state::BATCH_PLANNED);
  EXPECT_THAT(CreateFromPlan(plan, std::string(32, 'x')), FailsWith(Reason::kPlanChanged));
  EXPECT_THAT(CreateFromPlan("bat-nope", ""), FailsWith(Reason::kBatchNotFound));
  EXPECT_THAT(CreateFromPlan(Create({"t1"}), ""), FailsWith(Reason::kPlanChanged));
}

TEST_F(BatchManagerTest, LeavesADryRunAloneThatIsPausedRetriedOrChanged) {
  const std::string id = Create({"t1"}, DryRun());
  AwaitState(id, state::BATCH_PLANNED);
  EXPECT_THAT(batches_->Retry(id, Ada(), ""), FailsWith(Reason::kInvalidArgument));
  EXPECT_THAT(batches_->Add(id, Lines({"t2"}), {}, Ada(), ""), FailsWith(Reason::kInvalidArgument));
  EXPECT_THAT(batches_->Prioritize(id, {}, 5, Ada(), ""), FailsWith(Reason::kInvalidArgument));
  EXPECT_THAT(batches_->Pause(id, Ada(), ""), FailsWith(Reason::kBatchEnded));
  EXPECT_THAT(TryUndo(id), FailsWith(Reason::kNotUndoable));
  EXPECT_EQ(StateOf(id), state::BATCH_PLANNED);
}

TEST_F(BatchManagerTest, ExpectsTheEndNoSoonerThanTheThrottleLetsTheLastRestoreBegin) {
  Begin(/*workers=*/1);
  state::Throttle throttle;
  throttle.set_rows_per_second(1);
  ASSERT_THAT(restores_->SetThrottle("main", throttle, Ada(), ""), IsOk());
  Hold("t2");
  const std::string id = Create({"t1", "t2", "t3", "t4"});
  engine_->AwaitBegun(2);  // t1 has ended, t2 and t3 are to be paid for before t4 begins
  int64_t rows_of_t3 = 0;
  for (const BatchLineView& line : AllLines(id)) {
    rows_of_t3 += line.record.tenant() == "t3" ? line.record.targets(0).rows() : 0;
  }
  const absl::Duration next = restores_->HeldUntil("main", {}) - site_.clock().Now();
  ASSERT_GT(next, absl::Seconds(5));
  const absl::Duration last =
      restores_->HeldUntil("main", {.rows = rows_of_t3, .bytes = 0}) - site_.clock().Now();
  ASSERT_EQ(last, next + absl::Seconds(rows_of_t3));
  const BatchView held = Get(id);
  ASSERT_TRUE(held.eta.known);
  EXPECT_EQ(held.eta.low, last);
  EXPECT_GE(held.eta.high, last);
  ASSERT_THAT(restores_->SetThrottle("main", {}, Ada(), ""), IsOk());
  EXPECT_LT(Get(id).eta.low, last);
  engine_->Release("t2");
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchManagerTest, ShowsTheHookThatALineIsAtAfterItsRestore) {
  const std::string fail = folder_.path() + "/fail";
  const std::string script =
      absl::StrCat("until rm ", fail, " 2> /dev/null; do sleep 0.01; done; exit 1");
  restore_hooks_.push_back({.name = "notify-billing",
                            .command = {WriteScript(folder_.path() + "/hook", script)},
                            .timeout = absl::Minutes(10),
                            .retries = 2});
  Begin();
  const std::string id = Create({"t1"});
  for (int64_t attempt = 1; attempt <= 3; ++attempt) {
    AwaitBatch(id, [&](const BatchView& view) {
      if (view.running.empty()) {
        return false;
      }
      const auto& hook = view.running.front().targets.front().seen.hook;
      return hook.has_value() && hook->attempt == attempt;
    });
    EXPECT_EQ(Count(Get(id), BatchLineState::kRunning), 1);
    std::ofstream(fail) << "";  // has this attempt end
  }
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_TRUE(Get(id).running.empty());
  EXPECT_FALSE(AllLines(id).front().targets.front().seen.hook.has_value());
}

TEST_F(BatchManagerTest, EndsACancelledDryRun) {
  Hold("t1");
  const std::string id = Create({"t1", "t2"}, DryRun());
  EXPECT_THAT(batches_->Pause(id, Ada(), ""), FailsWith(Reason::kInvalidArgument));
  ASSERT_THAT(batches_->Cancel(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_CANCELLED);
  engine_->Release("t1");
}

}  // namespace
}  // namespace reinstate
