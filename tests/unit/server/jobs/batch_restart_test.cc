// A batch goes on after a restart in whatever state it was, and does nothing twice.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

using Strings = std::vector<std::string>;

class BatchRestartTest : public BatchFixture {
 protected:
  // A batch of t1 to t3, of which t1 has succeeded and the others are held.
  std::string CreateHalfDone(const state::BatchOrder& order = Order()) {
    Hold("t2");
    Hold("t3");
    const std::string id = Create({"t1", "t2", "t3"}, order);
    AwaitCount(id, BatchLineState::kSucceeded, 1);
    return id;
  }

  const Strings all_three_ = {"t1 SUCCEEDED", "t2 SUCCEEDED", "t3 SUCCEEDED"};
};

TEST_F(BatchRestartTest, WhatRanGoesOn) {
  const std::string id = CreateHalfDone();
  Begin();
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), all_three_);
}

TEST_F(BatchRestartTest, WhatWasPausedWaitsForTheResume) {
  const std::string id = CreateHalfDone();
  ASSERT_THAT(batches_->Pause(id, Ada(), ""), IsOk());
  Begin();
  const std::string other = Create({"t5"});
  AwaitState(other, state::BATCH_SUCCEEDED);
  EXPECT_EQ(StateOf(id), state::BATCH_PAUSED);
  EXPECT_EQ(engine_->begun(), Strings({"t5"}));
  ASSERT_THAT(batches_->Resume(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchRestartTest, WhatWasBeingCancelledEndsCancelled) {
  Write("t1", {.hold = true, .intent_before_hold = true});
  Hold("t3");  // the largest begins second
  const std::string id = Create({"t1", "t2", "t3"});
  engine_->AwaitBegun(2);
  ASSERT_THAT(batches_->Cancel(id, Ada(), ""), IsOk());
  AwaitCount(id, BatchLineState::kCancelled, 2);
  engine_->Release("t1");
  Begin();
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 CANCELLED", "t3 CANCELLED"}));
}

TEST_F(BatchRestartTest, WhatHasEndedStaysAsItIs) {
  Write("t2", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const BatchView before = Get(id);
  Begin();
  const BatchView after = Get(id);
  EXPECT_EQ(after.record.SerializeAsString(), before.record.SerializeAsString());
  EXPECT_EQ(after.counts, before.counts);
  EXPECT_TRUE(engine_->begun().empty());
}

TEST_F(BatchRestartTest, WhoLooksAtItWhileItIsReadForSomebodyElseSeesAllOfIt) {
  const std::string id = Create({"t1", "t2", "t3", "t4", "t5", "t6"}, GroupOrder());
  AwaitState(id, state::BATCH_SUCCEEDED);
  constexpr int kRounds = 20;
  constexpr int kLookers = 12;
  constexpr absl::Duration kApart = absl::Microseconds(20);  // it is read in some hundreds of them
  for (int round = 0; round < kRounds; ++round) {
    Begin();  // nobody has looked at it since
    std::latch together(kLookers);
    std::vector<int64_t> succeeded(kLookers);
    std::vector<std::thread> lookers;
    for (int i = 0; i < kLookers; ++i) {
      lookers.emplace_back([&, i] {
        together.arrive_and_wait();
        for (const absl::Time from = absl::Now() + i * kApart; absl::Now() < from;) {
        }
        succeeded[static_cast<size_t>(i)] =
            Get(id).counts[static_cast<size_t>(BatchLineState::kSucceeded)];
      });
    }
    for (std::thread& looker : lookers) {
      looker.join();
    }
    ASSERT_THAT(succeeded, testing::Each(6)) << "round " << round;
  }
}

TEST_F(BatchRestartTest, ALineOfAGroupGoesOnToItsNextStore) {
  Hold("w-t1");
  Hold("t2");
  const std::string id = Create({"t1", "t2"}, GroupOrder());
  engine_->AwaitBegun(3);
  Begin();
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(),
            Strings({"t1 SUCCEEDED", "t2 SUCCEEDED", "w-t1 SUCCEEDED", "w-t2 SUCCEEDED"}));
}

TEST_F(BatchRestartTest, ADryRunGoesOnAndPlansNothingTwice) {
  state::BatchOrder order = Order();
  order.set_dry_run(true);
  Hold("t2");
  const std::string id = Create({"t1", "t2"}, order);
  AwaitCount(id, BatchLineState::kSucceeded, 1);
  const std::string plan = AllLines(id).front().targets.front().restore;
  Begin();
  AwaitState(id, state::BATCH_PLANNED);
  EXPECT_EQ(AllLines(id).front().targets.front().restore, plan);
}

// What a process leaves that is killed between storing a plan and the line that names it.
class PlanNobodyNamesTest : public BatchRestartTest {
 protected:
  void SetUp() override {
    BatchRestartTest::SetUp();
    state::BatchOrder order = Order();
    order.set_dry_run(true);
    Hold("t1");
    Hold("t6");
    id_ = Create({"t1", "t6"}, order);
    engine_->AwaitPlanned(2);
    End();
    // It would be planned after t1 and the largest, which is t6.
    state::PlanRecord plan =
        *state_->GetPlan((*state_->BatchLines(id_)).front().targets(0).restore());
    plan.set_id(kPlan);
    plan.mutable_order()->set_tenant("t3");
    plan.mutable_progress()->set_total_bytes(plan.progress().total_bytes() + 1);
    ASSERT_THAT(state_->CreatePlan(RequestKey(), plan), IsOk());
    held_from_start_ = {"t1", "t6"};
  }

  void AwaitEndOfPlan() {
    Await([&](auto on_change) { return restores_->WatchJob(kPlan, std::move(on_change)); },
          [&] { return !state_->GetPlan(kPlan)->failure().reason().empty(); });
    EXPECT_EQ(state_->GetPlan(kPlan)->failure().reason(), "CANCELLED");
  }

  static constexpr char kPlan[] = "plan-nobody-names";
  std::string id_;
};

TEST_F(PlanNobodyNamesTest, IsNotPlannedOfABatchThatWasCancelledBefore) {
  for (const state::BatchState state : {state::BATCH_CANCELLING, state::BATCH_CANCELLED}) {
    ASSERT_THAT(state_->UpdateBatch(
                    id_,
                    [&](state::BatchRecord* batch) {
                      batch->set_state(state);
                      return absl::OkStatus();
                    },
                    {}, std::nullopt),
                IsOk());
    Begin();
    AwaitEndOfPlan();
    AwaitState(id_, state::BATCH_CANCELLED);
    EXPECT_TRUE(engine_->planned().empty());
    End();
    state::PlanRecord plan = *state_->GetPlan(kPlan);
    plan.set_state(state::PLAN_QUEUED);
    plan.clear_failure();
    ASSERT_THAT(state_->PutPlan(plan), IsOk());
  }
}

TEST_F(PlanNobodyNamesTest, IsNotPlannedOfABatchThatIsCancelledAfterTheRestart) {
  Begin();
  engine_->AwaitPlanned(2);
  ASSERT_THAT(batches_->Cancel(id_, Ada(), ""), IsOk());
  AwaitEndOfPlan();
  AwaitState(id_, state::BATCH_CANCELLED);
  EXPECT_EQ(engine_->planned().size(), 2U);
}

TEST_F(PlanNobodyNamesTest, IsPlannedOfABatchThatGoesOn) {
  Begin();
  engine_->AwaitPlanned(2);
  engine_->Release("t1");
  engine_->AwaitPlanned(3);
  EXPECT_EQ(engine_->planned().back(), "t3");
  engine_->Release("t6");
  AwaitState(id_, state::BATCH_PLANNED);
}

TEST_F(BatchRestartTest, TheSameRequestFindsTheBatch) {
  const RequestKey request{"r1", "CreateBatch", "digest"};
  const auto first = batches_->CreateBatch(request, Order(), Lines({"t1"}), false);
  ASSERT_THAT(first, IsOk());
  Begin();
  const auto second = batches_->CreateBatch(request, Order(), Lines({"t1"}), false);
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(second->record.id(), first->record.id());
  AwaitState(first->record.id(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED"}));
}

}  // namespace
}  // namespace reinstate
