#include "tests/support/batch_killer.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/fault_points.h"

namespace reinstate {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(120);

}  // namespace

// The batch under way, begun if there is none. False if the daemon ended meanwhile.
bool BatchKiller::Begin(v1::Batch* batch) {
  const std::string request_id = absl::StrCat("batch ", ordered_.size());
  const std::optional<v1::Batch> begun =
      restoring_ ? batches_.Create(MirrorBatch(lost_->Lines(), lost_->Where(), request_id))
                 : batches_.Undo(ordered_.back(), request_id);
  *batch = begun.value_or(v1::Batch());
  return begun.has_value();
}

// The batch has done what it says, to every tenant once.
void BatchKiller::ExpectDone(const v1::Batch& batch) {
  ASSERT_EQ(batch.state(), v1::BATCH_STATE_SUCCEEDED) << batch.state_message();
  EXPECT_EQ(batch.lines().succeeded(), static_cast<int64_t>(lost_->Lines().size()));
  lost_->ExpectRestored(restoring_ ? lost_->All() : LostTenants::Parts());
  ordered_.push_back(batch.id());
  std::map<LostTenants::Part, size_t> restores;
  for (const v1::Restore& restore : batches_.Restores()) {
    ++restores[{restore.tenant().store(), restore.tenant().tenant()}];
    EXPECT_TRUE(restore.state() == v1::RESTORE_STATE_SUCCEEDED ||
                restore.state() == v1::RESTORE_STATE_UNDONE)
        << restore.id();
  }
  for (const LostTenants::Part& part : lost_->All()) {
    EXPECT_EQ(restores[part], ordered_.size()) << part.tenant << " of " << part.store;
  }
  restoring_ = !restoring_;
}

// Looks after the batch: when one has ended, the next is begun. False if the daemon has ended.
bool BatchKiller::Tend() {
  v1::Batch batch;
  if (!Begin(&batch)) {
    return false;
  }
  if (HasEnded(batch)) {
    ExpectDone(batch);
  }
  return !testing::Test::HasFatalFailure();
}

void BatchKiller::LookAtRest(const std::string& when) {
  const size_t restored = lost_->FindRestored(when).size();
  kills_in_the_middle_ += restored > 0 && restored < lost_->All().size() ? 1 : 0;
}

void BatchKiller::KillAt(const std::string& place, int hit) {
  const std::string when = absl::StrCat("at ", place, " (hit ", hit, ")");
  if (world_->TryStart(absl::StrCat(place, "=crash@", hit))) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (Tend() && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    ASSERT_EQ(world_->daemon()->WaitForEnd(absl::Seconds(10)), FaultPoints::kCrashExitCode) << when;
  }
  LookAtRest(when);
}

void BatchKiller::KillAfter(absl::Duration delay) {
  world_->Start();
  ASSERT_TRUE(Tend());
  absl::SleepFor(delay);
  world_->daemon()->Kill();
  LookAtRest(absl::StrCat("after ", absl::FormatDuration(delay)));
}

void BatchKiller::Finish() {
  world_->Start();
  const size_t before = ordered_.size();
  const absl::Time deadline = absl::Now() + kPatience;
  while (ordered_.size() == before && absl::Now() < deadline) {
    ASSERT_TRUE(Tend());
    absl::SleepFor(absl::Milliseconds(20));
  }
  ASSERT_GT(ordered_.size(), before) << "the batch does not end: " << world_->Output();
}

}  // namespace reinstate
