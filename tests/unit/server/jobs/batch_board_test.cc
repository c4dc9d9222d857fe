#include "server/jobs/batch_board.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace reinstate {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'775'000'000);

state::BatchLine Line(int number, const std::vector<std::string>& restores, int64_t bytes = 100) {
  state::BatchLine line;
  line.set_number(number);
  line.set_tenant(absl::StrCat("t", number));
  for (const std::string& restore : restores) {
    state::BatchLine::Target* target = line.add_targets();
    target->set_store(absl::StrCat("store-", line.targets_size()));
    target->set_restore(restore);
    target->set_rows(bytes / 10);
    target->set_bytes(bytes);
  }
  return line;
}

state::RestoreRecord Restore(const std::string& id, state::JobState state, int64_t inserted = 0) {
  state::RestoreRecord restore;
  restore.set_id(id);
  restore.set_state(state);
  if (inserted > 0) {
    restore.mutable_plan()->add_tables()->set_inserted(inserted);
  }
  return restore;
}

TEST(BatchBoard, ALineIsDoneWhenAllItsStoresAre) {
  BatchBoard board(false);
  board.Put(Line(0, {"a", ""}));
  EXPECT_EQ(board.Count(BatchLineState::kQueued), 1);
  board.SetRunning("a", true, kNoon);
  EXPECT_EQ(board.lines()[0].state, BatchLineState::kRunning);
  EXPECT_TRUE(board.Due().empty());
  board.Update(Restore("a", state::SUCCEEDED, 5));
  EXPECT_EQ(board.lines()[0].state, BatchLineState::kRunning);
  ASSERT_EQ(board.Due().size(), 1U);
  EXPECT_EQ(board.Due()[0].target, 1U);
  board.Put(Line(0, {"a", "b"}));
  EXPECT_TRUE(board.Due().empty());
  board.Update(Restore("b", state::SUCCEEDED, 7));
  EXPECT_EQ(board.lines()[0].state, BatchLineState::kSucceeded);
  EXPECT_TRUE(board.AllEnded());
  EXPECT_EQ(board.rows().inserted, 12);
  EXPECT_EQ(board.done_bytes(), 200);
}

// A hook after the restore in one store may fail while that in the next one is under way, which
// then may have to wait for others of the batch.
TEST(BatchBoard, ALineHasNotFailedBeforeWhatItHasBegunHasEnded) {
  BatchBoard board(false);
  board.Put(Line(0, {"a", "b"}));
  state::RestoreRecord first = Restore("a", state::SUCCEEDED);
  state::HookOutcome* hook = first.add_hooks();
  hook->set_required(true);
  hook->set_after(true);
  hook->set_finished_us(1);
  board.Update(first);
  EXPECT_EQ(board.lines()[0].state, BatchLineState::kRunning);
  EXPECT_FALSE(board.AllEnded());
  board.Update(Restore("b", state::SUCCEEDED));
  EXPECT_EQ(board.lines()[0].state, BatchLineState::kFailed);
  EXPECT_TRUE(board.AllEnded());
}

TEST(BatchBoard, SumsUpWhatWaitsInEachStoreButForTheLargest) {
  for (const bool dry_run : {false, true}) {
    BatchBoard board(dry_run);
    board.Put(Line(0, {"a", ""}, 1000));
    board.Put(Line(1, {"b", ""}, 5000));
    board.Put(Line(2, {"c"}, 2000));
    board.Put(Line(3, {"d"}, 700));
    board.SetRunning("a", true, kNoon);
    board.Update(Restore("d", state::SUCCEEDED));
    const auto before = board.BeforeTheLast();
    if (dry_run) {
      EXPECT_EQ(before.size(), 1U);
      EXPECT_EQ(before.at("store-1").bytes, 0) << "only d is planned, and nothing goes before it";
      continue;
    }
    ASSERT_EQ(before.size(), 2U);
    EXPECT_EQ(before.at("store-1").rows, 200) << "c, and then b";
    EXPECT_EQ(before.at("store-1").bytes, 2000);
    EXPECT_EQ(before.at("store-2").rows, 100);
    EXPECT_EQ(before.at("store-2").bytes, 1000);
  }
}

TEST(BatchBoard, AProblemOfALineThatHasRestoresIsAFailureOrACancel) {
  BatchBoard board(false);
  state::BatchLine line = Line(0, {"a", ""});
  board.Put(line);
  board.Update(Restore("a", state::SUCCEEDED));
  line.mutable_problem()->set_reason("TENANT_IN_DOUBT");
  board.Put(line);
  EXPECT_EQ(board.lines()[0].state, BatchLineState::kFailed);
  line.mutable_problem()->set_reason("CANCELLED");
  board.Put(line);
  EXPECT_EQ(board.lines()[0].state, BatchLineState::kCancelled);
  line.clear_targets();
  board.Put(line);
  EXPECT_EQ(board.lines()[0].state, BatchLineState::kNotRestored);
}

TEST(BatchBoard, ShowsTheLastFailuresFirstAndNoneThatIsTriedAgain) {
  BatchBoard board(false);
  for (int i = 0; i < 3; ++i) {
    board.Put(Line(i, {absl::StrCat("r", i)}));
  }
  for (int i = 0; i < 3; ++i) {
    board.Update(Restore(absl::StrCat("r", i), state::FAILED));
  }
  EXPECT_EQ(board.Failures(2), (std::vector<size_t>{2, 1}));
  board.Put(Line(2, {"again"}));
  EXPECT_EQ(board.Failures(2), (std::vector<size_t>{1, 0}));
}

TEST(BatchBoard, ShowsTheLargestOfWhatRuns) {
  BatchBoard board(false);
  for (int i = 0; i < 3; ++i) {
    board.Put(Line(i, {absl::StrCat("r", i)}, 100 * (i + 1)));
    board.SetRunning(absl::StrCat("r", i), true, kNoon);
  }
  board.SetRunning("r2", false, kNoon);
  const auto running = board.Running(5);
  ASSERT_EQ(running.size(), 2U);
  EXPECT_EQ(running[0].line, 1U);
  EXPECT_EQ(running[1].line, 0U);
}

TEST(BatchBoard, ShowsTheHooksThatRunAfterTheRestoresThatDo) {
  BatchBoard board(false);
  for (int i = 0; i < 3; ++i) {
    board.Put(Line(i, {absl::StrCat("r", i)}, 100 * (i + 1)));
  }
  state::RestoreRecord done = Restore("r2", state::SUCCEEDED);
  done.set_hooks_pending(true);
  board.Update(done);
  EXPECT_TRUE(board.Running(5).empty()) << "it waits for a thread";
  board.SetHook("r2", HookAttempt{.name = "billing", .after = true});
  board.SetRunning("r0", true, kNoon);
  board.SetHook("r0", HookAttempt{.name = "freeze"});
  const auto running = board.Running(5);
  ASSERT_EQ(running.size(), 2U);
  EXPECT_EQ(running[0].line, 0U);
  EXPECT_EQ(running[1].line, 2U);
  EXPECT_EQ(board.At(running[1]).hook->name, "billing");
  EXPECT_EQ(board.lines()[2].state, BatchLineState::kRunning);
  board.SetHook("r2", std::nullopt);
  done.set_hooks_pending(false);
  board.Update(done);
  EXPECT_EQ(board.Running(5).size(), 1U);
  EXPECT_EQ(board.lines()[2].state, BatchLineState::kSucceeded);
}

TEST(BatchBoard, ShowsALineOnceOfWhichAHookOfOneStoreAndTheRestoreInTheNextRun) {
  BatchBoard board(false);
  board.Put(Line(0, {"a", "b", "c"}));
  state::RestoreRecord done = Restore("a", state::SUCCEEDED);
  done.set_hooks_pending(true);
  board.Update(done);
  board.SetHook("a", HookAttempt{.name = "billing", .after = true});
  board.SetRunning("b", true, kNoon);
  auto running = board.Running(5);
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running[0].target, 1U) << "the restore, which has progress";
  // Nor twice by hooks of two stores.
  done.set_id("b");
  board.Update(done);
  board.SetHook("b", HookAttempt{.name = "billing", .after = true});
  running = board.Running(5);
  ASSERT_EQ(running.size(), 1U);
}

// --- Against a naive model ---

// What a board should say, counted anew each time.
class Model {
 public:
  struct Target {
    std::string restore;
    int64_t bytes = 0;
    state::JobState state = state::QUEUED;
    bool running = false;
    int64_t inserted = 0;
  };
  struct Line {
    std::vector<Target> targets;
    bool problem = false;
  };

  Target* Find(const std::string& restore) {
    for (auto& [number, line] : lines) {
      for (Target& target : line.targets) {
        if (target.restore == restore) {
          return &target;
        }
      }
    }
    return nullptr;
  }

  static BatchLineState StateOf(const Line& line) {
    if (line.problem) {
      return BatchLineState::kNotRestored;
    }
    const auto count = [&](state::JobState state) {
      return std::count_if(line.targets.begin(), line.targets.end(),
                           [&](const Target& target) { return target.state == state; });
    };
    if (count(state::IN_DOUBT) > 0) {
      return BatchLineState::kInDoubt;
    }
    for (const auto& [job, shown] : std::vector<std::pair<state::JobState, BatchLineState>>{
             {state::UNDONE, BatchLineState::kUndone},
             {state::FAILED, BatchLineState::kFailed},
             {state::CANCELLED, BatchLineState::kCancelled}}) {
      if (count(job) > 0) {
        return count(state::QUEUED) > 0 ? BatchLineState::kRunning : shown;
      }
    }
    if (count(state::QUEUED) > 0) {
      const bool begun = count(state::SUCCEEDED) > 0 ||
                         std::any_of(line.targets.begin(), line.targets.end(),
                                     [](const Target& target) { return target.running; });
      return begun ? BatchLineState::kRunning : BatchLineState::kQueued;
    }
    return BatchLineState::kSucceeded;
  }

  std::map<int, Line> lines;
};

class BoardAgainstModel {
 public:
  explicit BoardAgainstModel(uint32_t seed) : random_(seed) {}

  // One change of both; what it was is kept in `operations`.
  void Step() {
    if (model_.lines.empty() || Upto(10) < 3) {
      PutLine();
      return;
    }
    std::vector<std::string> restores;
    for (const auto& [number, line] : model_.lines) {
      for (const Model::Target& target : line.targets) {
        restores.push_back(target.restore);
      }
    }
    if (!restores.empty()) {
      ChangeRestore(restores[static_cast<size_t>(Upto(static_cast<int>(restores.size()) - 1))]);
    }
  }

  void Compare() const {
    std::vector<int64_t> counts(kBatchLineStates);
    int64_t inserted = 0;
    int64_t total = 0;
    int64_t done = 0;
    size_t running = 0;
    size_t unfinished = 0;
    for (const auto& [number, line] : model_.lines) {
      ++counts[static_cast<size_t>(Model::StateOf(line))];
      running += std::any_of(line.targets.begin(), line.targets.end(),
                             [](const Model::Target& target) { return target.running; })
                     ? 1
                     : 0;
      for (const Model::Target& target : line.targets) {
        total += target.bytes;
        done += target.state != state::QUEUED ? target.bytes : 0;
        inserted += target.state == state::SUCCEEDED ? target.inserted : 0;
        unfinished += target.state == state::QUEUED ? 1 : 0;
      }
    }
    for (size_t i = 0; i < kBatchLineStates; ++i) {
      EXPECT_EQ(board_.Count(static_cast<BatchLineState>(i)), counts[i]) << "state " << i;
    }
    EXPECT_EQ(board_.rows().inserted, inserted);
    EXPECT_EQ(board_.total_bytes(), total);
    EXPECT_EQ(board_.done_bytes(), done);
    EXPECT_EQ(board_.total_rows(), total / 10);
    EXPECT_EQ(board_.done_rows(), done / 10);
    EXPECT_EQ(board_.Running(1'000'000).size(), running);
    EXPECT_EQ(board_.Unfinished().size(), unfinished);
  }

  std::string operations;

 private:
  int Upto(int most) { return std::uniform_int_distribution<int>(0, most)(random_); }

  // A new line, or one whose restores are in part new ones.
  void PutLine() {
    const int number = Upto(static_cast<int>(model_.lines.size()));
    Model::Line& line = model_.lines[number];
    if (line.targets.empty()) {
      line.problem = Upto(9) == 0;
      line.targets.resize(line.problem ? 0 : static_cast<size_t>(1 + Upto(2)));
    }
    state::BatchLine record;
    record.set_number(number);
    for (Model::Target& target : line.targets) {
      if (target.restore.empty() || Upto(1) == 0) {
        target = {.restore = absl::StrCat("r", ++restores_), .bytes = 10 * Upto(100)};
      }
      state::BatchLine::Target* wire = record.add_targets();
      wire->set_restore(target.restore);
      wire->set_bytes(target.bytes);
      wire->set_rows(target.bytes / 10);
    }
    if (line.problem) {
      record.mutable_problem()->set_reason("TENANT_NOT_AT_POINT");
    }
    absl::StrAppend(&operations, "put ", record.ShortDebugString(), "\n");
    board_.Put(record);
  }

  void ChangeRestore(const std::string& restore) {
    Model::Target* const target = model_.Find(restore);
    const int what = Upto(9);
    if (what < 4) {
      const bool running = Upto(1) == 0;
      target->running = running && target->state == state::QUEUED;
      board_.SetRunning(restore, running, kNoon);
      absl::StrAppend(&operations, restore, running ? " runs\n" : " stops\n");
      return;
    }
    if (what == 4) {
      target->state = state::UNDONE;
      target->running = false;
      board_.SetUndone(restore);
      absl::StrAppend(&operations, restore, " is undone\n");
      return;
    }
    static const std::vector<state::JobState> kStates = {
        state::RUNNING, state::IN_DOUBT, state::SUCCEEDED, state::FAILED, state::CANCELLED};
    const state::JobState state = kStates[static_cast<size_t>(Upto(4))];
    if (target->state != state::UNDONE || state != state::SUCCEEDED) {
      target->state = state == state::RUNNING ? state::QUEUED : state;
    }
    target->running = target->running && target->state == state::QUEUED;
    target->inserted = Upto(50) + 1;
    board_.Update(Restore(restore, state, target->inserted));
    absl::StrAppend(&operations, restore, " is ", state::JobState_Name(state), " with ",
                    target->inserted, " rows\n");
  }

  std::mt19937 random_;
  BatchBoard board_{false};
  Model model_;
  int restores_ = 0;
};

TEST(BatchBoard, ItsSumsStayWhatARecountGives) {
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    BoardAgainstModel both(seed);
    for (int step = 0; step < 200 && !testing::Test::HasFailure(); ++step) {
      both.Step();
      both.Compare();
    }
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed << "\n" << both.operations;
  }
}

}  // namespace
}  // namespace reinstate
