// Random orders to a batch over a group, while its restores succeed, fail and are left in doubt:
// whatever the order of it all, the batch ends, and what it says of each line is what became of it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/state/restore_index.h"
#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

class BatchWalkTest : public BatchFixture {
 protected:
  static constexpr int kTenantsAtFirst = 4;  // of a batch; the others may be added
  static constexpr int kSteps = 40;
  static constexpr absl::Duration kLongestSettling = absl::Seconds(60);

  int Upto(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }

  std::string AnyTenant() { return absl::StrCat("t", 1 + Upto(kTenants - 1)); }

  void Note(const std::string& operation, const absl::Status& status) {
    absl::StrAppend(&operations_, operation, status.ok() ? "" : ": ",
                    status.ok() ? "" : ReasonOf(status), "\n");
  }

  // What the restores of a tenant in a store do from now on; those that are held go on if `hold`
  // is not set.
  void Script(const std::string& tenant, bool hold, state::JobState end) {
    Write(tenant, {.hold = hold, .end = end});
    absl::StrAppend(&operations_, tenant, hold ? " is held, then " : " is ",
                    state::JobState_Name(end), "\n");
  }

  void ScriptAny() {
    static const std::vector<state::JobState> kEnds = {
        state::SUCCEEDED, state::SUCCEEDED, state::SUCCEEDED, state::FAILED, state::IN_DOUBT};
    const std::string tenant = absl::StrCat(Upto(1) == 0 ? "" : "w-", AnyTenant());
    Script(tenant, Upto(2) == 0, kEnds[static_cast<size_t>(Upto(4))]);
  }

  std::vector<state::RestoreRecord> AllRestores() {
    const auto restores = state_->ListRestores({}, "", 100'000);
    EXPECT_THAT(restores, IsOk());
    return restores.value_or(std::vector<state::RestoreRecord>());
  }

  void UndoAny() {
    std::vector<std::string> succeeded;
    for (const state::RestoreRecord& restore : AllRestores()) {
      if (restore.order().batch() == id_ && restore.state() == state::SUCCEEDED) {
        succeeded.push_back(restore.id());
      }
    }
    if (succeeded.empty()) {
      return;
    }
    state::RestoreOrder order;
    order.set_undo_of(succeeded[static_cast<size_t>(Upto(static_cast<int>(succeeded.size()) - 1))]);
    *order.mutable_actor() = Ada();
    Note(absl::StrCat("undo of ", order.undo_of()),
         restores_->CreateUndo(RequestKey(), order, false).status());
  }

  void UndoAll() {
    const auto undo = TryUndo(id_);
    Note("undo of the batch", undo.status());
    if (undo.ok()) {
      undos_.push_back(undo->record.id());
    }
  }

  // Those that are in doubt become one thing or the other.
  void ResolveDoubts() {
    for (const state::RestoreRecord& restore : AllRestores()) {
      if (restore.state() == state::IN_DOUBT) {
        const bool committed = Upto(1) == 0;
        Note(absl::StrCat(restore.id(), " was ", committed ? "" : "not ", "committed"),
             restores_->ResolveRestore(restore.id(), committed, Ada(), "").status());
      }
    }
  }

  void Step() {
    switch (Upto(15)) {
      case 0:
        return Note("pause", batches_->Pause(id_, Ada(), "").status());
      case 1:
        return Note("cancel", batches_->Cancel(id_, Ada(), "").status());
      case 2:
      case 3:
        return Note("resume", batches_->Resume(id_, Ada(), "").status());
      case 4:
      case 5:
        return Note("retry", batches_->Retry(id_, Ada(), "").status());
      case 6:
        return Note("prioritize", batches_->Prioritize(id_, {}, Upto(9), Ada(), "").status());
      case 7: {
        const std::string tenant = AnyTenant();
        return Note(absl::StrCat("add ", tenant),
                    batches_->Add(id_, Lines({tenant}), {}, Ada(), "").status());
      }
      case 8:
        return UndoAny();
      case 9:
        return UndoAll();
      case 10:
        return ResolveDoubts();
      case 11:
      case 12:
        return ScriptAny();
      default:
        return Work();
    }
  }

  // Lets the others go on for a moment.
  void Work() {
    for (int i = Upto(300); i > 0; --i) {
      std::this_thread::yield();
    }
  }

  // From here on everything succeeds, and nothing waits for a person.
  void LetGo() {
    absl::StrAppend(&operations_, "let go\n");
    for (int i = 1; i <= kTenants; ++i) {
      Write(absl::StrCat("t", i), {});
      Write(absl::StrCat("w-t", i), {});
    }
  }

  void Resume() {
    batches_->Resume(id_, Ada(), "").IgnoreError();
    for (const std::string& undo : undos_) {
      batches_->Resume(undo, Ada(), "").IgnoreError();
    }
  }

  // What is wrong with a line, by what is stored of its restores; nothing if all is as it should.
  std::string Wrong(const BatchLineView& line) {
    std::map<state::JobState, int> states;
    for (const state::BatchLine::Target& target : line.record.targets()) {
      if (target.restore().empty()) {
        ++states[state::QUEUED];
        continue;
      }
      const auto restore = state_->GetRestore(target.restore());
      ++states[restore.ok() ? restore->state() : state::JOB_STATE_UNSPECIFIED];
    }
    const bool all =
        line.record.targets_size() > 0 && states[state::SUCCEEDED] == line.record.targets_size();
    const bool undone = states[state::UNDONE] > 0;
    if ((line.state == BatchLineState::kSucceeded) != all ||
        (line.state == BatchLineState::kUndone) != undone) {
      return absl::StrCat("line ", line.record.ShortDebugString(), " is in state ", line.state);
    }
    return HasEnded(line.state) ? "" : absl::StrCat("line ", line.record.number(), " goes on");
  }

  // The same of a batch.
  std::string Wrong(const std::string& id) {
    const BatchView view = Get(id);
    const std::vector<BatchLineView> lines = AllLines(id);
    std::vector<int64_t> counts(kBatchLineStates);
    for (const BatchLineView& line : lines) {
      ++counts[static_cast<size_t>(line.state)];
      if (const std::string wrong = Wrong(line); !wrong.empty()) {
        return absl::StrCat("batch ", id, ": ", wrong);
      }
    }
    const bool all = Count(view, BatchLineState::kSucceeded) == view.record.lines();
    const state::BatchState state = view.record.state();
    const bool right =
        counts == view.counts && static_cast<int64_t>(lines.size()) == view.record.lines() &&
        HasEnded(state) &&
        (state == state::BATCH_CANCELLED || (state == state::BATCH_SUCCEEDED) == all);
    return right ? ""
                 : absl::StrCat("batch ", id, " is ", state::BatchState_Name(state), " with ",
                                absl::StrJoin(view.counts, ","), " lines by state");
  }

  // The same of all that the walk has made.
  std::string Wrong() {
    for (const state::RestoreRecord& restore : AllRestores()) {
      if (!HasEnded(restore.state())) {
        return absl::StrCat("restore ", restore.id(), " of ", restore.order().tenant(), " is ",
                            state::JobState_Name(restore.state()));
      }
    }
    std::string wrong = Wrong(id_);
    for (size_t i = 0; wrong.empty() && i < undos_.size(); ++i) {
      wrong = Wrong(undos_[i]);
    }
    return wrong;
  }

  // Until all has ended; what is still wrong after a long time, or nothing.
  std::string Settle() {
    const absl::Time end = absl::Now() + kLongestSettling;
    std::string wrong;
    do {
      Resume();
      ResolveDoubts();
      site_.clock().Advance(absl::Milliseconds(1));
      std::this_thread::yield();
      wrong = Wrong();
    } while (!wrong.empty() && absl::Now() < end);
    return wrong;
  }

  void Walk(uint32_t seed) {
    random_.seed(seed);
    operations_ = absl::StrCat("seed ", seed, "\n");
    undos_.clear();
    LetGo();
    for (int i = Upto(8); i > 0; --i) {
      ScriptAny();
    }
    std::vector<std::string> tenants;
    for (int i = 1; i <= kTenantsAtFirst; ++i) {
      tenants.push_back(absl::StrCat("t", i));
    }
    id_ = Create(tenants, GroupOrder());
    absl::StrAppend(&operations_, "batch ", id_, "\n");
    for (int i = 0; i < kSteps; ++i) {
      Step();
    }
    LetGo();
    ASSERT_EQ(Settle(), "") << operations_;
    // A restart finds it as it was.
    const BatchView before = Get(id_);
    Begin();
    EXPECT_EQ(Get(id_).counts, before.counts) << operations_;
    EXPECT_EQ(StateOf(id_), before.record.state()) << operations_;
    // What was not undone can be brought to its end.
    ASSERT_THAT(batches_->Retry(id_, Ada(), ""), IsOk()) << operations_;
    ASSERT_EQ(Settle(), "") << operations_;
    const BatchView after = Get(id_);
    EXPECT_EQ(Count(after, BatchLineState::kSucceeded) + Count(after, BatchLineState::kUndone),
              after.record.lines())
        << operations_;
  }

  std::mt19937 random_;
  std::string operations_;
  std::string id_;
  std::vector<std::string> undos_;
};

TEST_F(BatchWalkTest, EndsWhateverIsOrderedAndSaysWhatBecameOfEachLine) {
  for (uint32_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
    Walk(seed);
  }
}

}  // namespace
}  // namespace reinstate
