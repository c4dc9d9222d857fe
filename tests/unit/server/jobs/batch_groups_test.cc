// Batches of groups: each line goes from store to store.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

using Strings = std::vector<std::string>;

class BatchGroupsTest : public BatchFixture {
 protected:
  // A restore of its own, of a page store's tenant, of which nobody knows how it ended.
  std::string LeaveInDoubt(const std::string& tenant) {
    Write(tenant, {.end = state::IN_DOUBT});
    state::RestoreOrder order;
    order.set_store("wiki");
    order.set_tenant(tenant);
    order.mutable_point()->set_requested("latest");
    order.set_mode(state::MIRROR);
    *order.mutable_actor() = Ada();
    const std::string id = restores_->CreateRestore(RequestKey(), order, false)->id();
    Await([&](auto on_change) { return restores_->WatchJob(id, std::move(on_change)); },
          [&] { return restores_->GetRestore(id)->state() == state::IN_DOUBT; });
    Write(tenant, {});
    return id;
  }
};

TEST_F(BatchGroupsTest, RestoresALineInEachStoreInTheirOrder) {
  Hold("t1");
  const std::string id = Create({"t1"}, GroupOrder());
  engine_->AwaitBegun(1);
  const std::vector<BatchLineView> lines = AllLines(id);
  ASSERT_EQ(lines.front().targets.size(), 2U);
  EXPECT_EQ(lines.front().targets[1].store, "wiki");
  EXPECT_EQ(lines.front().targets[1].tenant, "w-t1");
  EXPECT_EQ(lines.front().targets[1].restore, "");
  EXPECT_EQ(lines.front().targets[1].rows_at_point, 4);
  engine_->Release("t1");
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(engine_->begun(), Strings({"t1", "w-t1"}));
  EXPECT_EQ(Get(id).progress.rows(), 9);
}

TEST_F(BatchGroupsTest, ALineIsWrongIfItIsInOneOfTheStores) {
  site_.Put("only-main", "issues", "1", "payload");
  TakeSnapshots();
  EXPECT_THAT(TryCreate({"only-main"}, GroupOrder()), FailsWith(Reason::kBatchLinesInvalid));
}

TEST_F(BatchGroupsTest, AFailureInTheFirstStoreLeavesTheSecondAloneUntilTheRetry) {
  Write("t1", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2"}, GroupOrder());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t1 FAILED", "t2 SUCCEEDED", "w-t2 SUCCEEDED"}));
  EXPECT_EQ(AllLines(id).front().targets[1].restore, "");
  EXPECT_EQ(AllLines(id).front().targets[1].seen.failure.reason(), "STORE_BEFORE_FAILED");
  Write("t1", {});
  ASSERT_THAT(batches_->Retry(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 FAILED", "t1 SUCCEEDED", "t2 SUCCEEDED", "w-t1 SUCCEEDED",
                                 "w-t2 SUCCEEDED"}));
}

TEST_F(BatchGroupsTest, AFailureInTheSecondStoreIsRetriedThereOnly) {
  Write("w-t1", {.end = state::FAILED});
  const std::string id = Create({"t1"}, GroupOrder());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  Write("w-t1", {});
  ASSERT_THAT(batches_->Retry(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "w-t1 FAILED", "w-t1 SUCCEEDED"}));
}

TEST_F(BatchGroupsTest, ALineFailsThatCannotBeginInTheSecondStoreAndCanBeRetried) {
  Hold("t1");
  const std::string id = Create({"t1"}, GroupOrder());
  engine_->AwaitBegun(1);
  const std::string doubt = LeaveInDoubt("w-t1");
  engine_->Release("t1");
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kFailed), 1);
  EXPECT_EQ(AllLines(id).front().record.problem().reason(), "TENANT_IN_DOUBT");
  ASSERT_THAT(restores_->ResolveRestore(doubt, false, Ada(), "looked"), IsOk());
  ASSERT_THAT(batches_->Retry(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_FALSE(AllLines(id).front().record.has_problem());
}

TEST_F(BatchGroupsTest, ADoubtInTheFirstStoreThatIsResolvedLetsTheLineGoOn) {
  Write("t1", {.end = state::IN_DOUBT});
  const std::string id = Create({"t1"}, GroupOrder());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const std::string doubt = AllLines(id).front().targets.front().restore;
  ASSERT_THAT(restores_->ResolveRestore(doubt, true, Ada(), "looked"), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "w-t1 SUCCEEDED"}));
}

TEST_F(BatchGroupsTest, ADoubtThatIsResolvedWhileTheBatchIsUndoneGoesOnOnceThatHasEnded) {
  Write("t1", {.end = state::IN_DOUBT});
  const std::string id = Create({"t1", "t2"}, GroupOrder());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  Hold("w-t2");
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  const std::string doubt = AllLines(id).front().targets.front().restore;
  ASSERT_THAT(restores_->ResolveRestore(doubt, true, Ada(), "looked"), IsOk());
  AwaitState(Create({"t3"}), state::BATCH_SUCCEEDED);  // looked at after the one above
  EXPECT_EQ(StateOf(id), state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(AllLines(id).front().targets[1].restore, "");
  engine_->Release("w-t2");
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
  AwaitCount(id, BatchLineState::kSucceeded, 1);
  EXPECT_EQ(Count(Get(id), BatchLineState::kUndone), 1);
}

TEST_F(BatchGroupsTest, ACancelBetweenTwoStoresEndsAndARetryGoesOn) {
  Write("t1", {.hold = true, .intent_before_hold = true});
  const std::string id = Create({"t1"}, GroupOrder());
  engine_->AwaitBegun(1);
  ASSERT_THAT(batches_->Cancel(id, Ada(), ""), IsOk());
  engine_->Release("t1");
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED"}));
  EXPECT_EQ(Count(Get(id), BatchLineState::kCancelled), 1);
  // More lines do not bring back what was cancelled.
  ASSERT_THAT(batches_->Add(id, Lines({"t2"}), {}, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 SUCCEEDED", "w-t2 SUCCEEDED"}));
  ASSERT_THAT(batches_->Retry(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(),
            Strings({"t1 SUCCEEDED", "t2 SUCCEEDED", "w-t1 SUCCEEDED", "w-t2 SUCCEEDED"}));
}

// --- An undo of one store's restore ---

// A batch of t1 that is paused after its restore in the first store has succeeded, and was undone.
class UndoneBetweenStoresTest : public BatchGroupsTest {
 protected:
  void SetUp() override {
    BatchGroupsTest::SetUp();
    Write("t1", {.hold = true, .intent_before_hold = true});
    id_ = Create({"t1"}, GroupOrder());
    engine_->AwaitBegun(1);
    ASSERT_THAT(batches_->Pause(id_, Ada(), ""), IsOk());
    engine_->Release("t1");
    AwaitBatch(id_, [&](const BatchView&) { return FirstStore() == state::SUCCEEDED; });
    UndoRestore(AllLines(id_).front().targets.front().restore);
    AwaitBatch(id_, [&](const BatchView&) { return FirstStore() == state::UNDONE; });
  }

  state::JobState FirstStore() { return AllLines(id_).front().targets.front().seen.state; }

  std::string id_;
};

TEST_F(UndoneBetweenStoresTest, EndsTheBatchAlsoInAPauseAndNotAsASuccess) {
  AwaitState(id_, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Count(Get(id_), BatchLineState::kUndone), 1);
  EXPECT_EQ(Get(id_).record.state_message(),
            "1 of its customers was undone since; a new batch restores it again");
  EXPECT_EQ(AllLines(id_).front().targets[1].seen.failure.message(),
            "not begun, since the restore in store main was undone");
}

TEST_F(UndoneBetweenStoresTest, NeitherACancelNorARetryNorAnotherLineBringsItBack) {
  AwaitState(id_, state::BATCH_PARTLY_FAILED);
  ASSERT_THAT(batches_->Cancel(id_, Ada(), ""), IsOk());
  ASSERT_THAT(batches_->Retry(id_, Ada(), ""), IsOk());
  ASSERT_THAT(batches_->Add(id_, Lines({"t2"}), {}, Ada(), ""), IsOk());
  AwaitCount(id_, BatchLineState::kSucceeded, 1);
  AwaitState(id_, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t1 UNDONE", "t2 SUCCEEDED", "w-t2 SUCCEEDED"}));
}

TEST_F(BatchGroupsTest, ASiteThatWasUndoneInOneStoreIsNotRetriedInTheOtherAndNoSuccess) {
  Write("w-t1", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2"}, GroupOrder());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  UndoRestore(AllLines(id).front().targets.front().restore);
  Write("w-t1", {});
  AwaitCount(id, BatchLineState::kUndone, 1);
  ASSERT_THAT(batches_->Retry(id, Ada(), ""), IsOk());
  EXPECT_EQ(StateOf(id), state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t1 UNDONE", "t2 SUCCEEDED", "w-t1 FAILED",
                                 "w-t2 SUCCEEDED"}));
}

TEST_F(BatchGroupsTest, ASiteIsUndoneOnceItsRestoreInTheOtherStoreHasEnded) {
  Hold("w-t1");
  const std::string id = Create({"t1"}, GroupOrder());
  engine_->AwaitBegun(2);
  UndoRestore(AllLines(id).front().targets.front().restore);
  AwaitBatch(id, [&](const BatchView&) {
    return AllLines(id).front().targets.front().seen.state == state::UNDONE;
  });
  EXPECT_EQ(StateOf(id), state::BATCH_RUNNING);
  EXPECT_EQ(Count(Get(id), BatchLineState::kRunning), 1);
  engine_->Release("w-t1");
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kUndone), 1);
}

TEST_F(BatchGroupsTest, ABatchThatHasSucceededSaysSoNoLongerOnceALineIsUndone) {
  const std::string id = Create({"t1", "t2"}, GroupOrder());
  AwaitState(id, state::BATCH_SUCCEEDED);
  const int64_t finished_us = Get(id).record.finished_us();
  const std::string restore = AllLines(id).front().targets.front().restore;
  Begin();  // nobody has looked at it since
  UndoRestore(restore);
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Get(id).record.finished_us(), finished_us);
}

// --- Pause, priority, dry run ---

TEST_F(BatchGroupsTest, NothingOfTheSecondStoreBeginsInAPause) {
  Write("t1", {.hold = true, .intent_before_hold = true});
  const std::string id = Create({"t1"}, GroupOrder());
  engine_->AwaitBegun(1);
  ASSERT_THAT(batches_->Pause(id, Ada(), ""), IsOk());
  engine_->Release("t1");
  const std::string other = Create({"t2"}, GroupOrder());
  AwaitState(other, state::BATCH_SUCCEEDED);
  EXPECT_EQ(AllLines(id).front().targets[1].restore, "");
  ASSERT_THAT(batches_->Resume(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchGroupsTest, APriorityHoldsForStoresThatWereNotBegun) {
  Hold("t1");
  const std::string id = Create({"t1"}, GroupOrder());
  engine_->AwaitBegun(1);
  ASSERT_THAT(batches_->Prioritize(id, {"t1"}, 7, Ada(), ""), IsOk());
  engine_->Release("t1");
  AwaitState(id, state::BATCH_SUCCEEDED);
  const std::string second = AllLines(id).front().targets[1].restore;
  EXPECT_EQ(state_->GetRestore(second)->order().priority(), 7);
}

TEST_F(BatchGroupsTest, ADryRunPlansEveryStore) {
  state::BatchOrder order = GroupOrder();
  order.set_dry_run(true);
  const std::string id = Create({"t1", "t2"}, order);
  AwaitState(id, state::BATCH_PLANNED);
  for (const BatchLineView& line : AllLines(id)) {
    for (const BatchLineView::Target& target : line.targets) {
      EXPECT_EQ(state_->GetPlan(target.restore)->state(), state::PLAN_READY) << target.tenant;
    }
  }
  state::BatchOrder from_plan;
  from_plan.set_plan(id);
  const auto batch = batches_->CreateBatch(RequestKey(), from_plan, {}, false);
  ASSERT_THAT(batch, IsOk());
  AwaitState(batch->record.id(), state::BATCH_SUCCEEDED);
  const std::string second = AllLines(batch->record.id()).front().targets[1].restore;
  EXPECT_EQ(state_->GetRestore(second)->order().plan_digest(), "digest of w-t1");
}

TEST_F(BatchGroupsTest, AnUndoGoesThroughTheStoresInOppositeOrder) {
  const std::string id = Create({"t1"}, GroupOrder());
  AwaitState(id, state::BATCH_SUCCEEDED);
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(engine_->begun(), Strings({"t1", "w-t1", "w-t1", "t1"}));
  AwaitCount(id, BatchLineState::kUndone, 1);
}

}  // namespace
}  // namespace reinstate
