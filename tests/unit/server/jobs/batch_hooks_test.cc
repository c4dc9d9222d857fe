// Hooks that failed after restores of a batch, and are run again by its retry: real commands, an
// engine that does what the test has written.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/script.h"
#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

using Strings = std::vector<std::string>;

class BatchHooksTest : public BatchFixture {
 protected:
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  // Adds a hook after restores, which appends a line to the file of its name and then does what
  // `script` says. The next Begin takes it.
  void Add(const std::string& name, bool required, const std::string& script) {
    const std::string text = "cat > /dev/null; echo >> " + Path(name + ".runs") + "\n" + script;
    restore_hooks_.push_back({.name = name,
                              .command = {WriteScript(Path(name), text)},
                              .retries = 0,
                              .required = required});
  }
  // The index that a hook needs is there from now on.
  void Mend() { WriteScript(Path("index-is-up"), ""); }
  std::string NeedsTheIndex() const { return "test -e " + Path("index-is-up"); }

  size_t Runs(const std::string& name) const { return ContentsOf(Path(name + ".runs")).size(); }
  void AwaitRuns(const std::string& name, size_t runs) const {
    while (Runs(name) < runs) {
      std::this_thread::yield();
    }
  }

  absl::Status Retry(const std::string& id) { return batches_->Retry(id, Ada(), "").status(); }
};

TEST_F(BatchHooksTest, ARetryRunsOnlyThoseAgainThatFailedAndNotTheRestore) {
  Add("search", /*required=*/true, NeedsTheIndex());
  Add("billing", /*required=*/true, "");
  Begin();
  Write("t2", {.end = state::FAILED});
  const std::string id = Create({"t1", "t2", "t3"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Count(Get(id), BatchLineState::kFailed), 3);
  Write("t2", {});
  // It is still away: all stays as it was, for the next retry.
  ASSERT_THAT(Retry(id), IsOk());
  AwaitCount(id, BatchLineState::kFailed, 3);
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(AllLines(id)[0].targets.front().seen.failure.reason(), "HOOK_FAILED");
  Mend();
  ASSERT_THAT(Retry(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "t2 FAILED", "t2 SUCCEEDED", "t3 SUCCEEDED"}));
  EXPECT_EQ(Runs("search"), 8U) << "thrice each, but for t2, which had failed at first";
  EXPECT_EQ(Runs("billing"), 3U) << "it had succeeded";
  ASSERT_THAT(Retry(id), IsOk());
  EXPECT_EQ(StateOf(id), state::BATCH_SUCCEEDED);
  EXPECT_EQ(Runs("search"), 8U);
}

TEST_F(BatchHooksTest, ARetryRunsAlsoThoseAgainThatAreNotRequired) {
  Add("search", /*required=*/false, NeedsTheIndex());
  Begin();
  const std::string id = Create({"t1", "t2"});
  AwaitState(id, state::BATCH_SUCCEEDED);
  Mend();
  ASSERT_THAT(Retry(id), IsOk());
  AwaitRuns("search", 4);
  AwaitState(id, state::BATCH_SUCCEEDED);
  const auto restore = state_->GetRestore(AllLines(id)[0].targets.front().restore);
  ASSERT_EQ(restore->hooks_size(), 1);
  EXPECT_TRUE(restore->hooks(0).succeeded());
  EXPECT_THAT(engine_->begun(), testing::UnorderedElementsAre("t1", "t2"));
}

TEST_F(BatchHooksTest, WhatARetryBeganGoesOnAfterARestartAndEndsTheBatch) {
  Add("search", /*required=*/true, NeedsTheIndex());
  Begin();
  const std::string id = Create({"t1"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  restore_hooks_.clear();
  Add("search", /*required=*/true, NeedsTheIndex() + " || sleep 600");
  Begin();
  ASSERT_THAT(Retry(id), IsOk());
  EXPECT_EQ(Count(Get(id), BatchLineState::kRunning), 1);
  AwaitRuns("search", 2);
  End();
  Mend();
  Begin();
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Runs("search"), 3U);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED"}));
}

// As a process leaves it that is killed before it has stored that the batch runs again.
TEST_F(BatchHooksTest, OneThatIsToBeRunAgainIsSoAlsoIfTheBatchHadEndedByThen) {
  Add("search", /*required=*/true, NeedsTheIndex());
  Begin();
  const std::string id = Create({"t1"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  const std::string restore = AllLines(id)[0].targets.front().restore;
  End();
  ASSERT_THAT(state_->RecordHooks(restore, {}, /*pending=*/true), IsOk());
  Mend();
  Begin();
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Runs("search"), 2U);
}

TEST_F(BatchHooksTest, TheFailureOfOneThatIsConfiguredNoLongerStays) {
  Add("search", /*required=*/true, NeedsTheIndex());
  Begin();
  const std::string id = Create({"t1"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  restore_hooks_.clear();
  Begin();
  ASSERT_THAT(Retry(id), IsOk());
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(AllLines(id)[0].targets.front().seen.failure.reason(), "HOOK_FAILED");
}

TEST_F(BatchHooksTest, ARetryOfTheHookThatKeptASiteFromItsNextStoreGoesOnToIt) {
  Add("search", /*required=*/true, NeedsTheIndex());
  Begin();
  Write("t1", {.hold = true, .intent_before_hold = true});
  const std::string id = Create({"t1"}, GroupOrder());
  engine_->AwaitBegun(1);
  ASSERT_THAT(batches_->Pause(id, Ada(), ""), IsOk());
  engine_->Release("t1");
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED"}));
  Mend();
  ASSERT_THAT(Retry(id), IsOk());
  AwaitState(id, state::BATCH_SUCCEEDED);
  EXPECT_EQ(Restores(), Strings({"t1 SUCCEEDED", "w-t1 SUCCEEDED"}));
}

TEST_F(BatchHooksTest, ThoseOfARestoreThatWasUndoneAreNotRunAgain) {
  Add("search", /*required=*/true, NeedsTheIndex());
  Begin();
  const std::string id = Create({"t1"});
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  UndoRestore(AllLines(id)[0].targets.front().restore);
  AwaitCount(id, BatchLineState::kUndone, 1);
  AwaitRuns("search", 2);  // of the undo
  ASSERT_THAT(Retry(id), IsOk());
  EXPECT_EQ(StateOf(id), state::BATCH_PARTLY_FAILED);
  End();
  EXPECT_EQ(Runs("search"), 2U);
}

}  // namespace
}  // namespace reinstate
