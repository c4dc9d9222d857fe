// How long a batch is expected to take, before and while it runs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

class BatchOutlookTest : public BatchFixture {
 protected:
  static state::BatchOrder DryRun(state::BatchOrder order = Order()) {
    order.set_dry_run(true);
    return order;
  }

  // What was measured before: two restores of main.
  void Measure() { AwaitState(Create({"t1", "t2"}), state::BATCH_SUCCEEDED); }

  // A dry run that is planned, after a minute.
  BatchView Planned(const state::BatchOrder& order) {
    Hold("t4");
    const std::string id = Create({"t3", "t4"}, order);
    AwaitCount(id, BatchLineState::kSucceeded, 1);
    EXPECT_FALSE(Get(id).eta.known) << "before it is planned";
    site_.clock().Advance(absl::Minutes(1));
    engine_->Release("t4");
    AwaitState(id, state::BATCH_PLANNED);
    return Get(id);
  }
};

TEST_F(BatchOutlookTest, ADryRunGoesByEarlierRestoresOfItsStoreAlsoAfterARestart) {
  Measure();
  for (const bool restart : {false, true}) {
    if (restart) {
      Begin();
    }
    const BatchView view = Planned(DryRun());
    ASSERT_TRUE(view.eta.known);
    EXPECT_GT(view.eta.low, absl::ZeroDuration());
    EXPECT_LT(view.eta.high, absl::Minutes(1)) << "nothing of the time that planning took";
    EXPECT_EQ(view.eta_basis, "by the last 2 restores of store main");
  }
}

TEST_F(BatchOutlookTest, ADryRunOfAStoreOfWhichNothingWasMeasuredSaysSo) {
  const BatchView view = Planned(DryRun());
  EXPECT_FALSE(view.eta.known) << "nor by how long planning took";
  EXPECT_EQ(view.eta_basis, "no restore of store main has been measured yet");
}

TEST_F(BatchOutlookTest, ADryRunOfAGroupNamesTheStoreOfWhichNothingWasMeasured) {
  Measure();
  EXPECT_EQ(Planned(DryRun(GroupOrder())).eta_basis,
            "by the last 2 restores of store main; no restore of store wiki has been measured yet");
}

TEST_F(BatchOutlookTest, ADryRunThatCouldPlanNothingExpectsNothing) {
  Measure();
  Write("t3", {.end = state::FAILED});
  const std::string id = Create({"t3"}, DryRun());
  AwaitState(id, state::BATCH_PLANNED);
  EXPECT_FALSE(Get(id).eta.known);
  EXPECT_EQ(Get(id).eta_basis, "");
}

TEST_F(BatchOutlookTest, ADryRunCountsWhatTheThrottleWillHoldBack) {
  for (const bool measured : {false, true}) {
    if (measured) {
      Measure();
    }
    state::Throttle throttle;
    throttle.set_rows_per_second(1);
    ASSERT_THAT(restores_->SetThrottle("main", throttle, Ada(), ""), IsOk());
    const std::string id = Create({"t1", "t2", "t3", "t4", "t5", "t6"}, DryRun());
    AwaitState(id, state::BATCH_PLANNED);
    const BatchView view = Get(id);
    // All but t6 are to be paid for first: 5 rows, 9, 13, 17 and 21.
    EXPECT_GE(view.eta.low, absl::Seconds(5 + 9 + 13 + 17 + 21 - 1));
    EXPECT_THAT(view.eta_basis,
                testing::StartsWith("as long as store main holds the last one back; "));
    EXPECT_EQ(view.eta.high == absl::InfiniteDuration(), !measured);
    ASSERT_THAT(restores_->SetThrottle("main", {}, Ada(), ""), IsOk());
  }
}

TEST_F(BatchOutlookTest, ABatchGoesByThemUntilItsOwnHaveBeenMeasured) {
  Measure();
  Hold("t1");
  Hold("t5");
  Hold("t6");
  const std::string id = Create({"t1", "t6", "t5"});
  engine_->AwaitBegun(4);
  const BatchView begun = Get(id);
  ASSERT_TRUE(begun.eta.known);
  EXPECT_EQ(begun.eta_basis, "by the last 2 restores of store main");
  engine_->Release("t1");
  engine_->Release("t5");
  AwaitCount(id, BatchLineState::kSucceeded, 2);
  EXPECT_TRUE(Get(id).eta.known);
  EXPECT_EQ(Get(id).eta_basis, "");
  engine_->Release("t6");
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_FALSE(Get(id).eta.known);
}

TEST_F(BatchOutlookTest, ABatchOfAStoreOfWhichNothingWasMeasuredSaysSoUntilItsFirstHasEnded) {
  Hold("t1");
  const std::string id = Create({"t1"});
  engine_->AwaitBegun(1);
  EXPECT_FALSE(Get(id).eta.known);
  EXPECT_EQ(Get(id).eta_basis, "no restore of store main has been measured yet");
  engine_->Release("t1");
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchOutlookTest, AnUndoGoesByEarlierUndos) {
  const std::string first = Create({"t1", "t2"});
  AwaitState(first, state::BATCH_SUCCEEDED);
  AwaitState(TryUndo(first)->record.id(), state::BATCH_SUCCEEDED);
  const std::string second = Create({"t1", "t2"});
  AwaitState(second, state::BATCH_SUCCEEDED);
  Hold("t1");
  Hold("t2");
  const auto undo = TryUndo(second);
  ASSERT_THAT(undo, IsOk());
  EXPECT_EQ(Get(undo->record.id()).eta_basis, "by the last 2 undos of store main");
}

TEST_F(BatchOutlookTest, TheTimeLeftDoesNotGrowWhileItIsPaused) {
  Hold("t2");
  Hold("t3");
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitCount(id, BatchLineState::kSucceeded, 1);
  engine_->AwaitBegun(3);
  ASSERT_THAT(batches_->Pause(id, Ada(), ""), IsOk());
  AwaitCount(id, BatchLineState::kQueued, 2);
  const BatchEta::Estimate before = Get(id).eta;
  site_.clock().Advance(absl::Hours(1));
  EXPECT_EQ(Get(id).eta.high, before.high);
  EXPECT_EQ(Get(id).rows_per_second, 0);
}

}  // namespace
}  // namespace reinstate
