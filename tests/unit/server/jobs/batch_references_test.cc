// Batches of tenants whose rows refer to rows of each other: whatever the order of the list.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;

using Strings = std::vector<std::string>;

class BatchReferencesTest : public BatchFixture {
 protected:
  // Until a restore of the batch waits for others of it, of which one runs.
  void AwaitWaiting(const std::string& id) {
    AwaitBatch(id, [](const BatchView& view) {
      return !view.waiting.empty() && Count(view, BatchLineState::kRunning) == 1;
    });
  }
  // What was audited of restores.
  Strings Audits() {
    const auto entries = state_->ListAudit(0, 1000);
    EXPECT_THAT(entries, IsOk());
    Strings actions;
    for (const state::AuditEntry& entry : *entries) {
      if (entry.action().starts_with("restore.")) {
        actions.push_back(entry.action());
      }
    }
    return actions;
  }

  void Needs(const std::string& tenant, const std::string& needed) {
    Write(tenant, {.needs = needed});
  }
};

TEST_F(BatchReferencesTest, ATenantThatNeedsAnotherOfTheBatchWaitsAndIsRestoredAfterIt) {
  Needs("t1", "t3");
  Hold("t3");
  const std::string id = Create({"t1", "t3"});
  AwaitWaiting(id);
  const BatchView view = Get(id);
  EXPECT_EQ(view.record.state(), state::BATCH_RUNNING);
  EXPECT_THAT(view.waiting,
              HasSubstr("1 restore is tried again once others of the batch are done, the first of "
                        "tenant t1: rows refer to rows of t3"));
  EXPECT_EQ(Count(view, BatchLineState::kQueued), 1);
  const BatchLineView line = AllLines(id)[0];
  EXPECT_EQ(line.state, BatchLineState::kQueued);
  EXPECT_EQ(line.targets[0].seen.wait->message(), "rows refer to rows of t3");
  EXPECT_EQ(line.targets[0].seen.failure.reason(), "");
  EXPECT_EQ(restores_->GetRestore(line.targets[0].restore)->state(), state::QUEUED);

  engine_->Release("t3");
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Get(id).waiting, "");
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t3 SUCCEEDED"}));
}

TEST_F(BatchReferencesTest, WhatOnlyWaitsCountsNowhereAsFailed) {
  Needs("t1", "t3");
  Hold("t3");
  const std::string id = Create({"t1", "t3"});
  AwaitWaiting(id);
  engine_->Release("t3");
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_GE(engine_->begun().size(), 3) << "it must have been tried too soon";
  Strings ended = ended_.all();
  std::sort(ended.begin(), ended.end());
  EXPECT_EQ(ended, Strings({"t1 SUCCEEDED", "t3 SUCCEEDED"}));
  EXPECT_EQ(Audits(), Strings(2, "restore.ended"));
  EXPECT_TRUE(Get(id).failures.empty());
}

TEST_F(BatchReferencesTest, WhatWaitsIsCancelledWithItsBatch) {
  Needs("t1", "t3");
  Hold("t3");
  const std::string id = Create({"t1", "t3"});
  AwaitWaiting(id);
  ASSERT_THAT(batches_->Cancel(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_CANCELLED);
  EXPECT_EQ(Restores(), Strings({"t1 CANCELLED", "t3 CANCELLED"}));
  EXPECT_EQ(Get(id).waiting, "");
}

TEST_F(BatchReferencesTest, WhatWaitsCanBeCancelledByItself) {
  Needs("t1", "t3");
  Hold("t3");
  const std::string id = Create({"t1", "t3"});
  AwaitWaiting(id);
  ASSERT_THAT(restores_->CancelRestore(AllLines(id)[0].targets[0].restore, Ada(), ""), IsOk());
  AwaitCount(id, BatchLineState::kCancelled, 1);
  engine_->Release("t3");
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t1 CANCELLED", "t3 SUCCEEDED"}));
}

TEST_F(BatchReferencesTest, WhatWaitsIsNotRunByAPauseAndAResume) {
  Needs("t1", "t3");
  Hold("t3");
  const std::string id = Create({"t1", "t3"});
  engine_->AwaitBegun(2);
  AwaitWaiting(id);
  ASSERT_THAT(batches_->Pause(id, Ada(), ""), IsOk());
  EXPECT_NE(Get(id).waiting, "");
  ASSERT_THAT(batches_->Resume(id, Ada(), ""), IsOk());
  engine_->AwaitBegun(3);  // the held one again
  EXPECT_NE(Get(id).waiting, "");
  const Strings begun = engine_->begun();
  EXPECT_EQ(std::count(begun.begin(), begun.end(), "t1"), 1);
  engine_->Release("t3");
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchReferencesTest, AChainIsRestoredFromItsEnd) {
  Needs("t1", "t2");
  Needs("t2", "t3");
  Needs("t3", "t4");
  const std::string id = Create({"t1", "t2", "t3", "t4"});
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchReferencesTest, StillWaitsAfterARestartAndThenGoesOn) {
  Needs("t1", "t3");
  Hold("t3");
  const std::string id = Create({"t1", "t3"});
  AwaitWaiting(id);
  ASSERT_THAT(batches_->Pause(id, Ada(), ""), IsOk());
  End();
  Begin();
  EXPECT_THAT(Get(id).waiting, HasSubstr("tenant t1: rows refer to rows of t3"));
  Needs("t1", "t3");
  Hold("t3");
  ASSERT_THAT(batches_->Resume(id, Ada(), ""), IsOk());
  engine_->AwaitBegun(1);
  EXPECT_EQ(engine_->begun(), Strings({"t3"})) << "the one that waits is not run before";
  engine_->Release("t3");
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchReferencesTest, TenantsThatNeedEachOtherFailAndAreNamedAndTheOthersAreRestored) {
  Needs("t1", "t2");
  Needs("t2", "t1");
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const std::vector<BatchLineView> lines = AllLines(id);
  const state::Failure& failure = lines[0].targets[0].seen.failure;
  EXPECT_THAT(failure.message(), HasSubstr("The same holds of tenant t2"));
  EXPECT_EQ(failure.reason(), "KEY_CONFLICT");
  EXPECT_THAT(lines[1].targets[0].seen.failure.message(), HasSubstr("The same holds of tenant t1"));
  EXPECT_EQ(Restores(), Strings({"t1 FAILED", "t2 FAILED", "t3 SUCCEEDED"}));
  EXPECT_EQ(lines[2].state, BatchLineState::kSucceeded);
  // Once somebody has put back what the one needs.
  Write("t1", {});
  ASSERT_THAT(batches_->Retry(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchReferencesTest, WhoNeedsATenantThatFailedFailsAndIsTriedAgainAfterTheRetryOfThatOne) {
  Needs("t1", "t2");
  Write("t2", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t1 FAILED", "t2 FAILED"}));
  Write("t2", {});
  ASSERT_THAT(batches_->Retry(id, Ada(), ""), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
}

}  // namespace
}  // namespace reinstate
