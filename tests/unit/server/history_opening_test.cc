#include "server/history_opening.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/snapshot/snapshotter.h"
#include "storage/live/memory/memory_store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

// A state that witnesses snap-1-1, and a history that has it.
class HistoryOpeningTest : public testing::Test {
 protected:
  void SetUp() override {
    OpenState("state");
    opened_ = OpenIt();
    ASSERT_THAT(opened_, IsOk());
    ASSERT_THAT(opened_->history->EnsureLineage("main"), IsOk());
    TakeSnapshot("job-1");
    Witness(/*may_be_gone=*/false);
  }

  void OpenState(const std::string& name) {
    state_.reset();
    StateOptions options;
    options.path = folder_.path() + "/" + name;
    options.clock = &clock_;
    options.reserve_bytes = 0;
    state_ = *StateStore::Open(options);
  }

  absl::StatusOr<OpenedHistory> OpenIt(const std::string& name = "history", bool accept = false) {
    if (opened_.ok()) {
      opened_->history.reset();  // one at a time
    }
    HistoryOptions options;
    options.path = folder_.path() + "/" + name;
    options.clock = &clock_;
    return OpenHistory(options, *state_, accept);
  }

  void TakeSnapshot(const std::string& job) {
    MemoryStore store({.id = "store", .clock = &clock_});
    Snapshotter snapshotter(SnapshotterOptions(), opened_->history.get());
    clock_.Advance(absl::Minutes(1));
    ASSERT_THAT(snapshotter.Take(&store, {.lineage = 1, .store_identity = "store", .job = job}),
                IsOk());
  }

  void Witness(bool may_be_gone) {
    const auto snapshots = opened_->history->ListSnapshots(1);
    state::WitnessRecord witness;
    witness.set_snapshot(snapshots->at(0).id.ToString());
    witness.set_root_digest(snapshots->at(0).root_digest);
    witness.set_may_be_gone(may_be_gone);
    ASSERT_THAT(state_->AddWitness(witness), IsOk());
  }

  absl::Status CheckCurrent() { return CheckStateIsCurrent(*opened_->history, {1}, *state_); }

  TempDir folder_;
  ManualClock clock_;
  std::unique_ptr<StateStore> state_;
  absl::StatusOr<OpenedHistory> opened_ = absl::UnknownError("not opened");
};

TEST_F(HistoryOpeningTest, OpensForWritingWhatFits) {
  opened_ = OpenIt();
  ASSERT_THAT(opened_, IsOk());
  EXPECT_THAT(opened_->read_only, IsOk());
  EXPECT_THAT(CheckCurrent(), IsOk());
}

TEST_F(HistoryOpeningTest, OpensForReadingOnlyWhereTheStateIsAnotherOne) {
  OpenState("new-state");
  opened_ = OpenIt();
  ASSERT_THAT(opened_, IsOk());
  EXPECT_THAT(opened_->read_only, FailsWith(Reason::kStateLost));
  EXPECT_EQ(opened_->history->ListSnapshots(1)->size(), 1U);
  opened_ = OpenIt("history", /*accept=*/true);
  ASSERT_THAT(opened_, IsOk());
  EXPECT_THAT(opened_->read_only, IsOk());
}

TEST_F(HistoryOpeningTest, TakesAStateThatDoesNotKnowASnapshotForAnOlderCopy) {
  TakeSnapshot("job-2");
  EXPECT_THAT(CheckCurrent(), FailsWith(Reason::kStateLost));
}

TEST_F(HistoryOpeningTest, TakesASnapshotOfAnUnfinishedJobForTheCrashThatItIs) {
  state::HistoryJob job;
  job.set_id("job-2");
  ASSERT_THAT(state_->CreateHistoryJob(RequestKey(), job, AuditDraft()), IsOk());
  TakeSnapshot("job-2");
  EXPECT_THAT(CheckCurrent(), IsOk());
}

TEST_F(HistoryOpeningTest, KnowsButDoesNotInsistOnASnapshotThatRetentionMayHaveDropped) {
  state::WitnessRecord dropped;
  dropped.set_snapshot("snap-1-9");
  dropped.set_root_digest("digest");
  ASSERT_THAT(state_->AddWitness(dropped), IsOk());
  opened_ = OpenIt();  // the control arm: one that is insisted on
  ASSERT_THAT(opened_, IsOk());
  EXPECT_THAT(opened_->read_only, FailsWith(Reason::kHistoryIncomplete));

  dropped.set_may_be_gone(true);
  ASSERT_THAT(state_->AddWitness(dropped), IsOk());
  Witness(/*may_be_gone=*/true);
  opened_ = OpenIt();
  ASSERT_THAT(opened_, IsOk());
  EXPECT_THAT(opened_->read_only, IsOk());
  EXPECT_THAT(CheckCurrent(), IsOk());
}

}  // namespace
}  // namespace reinstate
