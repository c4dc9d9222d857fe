// kill -9 of the daemon while a batch over two stores is paused, is being cancelled, is being
// undone, and while it is only planned, each with restores in flight at every step, and a stop in
// good order while it runs: what was ordered holds after the next start, and the batch ends with
// each tenant before or after.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/fault_points.h"
#include "tests/support/daemon_batches.h"
#include "tests/support/daemon_world.h"
#include "tests/support/lost_tenants.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

constexpr int kTenants = 16;
constexpr absl::Duration kPatience = absl::Seconds(60);
const char kBystander[] = "bystander";

using Part = LostTenants::Part;
using Parts = LostTenants::Parts;

// Places at which the four workers stay, one each, after some restores have been done: before the
// synced batch, after it, and after the commit; with the hit of each.
const std::vector<DaemonWorld::Stay> kStays = {{"restore.applying", 40},
                                               {"restore.before_intent", 5},
                                               {"restore.after_intent", 7},
                                               {"restore.after_commit", 9}};

class BatchStatesKill : public testing::Test {
 protected:
  BatchStatesKill()
      : world_(LostEmbeddedTenants::SiteArguments(kStores, folder_.path())), batches_(&world_) {
    world_.Start();
    world_.Write(kBystander, {{"issues", {{"1", "one"}}}});
    lost_ = std::make_unique<LostEmbeddedTenants>(&world_, kStores, kTenants);
  }

  v1::CreateBatchRequest Request(const std::string& id = "the batch") const {
    return MirrorBatch(lost_->Lines(), lost_->Where(), id);
  }

  std::string Create() { return batches_.Create(Request())->id(); }

  // kill -9; the parts that are restored, which are some of them.
  Parts Kill(const std::string& when) {
    world_.daemon()->Kill();
    Parts restored = lost_->FindRestored(when);
    EXPECT_GT(restored.size(), 0) << when;
    EXPECT_LT(restored.size(), lost_->All().size()) << when;
    return restored;
  }

  // Starts the daemon so that it ends again at its next steps, some times, and then for good.
  void StartThroughKills(const std::string& batch, const std::string& when) {
    for (const int writes : {1, 3, 7}) {
      if (world_.TryStart(absl::StrCat("state.before_batch=crash@", writes))) {
        std::optional<v1::Batch> seen = batches_.TryGet(batch);
        while (seen.has_value() && !HasEnded(*seen)) {
          absl::SleepFor(absl::Milliseconds(2));
          seen = batches_.TryGet(batch);
        }
        world_.daemon()->Kill();
      }
      lost_->FindRestored(absl::StrCat(when, ", before write ", writes, " after the start"));
    }
    world_.Start();
  }

  // How many restores of each kind of end a part has had.
  std::map<Part, std::map<v1::RestoreState, int>> RestoresOfParts() {
    std::map<Part, std::map<v1::RestoreState, int>> parts;
    for (const v1::Restore& restore : batches_.Restores()) {
      if (restore.tenant().tenant() != kBystander) {
        ++parts[{restore.tenant().store(), restore.tenant().tenant()}][restore.state()];
      }
    }
    return parts;
  }

  // Blocks until one restore of each of these parts has succeeded, and none of others has.
  void AwaitSuccess(const Parts& parts) {
    const absl::Time deadline = absl::Now() + kPatience;
    Parts succeeded;
    do {
      ASSERT_LT(absl::Now(), deadline) << succeeded.size() << " of " << parts.size();
      absl::SleepFor(absl::Milliseconds(10));
      succeeded.clear();
      for (const auto& [part, restores] : RestoresOfParts()) {
        if (restores.contains(v1::RESTORE_STATE_SUCCEEDED)) {
          succeeded.insert(part);
        }
      }
    } while (succeeded != parts);
  }

  // Each of these parts has had these restores, and no others.
  void ExpectRestores(const Parts& parts, const std::map<v1::RestoreState, int>& restores) {
    auto found = RestoresOfParts();
    for (const Part& part : parts) {
      EXPECT_EQ(found[part], restores) << part.tenant << " of " << part.store;
    }
  }

  static inline const std::vector<std::string> kStores = {"main", "wiki"};

  const TempDir folder_;
  DaemonWorld world_;
  DaemonBatches batches_;
  std::unique_ptr<LostEmbeddedTenants> lost_;
};

TEST_F(BatchStatesKill, WhatIsPausedStaysSoAndIsDoneOnceResumed) {
  world_.StartToStay(kStays);
  const std::string batch = Create();
  world_.AwaitStay();
  ASSERT_EQ(batches_.Pause(batch).state(), v1::BATCH_STATE_PAUSED);
  const Parts restored = Kill("in a pause");

  world_.Start();
  const std::string other =
      world_.CreateRestore(kBystander, v1::RESTORE_MODE_MIRROR, "of nobody's batch");
  EXPECT_EQ(world_.WaitForEnd(other).state(), v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_EQ(batches_.Get(batch).state(), v1::BATCH_STATE_PAUSED);
  ASSERT_NO_FATAL_FAILURE(AwaitSuccess(restored));
  lost_->ExpectRestored(restored);
  world_.daemon()->Kill();
  EXPECT_EQ(lost_->FindRestored("in a pause, again"), restored);

  world_.Start();
  batches_.Resume(batch);
  EXPECT_EQ(batches_.AwaitEnd(batch).state(), v1::BATCH_STATE_SUCCEEDED);
  lost_->ExpectRestored(lost_->All());
  ExpectRestores(lost_->All(), {{v1::RESTORE_STATE_SUCCEEDED, 1}});
}

TEST_F(BatchStatesKill, WhatAStopInterruptsGoesOnByItselfAfterTheNextStart) {
  // Each restore takes a second, so that some run when the daemon is stopped.
  world_.Start("restore.verifying=slow");
  const std::string batch = Create();
  batches_.Await(batch, [](const v1::Batch& seen) { return seen.lines().succeeded() > 0; });
  absl::SleepFor(absl::Milliseconds(300));
  ASSERT_EQ(world_.daemon()->Terminate(), 0) << world_.Output();
  EXPECT_NE(world_.daemon()->Output().find("job interrupted, to be run again"), std::string::npos)
      << "none was running";
  const Parts restored = lost_->FindRestored("after the stop");
  EXPECT_GT(restored.size(), 0);
  EXPECT_LT(restored.size(), lost_->All().size());

  world_.Start();
  EXPECT_EQ(batches_.AwaitEnd(batch).state(), v1::BATCH_STATE_SUCCEEDED);
  lost_->ExpectRestored(lost_->All());
  ExpectRestores(lost_->All(), {{v1::RESTORE_STATE_SUCCEEDED, 1}});
}

TEST_F(BatchStatesKill, WhatIsBeingCancelledEndsCancelledWithWhatWasRestoredAndCanBeRetried) {
  world_.StartToStay(kStays);
  const std::string batch = Create();
  world_.AwaitStay();
  ASSERT_EQ(batches_.Cancel(batch).state(), v1::BATCH_STATE_CANCELLING);
  Kill("while it was cancelled");

  StartThroughKills(batch, "while it was cancelled");
  EXPECT_EQ(batches_.AwaitEnd(batch).state(), v1::BATCH_STATE_CANCELLED);
  world_.daemon()->Kill();
  const Parts restored = lost_->FindRestored("after the end");
  world_.Start();
  ExpectRestores(restored, {{v1::RESTORE_STATE_SUCCEEDED, 1}});
  for (const auto& [part, restores] : RestoresOfParts()) {
    EXPECT_TRUE(restored.contains(part) || restores.begin()->first == v1::RESTORE_STATE_CANCELLED)
        << part.tenant << " of " << part.store << " was restored and is not";
  }
  for (const v1::BatchLine& line : batches_.Lines(batch)) {
    const bool all = std::all_of(line.restores().begin(), line.restores().end(),
                                 [&](const v1::BatchLineRestore& target) {
                                   return restored.contains({target.store(), target.tenant()});
                                 });
    EXPECT_EQ(line.state(), all ? v1::BATCH_LINE_STATE_SUCCEEDED : v1::BATCH_LINE_STATE_CANCELLED)
        << line.tenant().tenant();
  }

  batches_.Retry(batch);
  EXPECT_EQ(batches_.AwaitEnd(batch).state(), v1::BATCH_STATE_SUCCEEDED);
  lost_->ExpectRestored(lost_->All());
  ExpectRestores(restored, {{v1::RESTORE_STATE_SUCCEEDED, 1}});
  for (const auto& [part, restores] : RestoresOfParts()) {
    EXPECT_EQ(restores.at(v1::RESTORE_STATE_SUCCEEDED), 1) << part.tenant << " of " << part.store;
  }
}

TEST_F(BatchStatesKill, WhatIsBeingUndoneIsUndoneOnceAndWhole) {
  const std::string batch = Create();
  ASSERT_EQ(batches_.AwaitEnd(batch).state(), v1::BATCH_STATE_SUCCEEDED);
  world_.StartToStay(kStays);
  const std::string undo = batches_.Undo(batch, "the undo")->id();
  world_.AwaitStay();
  Kill("while it was undone");

  StartThroughKills(undo, "while it was undone");
  EXPECT_EQ(batches_.Undo(batch, "the undo")->id(), undo);
  EXPECT_EQ(batches_.AwaitEnd(undo).state(), v1::BATCH_STATE_SUCCEEDED);
  lost_->ExpectRestored({});
  ExpectRestores(lost_->All(), {{v1::RESTORE_STATE_UNDONE, 1}, {v1::RESTORE_STATE_SUCCEEDED, 1}});
  const v1::Batch undone = batches_.Await(
      batch, [](const v1::Batch& seen) { return seen.state() != v1::BATCH_STATE_SUCCEEDED; });
  EXPECT_EQ(undone.state(), v1::BATCH_STATE_PARTLY_FAILED);
  EXPECT_EQ(undone.lines().undone(), kTenants);
}

TEST_F(BatchStatesKill, ADryRunPlansTheRestAndGivesTheSameDigest) {
  v1::CreateBatchRequest undisturbed = Request("left alone");
  undisturbed.set_dry_run(true);
  const std::string digest = batches_.AwaitEnd(batches_.Create(undisturbed)->id()).digest();

  v1::CreateBatchRequest request = Request("killed");
  request.set_dry_run(true);
  world_.Start("state.before_batch=slow@5");  // so that it is not planned before it is killed
  const std::string plan = batches_.Create(request)->id();
  // Each plan is written when it is ordered and when it is made: no start gets through to the end.
  for (int writes = 3; writes <= 12; writes += 3) {
    if (world_.TryStart(absl::StrCat("state.before_batch=crash@", writes))) {
      ASSERT_EQ(world_.daemon()->WaitForEnd(kPatience), FaultPoints::kCrashExitCode);
    }
    EXPECT_EQ(lost_->FindRestored("while it was planned"), Parts());
  }
  world_.Start();
  const v1::Batch planned = batches_.AwaitEnd(plan);
  EXPECT_EQ(planned.state(), v1::BATCH_STATE_PLANNED);
  EXPECT_EQ(planned.lines().succeeded(), kTenants);
  EXPECT_EQ(planned.digest(), digest);
  lost_->ExpectRestored({});
  std::set<std::string> plans;
  for (const v1::BatchLine& line : batches_.Lines(plan)) {
    for (const v1::BatchLineRestore& target : line.restores()) {
      plans.insert(target.restore());
    }
  }
  EXPECT_EQ(plans.size(), lost_->All().size());

  v1::CreateBatchRequest ordered;
  ordered.set_plan(plan);
  ordered.set_plan_digest(digest);
  ordered.mutable_spec()->set_accept_shrinking(true);
  EXPECT_EQ(batches_.AwaitEnd(batches_.Create(ordered)->id()).state(), v1::BATCH_STATE_SUCCEEDED);
  lost_->ExpectRestored(lost_->All());
  ExpectRestores(lost_->All(), {{v1::RESTORE_STATE_SUCCEEDED, 1}});
}

}  // namespace
}  // namespace reinstate
