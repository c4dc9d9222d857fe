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
  void Needs(const std::string& tenant, const std::string& needed) {
    Write(tenant, {.needs = needed});
  }
};

TEST_F(BatchReferencesTest, ATenantThatNeedsAnotherOfTheBatchIsTriedAgainAfterIt) {
  Needs("t1", "t3");
  Hold("t3");
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitCount(id, BatchLineState::kSucceeded, 1);
  AwaitCount(id, BatchLineState::kFailed, 1);
  EXPECT_EQ(StateOf(id), state::BATCH_RUNNING);
  engine_->Release("t3");
  AwaitState(id, state::BATCH_SUCCEEDED);
  const Strings restores = Restores();
  EXPECT_EQ(std::count(restores.begin(), restores.end(), "t1 SUCCEEDED"), 1);
  EXPECT_GE(std::count(restores.begin(), restores.end(), "t1 FAILED"), 1);
  EXPECT_EQ(std::count(restores.begin(), restores.end(), "t3 SUCCEEDED"), 1);
}

TEST_F(BatchReferencesTest, AChainIsRestoredFromItsEnd) {
  Needs("t1", "t2");
  Needs("t2", "t3");
  Needs("t3", "t4");
  const std::string id = Create({"t1", "t2", "t3", "t4"});
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchReferencesTest, GoesOnAfterARestart) {
  Needs("t1", "t3");
  Hold("t3");
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitCount(id, BatchLineState::kFailed, 1);
  End();
  Begin();
  AwaitState(id, state::BATCH_SUCCEEDED);
}

TEST_F(BatchReferencesTest, TenantsThatNeedEachOtherFailAndAreNamedAndTheOthersAreRestored) {
  Needs("t1", "t2");
  Needs("t2", "t1");
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const std::vector<BatchLineView> lines = AllLines(id);
  EXPECT_THAT(lines[0].record.problem().message(), HasSubstr("The same holds of tenant t2"));
  EXPECT_THAT(lines[1].record.problem().message(), HasSubstr("The same holds of tenant t1"));
  EXPECT_EQ(lines[0].record.problem().reason(), "KEY_CONFLICT");
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
