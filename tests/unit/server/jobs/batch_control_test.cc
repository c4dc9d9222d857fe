// A batch under the hands of people: each order in every state, and twice.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/mutex.h"
#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

using Strings = std::vector<std::string>;
using ::testing::HasSubstr;

class BatchControlTest : public BatchFixture {
 protected:
  // A batch of t1 to t4 of which t1 and another one, or more, are held by workers.
  std::string CreateHeld() {
    for (int i = 1; i <= 4; ++i) {
      Hold(absl::StrCat("t", i));
    }
    const std::string id = Create({"t1", "t2", "t3", "t4"});
    engine_->AwaitBegun(2);
    return id;
  }

  void ReleaseAll() {
    for (int i = 1; i <= kTenants; ++i) {
      engine_->Release(absl::StrCat("t", i));
    }
  }

  absl::StatusOr<BatchView> Pause(const std::string& id) {
    return batches_->Pause(id, Ada(), "because");
  }
  absl::StatusOr<BatchView> Resume(const std::string& id) {
    return batches_->Resume(id, Ada(), "because");
  }
  absl::StatusOr<BatchView> Cancel(const std::string& id) {
    return batches_->Cancel(id, Ada(), "because");
  }
  absl::StatusOr<BatchView> Retry(const std::string& id) {
    return batches_->Retry(id, Ada(), "because");
  }
  absl::StatusOr<BatchView> Add(const std::string& id, const Strings& tenants) {
    return batches_->Add(id, Lines(tenants), {}, Ada(), "because");
  }
  // Cancels the restore of one line by itself, for the reason of the batch's.
  absl::Status CancelLine(const std::string& id, size_t line) {
    return restores_->CancelRestore(AllLines(id)[line].targets.front().restore, Ada(), "because")
        .status();
  }
};

// --- Pause and resume ---

TEST_F(BatchControlTest, APauseFreesTheWorkersAndNothingBeginsUntilItIsResumed) {
  const std::string id = CreateHeld();
  const auto paused = Pause(id);
  ASSERT_THAT(paused, IsOk());
  EXPECT_EQ(paused->record.state(), state::BATCH_PAUSED);
  AwaitCount(id, BatchLineState::kQueued, 4);
  // The workers are free for others, which end while those of the batch stay where they are.
  ReleaseAll();
  const std::string other = Create({"t5", "t6"});
  AwaitState(other, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kQueued), 4);
  ASSERT_THAT(Resume(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 SUCCEEDED", "t3 SUCCEEDED", "t4 SUCCEEDED",
                                 "t5 SUCCEEDED", "t6 SUCCEEDED"}));
}

TEST_F(BatchControlTest, WhatCommitsEndsInAPauseAndMayEndTheBatch) {
  Write("t1", {.hold = true, .intent_before_hold = true});
  const std::string id = Create({"t1"});
  engine_->AwaitBegun(1);
  ASSERT_THAT(Pause(id), IsOk());
  engine_->Release("t1");
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchControlTest, PauseAndResumeMayBeRepeated) {
  const std::string id = CreateHeld();
  EXPECT_EQ(Resume(id)->record.state(), state::BATCH_RUNNING);
  EXPECT_EQ(Pause(id)->record.state(), state::BATCH_PAUSED);
  EXPECT_EQ(Pause(id)->record.state(), state::BATCH_PAUSED);
  ReleaseAll();
  EXPECT_THAT(Resume(id), IsOk());
  EXPECT_THAT(Resume(id).ok() ? absl::OkStatus() : Resume(id).status(),
              testing::AnyOf(IsOk(), FailsWith(Reason::kBatchEnded)));
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchControlTest, WhatHasEndedIsNeitherPausedNorResumedNorPrioritized) {
  const std::string id = Create({"t1"});
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_THAT(Pause(id), FailsWith(Reason::kBatchEnded));
  EXPECT_THAT(Resume(id), FailsWith(Reason::kBatchEnded));
  EXPECT_THAT(batches_->Prioritize(id, {"t1"}, 5, Ada(), ""), FailsWith(Reason::kBatchEnded));
  EXPECT_THAT(Pause(id).status().message(), testing::EndsWith(" has ended"));
  EXPECT_EQ(Cancel(id)->record.state(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(Retry(id)->record.state(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED"}));
}

TEST_F(BatchControlTest, OrdersForABatchThatThereIsNotSaySo) {
  EXPECT_THAT(Pause("bat-nope"), FailsWith(Reason::kBatchNotFound));
  EXPECT_THAT(Resume("bat-nope"), FailsWith(Reason::kBatchNotFound));
  EXPECT_THAT(Cancel("bat-nope"), FailsWith(Reason::kBatchNotFound));
  EXPECT_THAT(Retry("bat-nope"), FailsWith(Reason::kBatchNotFound));
  EXPECT_THAT(Add("bat-nope", {"t1"}), FailsWith(Reason::kBatchNotFound));
  EXPECT_THAT(batches_->Prioritize("bat-nope", {}, 5, Ada(), ""),
              FailsWith(Reason::kBatchNotFound));
  EXPECT_THAT(TryUndo("bat-nope"), FailsWith(Reason::kBatchNotFound));
}

// --- Cancel and retry ---

TEST_F(BatchControlTest, ACancelEndsWhatRunsAndWhatWaitsAndARetryDoesItAfterAll) {
  const std::string id = CreateHeld();
  ASSERT_THAT(Cancel(id), IsOk());
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kCancelled), 4);
  EXPECT_EQ(Cancel(id)->record.state(), state::BATCH_CANCELLED);
  ReleaseAll();
  ASSERT_THAT(Retry(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores().size(), 8U);
  EXPECT_EQ(AllLines(id).front().record.targets(0).earlier_size(), 1);
}

TEST_F(BatchControlTest, ACancelLetsACommitEnd) {
  Write("t1", {.hold = true, .intent_before_hold = true});
  Hold("t3");  // the largest begins second
  const std::string id = Create({"t1", "t2", "t3"});
  engine_->AwaitBegun(2);
  ASSERT_THAT(Cancel(id), IsOk());
  AwaitCount(id, BatchLineState::kCancelled, 2);
  EXPECT_EQ(StateOf(id), state::BATCH_CANCELLING);
  EXPECT_THAT(Pause(id), FailsWith(Reason::kBatchEnded));
  EXPECT_THAT(Pause(id).status().message(), testing::EndsWith(" is being cancelled"));
  EXPECT_THAT(Resume(id), FailsWith(Reason::kBatchEnded));
  engine_->Release("t1");
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_THAT(Resume(id).status().message(), testing::HasSubstr("`reinstate batch retry bat-"));
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 CANCELLED", "t3 CANCELLED"}));
}

TEST_F(BatchControlTest, ACancelledDryRunPlansNothingMore) {
  for (int i = 1; i <= 4; ++i) {
    Hold(absl::StrCat("t", i));
  }
  state::BatchOrder order = Order();
  order.set_dry_run(true);
  const std::string id = Create({"t1", "t2", "t3", "t4"}, order);
  engine_->AwaitPlanned(2);  // the others wait for a thread
  ASSERT_THAT(Cancel(id), IsOk());
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kCancelled), 4);
  ReleaseAll();
  Begin();
  EXPECT_EQ(StateOf(id), state::BATCH_CANCELLED);
  EXPECT_TRUE(state_->UnfinishedPlans()->empty());
  // What comes later is planned all the same.
  AwaitState(Create({"t5"}, order), state::BATCH_PLANNED);
  EXPECT_EQ(engine_->planned(), Strings({"t5"}));
}

TEST_F(BatchControlTest, ADryRunThatWasBeingCancelledIsNotPlannedAfterARestart) {
  Hold("t1");
  Hold("t2");
  Hold("t3");
  state::BatchOrder order = Order();
  order.set_dry_run(true);
  const std::string id = Create({"t1", "t2", "t3"}, order);
  engine_->AwaitPlanned(2);
  End();
  // As a process leaves it that is killed right after the order was stored.
  ASSERT_THAT(state_->UpdateBatch(
                  id,
                  [](state::BatchRecord* batch) {
                    batch->set_state(state::BATCH_CANCELLING);
                    return absl::OkStatus();
                  },
                  {}, std::nullopt),
              IsOk());
  Begin();
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kCancelled), 3);
  EXPECT_EQ(engine_->planned(), Strings());
}

TEST_F(BatchControlTest, APausedBatchCanBeCancelled) {
  const std::string id = CreateHeld();
  ASSERT_THAT(Pause(id), IsOk());
  ASSERT_THAT(Cancel(id), IsOk());
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kCancelled), 4);
}

TEST_F(BatchControlTest, ARetryTriesOnlyWhatFailed) {
  Write("t2", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  Write("t2", {});
  ASSERT_THAT(Retry(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_THAT(Retry(id), IsOk());
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 FAILED", "t2 SUCCEEDED", "t3 SUCCEEDED"}));
}

TEST_F(BatchControlTest, ARetryLeavesWhatSomebodyCancelledByItself) {
  Write("t2", {.end = state::FAILED});
  Hold("t3");
  const std::string id = Create({"t1", "t2", "t3"});
  ASSERT_THAT(CancelLine(id, 2), IsOk());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  Write("t2", {});
  Write("t3", {});
  ASSERT_THAT(Retry(id), IsOk());
  AwaitCount(id, BatchLineState::kSucceeded, 2);
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_THAT(Pause(id).status().message(), testing::EndsWith(" has ended"))
      << "no retry is offered";
  Begin();
  ASSERT_THAT(Retry(id), IsOk());
  EXPECT_EQ(StateOf(id), state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 FAILED", "t2 SUCCEEDED", "t3 CANCELLED"}));
  const state::Failure failure = AllLines(id)[2].targets.front().seen.failure;
  EXPECT_THAT(failure.message(), HasSubstr("a retry of the batch leaves it so"));
  EXPECT_FALSE(failure.retryable());
}

TEST_F(BatchControlTest, ARetryDoesWhatTheCancelOfTheBatchEndedAndNotWhatWasCancelledBefore) {
  const std::string id = CreateHeld();
  ASSERT_THAT(CancelLine(id, 1), IsOk());
  AwaitCount(id, BatchLineState::kCancelled, 1);
  ASSERT_THAT(Cancel(id), IsOk());
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_TRUE(AllLines(id)[0].targets.front().seen.failure.retryable());
  ReleaseAll();
  // It stays known also if the batch ends otherwise meanwhile, and after a restart.
  ASSERT_THAT(Add(id, {"t5"}), IsOk());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  Begin();
  ASSERT_THAT(Retry(id), IsOk());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  AwaitCount(id, BatchLineState::kSucceeded, 4);
  EXPECT_EQ(AllLines(id)[1].state, BatchLineState::kCancelled);
}

TEST_F(BatchControlTest, WhatWasCancelledByItselfCanBeRestoredByANewBatch) {
  Hold("t1");
  const std::string id = Create({"t1"});
  ASSERT_THAT(CancelLine(id, 0), IsOk());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_THAT(Add(id, {"t1"}), FailsWith(Reason::kBatchLinesInvalid));
  Write("t1", {});
  AwaitState(Create({"t1"}), state::BATCH_SUCCEEDED);
}

TEST_F(BatchControlTest, ARetryWhileItIsPausedWaitsForTheResume) {
  Write("t1", {.end = state::FAILED});
  Hold("t2");
  const std::string id = Create({"t1", "t2"});
  AwaitCount(id, BatchLineState::kFailed, 1);
  engine_->AwaitBegun(2);  // t2, which the pause has to roll back
  ASSERT_THAT(Pause(id), IsOk());
  Write("t1", {});
  ASSERT_THAT(Retry(id), IsOk());
  AwaitCount(id, BatchLineState::kQueued, 2);
  engine_->Release("t2");
  const std::string other = Create({"t5"});
  AwaitState(other, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kQueued), 2);
  ASSERT_THAT(Resume(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

// --- Lines ---

TEST_F(BatchControlTest, LinesCanBeAddedWhileItRunsAndAfterItHasEnded) {
  Hold("t1");
  const std::string id = Create({"t1"});
  engine_->AwaitBegun(1);
  ASSERT_THAT(Add(id, {"t2"}), IsOk());
  EXPECT_THAT(Add(id, {"t2"}), FailsWith(Reason::kBatchLinesInvalid));
  EXPECT_THAT(Add(id, {"t99"}), FailsWith(Reason::kBatchLinesInvalid));
  engine_->Release("t1");
  AwaitState(id, state::BATCH_SUCCEEDED);
  ASSERT_THAT(Add(id, {"t3"}), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Get(id).record.lines(), 3);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 SUCCEEDED", "t3 SUCCEEDED"}));
}

TEST_F(BatchControlTest, LinesThatAreOnlyCheckedAreNotAdded) {
  const std::string id = Create({"t1"});
  const auto draft = batches_->Add(id, Lines({"t2", "t1"}), {.validate_only = true}, Ada(), "");
  ASSERT_THAT(draft, IsOk());
  EXPECT_EQ(draft->invalid.size(), 1U);
  EXPECT_EQ(AllLines(id).size(), 1U);
}

TEST_F(BatchControlTest, AnAddedTenantTwiceIsSaidToBeInTheBatchOrInTheListThatIsAdded) {
  const std::string id = Create({"t1"});
  const auto draft =
      batches_->Add(id, Lines({"t2", "t1", "t2"}), {.validate_only = true}, Ada(), "");
  ASSERT_THAT(draft, IsOk());
  ASSERT_EQ(draft->invalid.size(), 2U);
  EXPECT_THAT(draft->invalid[0].record.problem().message(),
              HasSubstr("tenant t1 is on line 2 of the batch already"));
  EXPECT_THAT(draft->invalid[1].record.problem().message(),
              HasSubstr("tenant t2 is on line 2 already"));
}

TEST_F(BatchControlTest, ATenantCanBeMovedToTheFront) {
  Begin(/*workers=*/1);
  Hold("t1");
  const std::string id = Create({"t1", "t2", "t3", "t4", "t5", "t6"});
  engine_->AwaitBegun(1);
  ASSERT_THAT(batches_->Prioritize(id, {"t6"}, 10, Ada(), ""), IsOk());
  ASSERT_THAT(batches_->Prioritize(id, {"t6"}, 10, Ada(), ""), IsOk());
  EXPECT_THAT(batches_->Prioritize(id, {"t6", "t99"}, 10, Ada(), ""),
              FailsWith(Reason::kTenantNotFound));
  engine_->Release("t1");
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(engine_->begun(), Strings({"t1", "t6", "t2", "t3", "t4", "t5"}));
}

// --- Undo ---

TEST_F(BatchControlTest, AnUndoUndoesWhatHasSucceededOnce) {
  Write("t2", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(AllLines(undo->record.id()).size(), 2U);
  AwaitCount(id, BatchLineState::kUndone, 2);
  EXPECT_THAT(TryUndo(id), FailsWith(Reason::kNotUndoable));
  EXPECT_THAT(Add(undo->record.id(), {"t4"}), FailsWith(Reason::kInvalidArgument));
}

TEST_F(BatchControlTest, WhatStillRunsIsCancelledBeforeItIsUndone) {
  Write("t1", {.hold = true, .intent_before_hold = true});
  Hold("t3");
  const std::string id = Create({"t1", "t2", "t3"});
  engine_->AwaitBegun(2);
  const auto refused = TryUndo(id);
  EXPECT_THAT(refused, FailsWith(Reason::kNotUndoable));
  EXPECT_THAT(refused.status().message(), HasSubstr("`reinstate batch cancel bat-"));
  ASSERT_THAT(Pause(id), IsOk());
  EXPECT_THAT(TryUndo(id), FailsWith(Reason::kNotUndoable));
  ASSERT_THAT(Cancel(id), IsOk());
  EXPECT_THAT(TryUndo(id).status().message(), HasSubstr("is being cancelled"));
  engine_->Release("t1");
  AwaitState(id, state::BATCH_CANCELLED);
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t1 UNDONE", "t2 CANCELLED", "t3 CANCELLED"}));
}

TEST_F(BatchControlTest,
       AnUndoThatIsUnderWayIsTheAnswerToTheNextAndIsNotDisturbedByARetryNorByMoreLines) {
  Write("t2", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  Hold("t1");
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  const auto again = TryUndo(id);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->record.id(), undo->record.id());
  state::BatchOrder order;
  order.set_undo_of(id);
  EXPECT_EQ(batches_->CreateUndo(RequestKey(), order, /*validate_only=*/true)->record.id(),
            undo->record.id());
  EXPECT_THAT(Retry(id), FailsWith(Reason::kBatchEnded));
  const auto added = Add(id, {"t3"});
  EXPECT_THAT(added, FailsWith(Reason::kBatchEnded));
  EXPECT_THAT(std::string(added.status().message()),
              testing::HasSubstr("is being undone by " + undo->record.id() + "; add to it once"));
  EXPECT_THAT(batches_->Add(id, Lines({"t3"}), {.validate_only = true}, Ada(), ""),
              FailsWith(Reason::kBatchEnded));
  engine_->Release("t1");
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
  EXPECT_THAT(Retry(id), IsOk());
  Hold("t3");
  EXPECT_THAT(Add(id, {"t3"}), IsOk());
  AwaitCount(id, BatchLineState::kRunning, 1);
  EXPECT_THAT(TryUndo(id), FailsWith(Reason::kNotUndoable)) << "it runs again";
  engine_->Release("t3");
  AwaitCount(id, BatchLineState::kSucceeded, 1);
}

TEST_F(BatchControlTest, AnUndoOfOneCustomerThatIsUnderWayDoesNotRefuseThatOfTheOthers) {
  const std::string id = Create({"t1", "t2"});
  AwaitState(id, state::BATCH_SUCCEEDED);
  Hold("t1");
  state::RestoreOrder single;
  single.set_undo_of(AllLines(id).front().targets.front().restore);
  *single.mutable_actor() = Ada();
  ASSERT_THAT(restores_->CreateUndo(RequestKey(), single, false), IsOk());
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  // It does not claim what another one is still at.
  AwaitState(undo->record.id(), state::BATCH_PARTLY_FAILED);
  const std::vector<BatchLineView> lines = AllLines(undo->record.id());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].state, BatchLineState::kNotRestored);
  EXPECT_EQ(lines[0].record.problem().reason(), "NOT_UNDOABLE");
  EXPECT_THAT(lines[0].record.problem().message(), HasSubstr("is being undone by rst-"));
  EXPECT_EQ(lines[1].state, BatchLineState::kSucceeded);
  engine_->Release("t1");
  AwaitCount(id, BatchLineState::kUndone, 2);
}

// --- While a store does not answer ---

// Calls of main's identity, which each check of a line makes: one of them waits.
class SlowStoreTest : public BatchControlTest {
 protected:
  void TearDown() override {
    Open();
    End();
    hooks_.identity = nullptr;
  }

  // Lets so many calls pass; the one after them waits, and those after that one pass.
  void BlockAfter(int calls) {
    hooks_.identity = [this, calls] {
      MutexLock lock(&mu_);
      if (calls_++ == calls) {
        blocked_ = true;
        changed_.SignalAll();
        while (!open_) {
          changed_.Wait(&mu_);
        }
      }
      return absl::OkStatus();
    };
  }
  void AwaitBlocked() {
    MutexLock lock(&mu_);
    while (!blocked_) {
      changed_.Wait(&mu_);
    }
  }
  void Open() {
    MutexLock lock(&mu_);
    open_ = true;
    changed_.SignalAll();
  }

 private:
  Mutex mu_;
  CondVar changed_;
  int calls_ = 0;
  bool blocked_ = false;
  bool open_ = false;
};

TEST_F(SlowStoreTest, ADryRunThatAsksItIsCancelledAtOnce) {
  state::BatchOrder order = Order();
  order.set_dry_run(true);
  BlockAfter(3);  // two lines are checked and one is planned
  const std::string id = Create({"t1", "t2"}, order);
  AwaitBlocked();
  EXPECT_EQ(Cancel(id)->record.state(), state::BATCH_CANCELLING);
  Open();
  AwaitState(id, state::BATCH_CANCELLED);
  // What was planned by then stays planned.
  EXPECT_EQ(Count(Get(id), BatchLineState::kCancelled) + Count(Get(id), BatchLineState::kSucceeded),
            2);
  End();
  EXPECT_TRUE(state_->UnfinishedPlans()->empty());
}

TEST_F(SlowStoreTest, ABatchThatWouldGoOnToItIsPausedAtOnceAndGoesOnOnlyAfterTheResume) {
  const std::string id = Create({"t1"}, GroupOrder());
  AwaitState(id, state::BATCH_SUCCEEDED);
  BlockAfter(0);  // the undo begins in the other store
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  AwaitBlocked();
  EXPECT_EQ(Pause(undo->record.id())->record.state(), state::BATCH_PAUSED);
  Open();
  AwaitState(Create({"t2"}), state::BATCH_SUCCEEDED);
  EXPECT_EQ(AllLines(undo->record.id()).front().targets[1].restore, "");
  ASSERT_THAT(Resume(undo->record.id()), IsOk());
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
}

TEST_F(SlowStoreTest, ALineThatIsMovedMeanwhileGoesOnWithItsNewPriority) {
  const std::string id = Create({"t1"}, GroupOrder());
  AwaitState(id, state::BATCH_SUCCEEDED);
  BlockAfter(0);
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  AwaitBlocked();
  ASSERT_THAT(batches_->Prioritize(undo->record.id(), {}, 9, Ada(), ""), IsOk());
  Open();
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
  const std::string second = AllLines(undo->record.id()).front().targets[1].restore;
  EXPECT_EQ(state_->GetRestore(second)->order().priority(), 9);
}

TEST_F(SlowStoreTest, LinesThatAreCheckedKeepNobodyFromAPauseAndSeeWhatOthersHaveAdded) {
  Hold("t1");
  const std::string id = Create({"t1"});
  engine_->AwaitBegun(1);
  BlockAfter(0);
  absl::Status same;
  std::thread adds_same([&] { same = Add(id, {"t2"}).status(); });
  AwaitBlocked();
  EXPECT_EQ(Pause(id)->record.state(), state::BATCH_PAUSED);
  ASSERT_THAT(Add(id, {"t2"}), IsOk());
  Open();
  adds_same.join();
  EXPECT_THAT(same, FailsWith(Reason::kBatchLinesInvalid));
  engine_->Release("t1");
  ASSERT_THAT(Resume(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 SUCCEEDED"}));
}

// --- Whether the script still runs ---

class BatchCheckingTest : public BatchControlTest {
 protected:
  static constexpr absl::Duration kWatch = absl::Milliseconds(200);

  void SetUp() override {
    options_.shrink_watch = kWatch;
    BatchFixture::SetUp();
    hooks_.counted_rows = [this] {
      MutexLock lock(&mu_);
      counted_.push_back(site_.clock().Now());
      changed_.SignalAll();
      if (shrinks_) {
        site_.Delete("t6", "issues", absl::StrCat(counted_.size()));
      }
    };
  }
  void TearDown() override {
    End();
    hooks_.counted_rows = nullptr;
  }

  void AwaitCounted(size_t times) {
    MutexLock lock(&mu_);
    while (counted_.size() < times) {
      changed_.Wait(&mu_);
    }
  }

  Mutex mu_;
  CondVar changed_;
  bool shrinks_ = true;  // a row less after every look
  std::vector<absl::Time> counted_;
};

TEST_F(BatchCheckingTest, WaitsForConsentWhileATenantShrinks) {
  const std::string id = Create({"t1", "t6"});
  EXPECT_EQ(StateOf(id), state::BATCH_CHECKING);
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  // What is to be done is a sentence of its own, which clients may go on after.
  EXPECT_THAT(Get(id).record.state_message(),
              testing::AllOf(testing::HasSubstr("t6"),
                             testing::EndsWith(" Stop it, then resume the batch.")));
  EXPECT_TRUE(engine_->begun().empty());
  ASSERT_THAT(Resume(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchCheckingTest, BeginsByItselfIfNoTenantOfTheBatchShrinks) {
  const std::string id = Create({"t1", "t2"});
  PassTimeUntil(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchCheckingTest, BeginsAtOnceIfThatIsAccepted) {
  state::BatchOrder order = Order();
  order.set_accept_shrinking(true);
  const std::string id = Create({"t6"}, order);
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_TRUE(counted_.empty());
}

TEST_F(BatchCheckingTest, WatchesForTheWholeTimeWhateverElseHappens) {
  const std::string id = Create({"t1", "t2", "t6"});
  AwaitCounted(1);
  ASSERT_THAT(restores_->CancelRestore(AllLines(id)[1].targets.front().restore, Ada(), ""), IsOk());
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  ASSERT_EQ(counted_.size(), 2U);
  EXPECT_GE(counted_[1] - counted_[0], kWatch);
}

TEST_F(BatchCheckingTest, OneThatIsCancelledMeanwhileHoldsUpNobody) {
  const std::string id = Create({"t1", "t6"});
  AwaitCounted(1);
  ASSERT_THAT(CancelLine(id, 1), IsOk());
  PassTimeUntil(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(engine_->begun(), Strings({"t1"}));
}

TEST_F(BatchCheckingTest, EndsIfAllAreCancelledMeanwhile) {
  const std::string id = Create({"t6"});
  AwaitCounted(1);
  ASSERT_THAT(CancelLine(id, 0), IsOk());
  PassTimeUntil(id, state::BATCH_PARTLY_FAILED);
  EXPECT_TRUE(engine_->begun().empty());
}

TEST_F(BatchCheckingTest, EndsIfWhatWaitsForConsentIsCancelled) {
  const std::string id = Create({"t1", "t6"});
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  ASSERT_THAT(CancelLine(id, 0), IsOk());
  EXPECT_EQ(StateOf(id), state::BATCH_WAITING_FOR_CONSENT) << "t6 still waits";
  ASSERT_THAT(CancelLine(id, 1), IsOk());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_TRUE(engine_->begun().empty());
}

TEST_F(BatchCheckingTest, LooksAgainAfterAPauseBeforeAnythingBegins) {
  const std::string id = Create({"t1", "t6"});
  AwaitCounted(1);
  EXPECT_EQ(Pause(id)->record.state(), state::BATCH_PAUSED);
  EXPECT_EQ(Resume(id)->record.state(), state::BATCH_CHECKING);
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  EXPECT_EQ(Pause(id)->record.state(), state::BATCH_PAUSED);
  EXPECT_EQ(Resume(id)->record.state(), state::BATCH_CHECKING);
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  EXPECT_TRUE(engine_->begun().empty());
}

TEST_F(BatchCheckingTest, DoesNotAskAgainWhatWasConsentedTo) {
  Hold("t1");
  Hold("t6");
  const std::string id = Create({"t1", "t6"});
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  ASSERT_THAT(Resume(id), IsOk());
  ASSERT_THAT(Pause(id), IsOk());
  EXPECT_EQ(Resume(id)->record.state(), state::BATCH_RUNNING);
  engine_->Release("t1");
  engine_->Release("t6");
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchCheckingTest, CanBeCancelledMeanwhile) {
  const std::string id = Create({"t6"});
  ASSERT_THAT(Cancel(id), IsOk());
  AwaitState(id, state::BATCH_CANCELLED);
}

TEST_F(BatchCheckingTest, GoesOnAfterARestartInEitherState) {
  const std::string id = Create({"t1", "t6"});
  AwaitCounted(1);
  Begin();
  EXPECT_EQ(StateOf(id), state::BATCH_CHECKING);
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  Begin();
  EXPECT_EQ(StateOf(id), state::BATCH_WAITING_FOR_CONSENT);
  EXPECT_TRUE(engine_->begun().empty());
  ASSERT_THAT(Resume(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

// --- The same of lines that are added ---

class AddedCheckingTest : public BatchCheckingTest {
 protected:
  // A batch of t1, which runs: none of its tenants shrinks.
  std::string CreateRunning() {
    Hold("t1");
    const std::string id = Create({"t1"});
    PassTimeUntil(id, state::BATCH_RUNNING);
    engine_->AwaitBegun(1);
    return id;
  }
  void Add(const std::string& id, const Strings& tenants) {
    ASSERT_THAT(batches_->Add(id, Lines(tenants), {}, Ada(), ""), IsOk());
  }
  // While the clock goes by.
  void PassTimeUntilBegun(size_t runs) {
    while (engine_->begun().size() < runs) {
      site_.clock().Advance(absl::Milliseconds(1));
      std::this_thread::yield();
    }
  }
};

TEST_F(AddedCheckingTest, WaitForConsentIfTheirTenantsShrinkWhileWhatRunsGoesOn) {
  const std::string id = CreateRunning();
  Add(id, {"t2", "t6"});
  EXPECT_EQ(StateOf(id), state::BATCH_RUNNING);
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  EXPECT_THAT(Get(id).record.state_message(), testing::HasSubstr("t6"));
  EXPECT_EQ(engine_->begun(), Strings({"t1"}));
  engine_->Release("t1");
  AwaitCount(id, BatchLineState::kSucceeded, 1);
  EXPECT_EQ(engine_->begun(), Strings({"t1"})) << "what ran was neither rolled back nor followed";
  ASSERT_THAT(Resume(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(AddedCheckingTest, BeginOnceTheyWereLookedAtForTheWholeTime) {
  shrinks_ = false;
  const std::string id = CreateRunning();
  const absl::Time added = site_.clock().Now();
  Add(id, {"t2"});
  EXPECT_TRUE(AllLines(id)[1].waits_for_look);
  EXPECT_FALSE(AllLines(id)[0].waits_for_look);
  PassTimeUntilBegun(2);
  EXPECT_FALSE(AllLines(id)[1].waits_for_look);
  EXPECT_EQ(engine_->begun(), Strings({"t1", "t2"}));
  EXPECT_GE(site_.clock().Now() - added, kWatch);
  engine_->Release("t1");
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(AddedCheckingTest, BeginAtOnceIfThatIsAccepted) {
  state::BatchOrder order = Order();
  order.set_accept_shrinking(true);
  const std::string id = Create({"t1"}, order);
  Add(id, {"t6"});
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_TRUE(counted_.empty());
}

TEST_F(AddedCheckingTest, AreLookedAtAlsoIfTheyComeWhileTheOthersAre) {
  const std::string id = Create({"t1"});
  AwaitCounted(1);
  Add(id, {"t6"});
  EXPECT_EQ(StateOf(id), state::BATCH_CHECKING);
  site_.clock().Advance(kWatch);  // enough for t1, at which was looked before
  engine_->AwaitBegun(1);
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  EXPECT_EQ(engine_->begun(), Strings({"t1"}));
}

TEST_F(AddedCheckingTest, AreLookedAtAlsoIfTheBatchHadEndedAndAfterARestart) {
  const std::string id = Create({"t1"});
  PassTimeUntil(id, state::BATCH_SUCCEEDED);
  Add(id, {"t6"});
  Begin();
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  EXPECT_TRUE(engine_->begun().empty());
  ASSERT_THAT(Resume(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(AddedCheckingTest, AreLookedAtAlsoIfTheyAreCancelledAndRetried) {
  const std::string id = CreateRunning();
  Add(id, {"t6"});
  ASSERT_THAT(Cancel(id), IsOk());
  AwaitState(id, state::BATCH_CANCELLED);
  ASSERT_THAT(Retry(id), IsOk());
  engine_->AwaitBegun(2);
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  EXPECT_EQ(engine_->begun(), Strings({"t1", "t1"}));
}

TEST_F(AddedCheckingTest, EndWithTheBatchIfTheyAreCancelledWhileTheyWaitForConsent) {
  const std::string id = CreateRunning();
  Add(id, {"t6"});
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  engine_->Release("t1");
  AwaitCount(id, BatchLineState::kSucceeded, 1);
  ASSERT_THAT(CancelLine(id, 1), IsOk());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
}

TEST_F(AddedCheckingTest, AreLookedAtAlsoIfAllThatWasLookedAtIsCancelled) {
  const std::string id = Create({"t1"});
  AwaitCounted(1);
  Add(id, {"t6"});
  ASSERT_THAT(CancelLine(id, 0), IsOk());
  PassTimeUntil(id, state::BATCH_WAITING_FOR_CONSENT);
  EXPECT_TRUE(engine_->begun().empty());
}

TEST_F(AddedCheckingTest, OneThatShrinksAndIsCancelledMeanwhileHoldsUpNobody) {
  const std::string id = CreateRunning();
  const size_t counted = counted_.size();
  Add(id, {"t3", "t6"});
  AwaitCounted(counted + 1);
  ASSERT_THAT(CancelLine(id, 2), IsOk());
  PassTimeUntilBegun(2);
  EXPECT_EQ(engine_->begun(), Strings({"t1", "t3"}));
  ASSERT_THAT(Retry(id), IsOk());
  EXPECT_EQ(AllLines(id)[2].state, BatchLineState::kCancelled);
  engine_->Release("t1");
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(engine_->begun(), Strings({"t1", "t3"}));
}

TEST_F(AddedCheckingTest, OneThatIsCancelledMeanwhileIsNotTakenForShrunken) {
  shrinks_ = false;
  const std::string id = CreateRunning();
  const size_t counted = counted_.size();
  Add(id, {"t2", "t3"});
  AwaitCounted(counted + 1);
  const std::string restore = AllLines(id)[1].targets.front().restore;
  ASSERT_THAT(restores_->CancelRestore(restore, Ada(), ""), IsOk());
  PassTimeUntilBegun(2);
  EXPECT_EQ(engine_->begun(), Strings({"t1", "t3"}));
}

}  // namespace
}  // namespace reinstate
