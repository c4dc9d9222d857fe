// Batches of groups: each line goes from store to store.

#include <gtest/gtest.h>

#include <map>
#include <span>
#include <string>
#include <utility>
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

TEST_F(BatchGroupsTest, AnIdOfTheGroupNeedBeThatOfNoTenantByItself) {
  options_.groups = {
      {.name = "site",
       .members = {{.store = "main", .tenant = "t{id}"}, {.store = "wiki", .tenant = "w-t{id}"}}}};
  Begin();
  hooks_.canonical_tenant = [](const TenantId& tenant) -> absl::StatusOr<TenantId> {
    return tenant.value().front() == 't'
               ? absl::StatusOr<TenantId>(tenant)
               : MakeError(Reason::kTenantIdInvalid, "no id of this store");
  };
  const std::string id = Create({"1", "2"}, GroupOrder());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(AllLines(id).front().record.tenant(), "t1") << "as its first store knows it";
  EXPECT_EQ(Restores(),
            Strings({"t1 SUCCEEDED", "t2 SUCCEEDED", "w-t1 SUCCEEDED", "w-t2 SUCCEEDED"}));
}

// --- Sites that lack a product ---

class SitesThatLackAProductTest : public BatchGroupsTest {
 protected:
  void SetUp() override {
    BatchGroupsTest::SetUp();
    site_.Put("only-main", "issues", "1", "payload");
    Put(&wiki_, "w-only-wiki", "1", "page");
    TakeSnapshots();
  }

  // Why the only line of the batch would be wrong; empty if it would not.
  std::string ProblemOf(const std::string& tenant, const state::BatchOrder& order = GroupOrder()) {
    const auto view = batches_->CreateBatch(RequestKey(), order, Lines({tenant}), true);
    EXPECT_THAT(view, IsOk());
    return view->invalid.empty() ? "" : view->invalid.front().record.problem().reason();
  }
  static Strings AbsentIn(const BatchLineView& line) {
    return {line.record.absent_in().begin(), line.record.absent_in().end()};
  }

  const std::map<std::string, int64_t> one_in_each_ = {{"main", 1}, {"wiki", 1}};
};

TEST_F(SitesThatLackAProductTest, AreRestoredWhereTheyHaveDataAndSayWhereNot) {
  const Strings tenants = {"only-main", "only-wiki", "t1"};
  const auto draft = batches_->CreateBatch(RequestKey(), GroupOrder(), Lines(tenants), true);
  ASSERT_THAT(draft, IsOk());
  EXPECT_EQ(draft->absences, one_in_each_);
  const std::string id = Create(tenants, GroupOrder());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"only-main SUCCEEDED", "t1 SUCCEEDED", "w-only-wiki SUCCEEDED",
                                 "w-t1 SUCCEEDED"}));
  const std::vector<BatchLineView> lines = AllLines(id);
  EXPECT_EQ(AbsentIn(lines[0]), Strings({"wiki"}));
  EXPECT_EQ(AbsentIn(lines[1]), Strings({"main"}));
  EXPECT_EQ(AbsentIn(lines[2]), Strings());
  EXPECT_EQ(lines[1].record.tenant(), "w-only-wiki") << "as the first store that has it knows it";
  ASSERT_EQ(lines[1].targets.size(), 1U);
  EXPECT_EQ(lines[1].targets.front().store, "wiki");
  EXPECT_EQ(Get(id).absences, one_in_each_);
  EXPECT_EQ(Get(id).record.state_message(),
            "not all customers have data in all stores at the point: 1 in store main, 1 in store "
            "wiki had none, and nothing was restored there for them");
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
  AwaitCount(id, BatchLineState::kUndone, 3);
}

TEST_F(SitesThatLackAProductTest, AreSeenInADryRunAndInWhatIsMadeOfIt) {
  state::BatchOrder order = GroupOrder();
  order.set_dry_run(true);
  const std::string plan = Create({"only-main", "only-wiki"}, order);
  AwaitState(plan, state::BATCH_PLANNED);
  EXPECT_EQ(Get(plan).absences, one_in_each_);
  EXPECT_EQ(Count(Get(plan), BatchLineState::kSucceeded), 2);
  state::BatchOrder from_plan;
  from_plan.set_plan(plan);
  const auto batch = batches_->CreateBatch(RequestKey(), from_plan, {}, false);
  ASSERT_THAT(batch, IsOk());
  AwaitState(batch->record.id(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(Get(batch->record.id()).absences, one_in_each_);
  EXPECT_EQ(Restores(), Strings({"only-main SUCCEEDED", "w-only-wiki SUCCEEDED"}));
}

TEST_F(SitesThatLackAProductTest, AreRefusedIfTheyHaveDataNowhere) {
  EXPECT_EQ(ProblemOf("nowhere"), "TENANT_NOT_AT_POINT");
  EXPECT_THAT(TryCreate({"nowhere"}, GroupOrder()), FailsWith(Reason::kBatchLinesInvalid));
}

TEST_F(SitesThatLackAProductTest, AreNotThoseWhoseDataIsGoneAtThePoint) {
  site_.DeleteTenant("t1");
  TakeSnapshots();
  EXPECT_EQ(ProblemOf("t1"), "POINT_SHRUNKEN");
  state::BatchOrder accepts = GroupOrder();
  accepts.set_accept_shrunken(true);
  EXPECT_EQ(ProblemOf("t1", accepts), "");
  EXPECT_EQ(ProblemOf("only-wiki"), "");
  // Of a single store it is as before.
  EXPECT_EQ(ProblemOf("t1", Order()), "TENANT_NOT_AT_POINT");
}

TEST_F(SitesThatLackAProductTest, AreNotThoseWhoseRowsMayBeAmongThoseOfNobody) {
  const RecordWrite draft{*TenantId::Parse("anybody"), "drafts", RowKey("1"), "draft"};
  ASSERT_THAT(wiki_.Write(std::span(&draft, 1), /*sync=*/false), IsOk());
  TakeSnapshots();
  EXPECT_EQ(ProblemOf("only-main"), "TABLE_UNRESOLVED");
  state::BatchOrder accepts = GroupOrder();
  accepts.set_accept_uncovered(true);
  EXPECT_EQ(ProblemOf("only-main", accepts), "");
  EXPECT_EQ(ProblemOf("only-wiki"), "");
}

TEST_F(SitesThatLackAProductTest, AreNotThoseOfWhomAMirrorWouldHaveToDeleteRows) {
  Put(&wiki_, "w-only-main", "1", "since the snapshot");
  state::BatchOrder order = GroupOrder();
  order.set_mode(state::OVERWRITE);
  EXPECT_EQ(ProblemOf("only-main", order), "");
  order.set_mode(state::MIRROR);
  EXPECT_EQ(ProblemOf("only-main", order), "TENANT_NOT_AT_POINT");
  EXPECT_EQ(ProblemOf("only-wiki", order), "");
}

TEST_F(SitesThatLackAProductTest, AreNotToldApartByAStoreThatCannotBeAsked) {
  hooks_.canonical_tenant = [](const TenantId&) -> absl::StatusOr<TenantId> {
    return MakeError(Reason::kUnavailable, "away");
  };
  EXPECT_THAT(TryCreate({"only-wiki"}, GroupOrder()), FailsWith(Reason::kUnavailable));
  // A text that only the store knows to be that of a tenant it has.
  bool answers = false;
  hooks_.canonical_tenant = [&](const TenantId&) -> absl::StatusOr<TenantId> {
    if (!std::exchange(answers, true)) {
      return MakeError(Reason::kUnavailable, "away");
    }
    return TenantId::Parse("t1");
  };
  EXPECT_THAT(TryCreate({"only-wiki"}, GroupOrder()), FailsWith(Reason::kUnavailable));
}

TEST_F(SitesThatLackAProductTest, AreInABatchOnlyOnce) {
  EXPECT_EQ(Create({"only-wiki", "only-main"}, GroupOrder()).empty(), false);
  const auto twice =
      batches_->CreateBatch(RequestKey(), GroupOrder(), Lines({"only-wiki", "only-wiki"}), true);
  ASSERT_THAT(twice, IsOk());
  ASSERT_EQ(twice->invalid.size(), 1U);
  EXPECT_EQ(twice->invalid.front().record.problem().reason(), "TENANT_TWICE");
  EXPECT_TRUE(twice->invalid.front().record.absent_in().empty());
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
