#include "server/jobs/blocked_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/missing_rows.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// A batch of the tenants t0, t1, … of one store, whose restores are r0, r1, …
class BlockedLinesTest : public testing::Test {
 protected:
  // Of an undo if `undo_of` names the restores that it takes back.
  void Add(int lines, const std::string& undo_of = "") {
    for (int i = 0; i < lines; ++i) {
      state::BatchLine line;
      line.set_number(i);
      line.set_tenant(absl::StrCat("t", i));
      line.add_targets()->set_store("main");
      line.mutable_targets(0)->set_tenant(line.tenant());
      line.mutable_targets(0)->set_restore(absl::StrCat("r", i));
      line.mutable_targets(0)->set_undo_of(undo_of);
      board_.Put(line);
    }
  }

  void End(int line, state::JobState state, int64_t started, int64_t finished,
           const std::string& reason = "") {
    state::RestoreRecord restore;
    restore.set_id(absl::StrCat("r", line));
    restore.set_state(state);
    restore.set_started_us(started);
    restore.set_finished_us(finished);
    restore.mutable_failure()->set_reason(reason);
    board_.Update(restore);
  }
  // Its restore has begun then, and waits for others since; `more` ends why.
  void Block(int line, int64_t began, const std::string& more = "") {
    state::RestoreRecord restore;
    restore.set_id(absl::StrCat("r", line));
    restore.set_state(state::QUEUED);
    restore.mutable_wait()->set_began_us(began);
    restore.mutable_wait()->mutable_cause()->set_message(
        absl::StrCat("rows of table a refer to rows of table b", more));
    board_.Update(restore);
  }
  void Succeed(int line, int64_t finished) { End(line, state::SUCCEEDED, finished - 1, finished); }

  std::vector<std::string> Again() const { return FindBlockedLines(board_).again; }

  BatchBoard board_{/*dry_run=*/false};
};

TEST_F(BlockedLinesTest, ALineIsTriedAgainOnceAnotherHasBeenRestoredSinceItBegan) {
  Add(3);
  Block(0, 10);
  EXPECT_THAT(Again(), IsEmpty());
  Succeed(1, 20);
  EXPECT_THAT(Again(), ElementsAre("r0")) << "it may be that it needs nothing of the last one";
}

TEST_F(BlockedLinesTest, WhatWasRestoredBeforeItBeganDoesNotHelp) {
  Add(2);
  Succeed(1, 9);
  Block(0, 10);
  EXPECT_THAT(Again(), IsEmpty());
}

TEST_F(BlockedLinesTest, ALineIsNotTriedAgainAfterEachOfManyOthers) {
  Add(10);
  Block(0, 10);
  for (int i = 1; i < 5; ++i) {
    Succeed(i, 20 + i);
    EXPECT_THAT(Again(), IsEmpty()) << 9 - i << " are left";
  }
  Succeed(5, 30);
  EXPECT_THAT(Again(), ElementsAre("r0"));
}

TEST_F(BlockedLinesTest, OnlyOthersOfTheSameStoreHelp) {
  Add(2);
  state::BatchLine line;
  line.set_number(2);
  line.add_targets()->set_store("wiki");
  line.mutable_targets(0)->set_restore("r2");
  board_.Put(line);
  Block(0, 10);
  Succeed(2, 20);
  EXPECT_THAT(Again(), IsEmpty());
  Succeed(1, 30);
  EXPECT_THAT(Again(), ElementsAre("r0"));
}

TEST_F(BlockedLinesTest, WhatHasFailedIsNotTriedAgain) {
  Add(2);
  End(0, state::FAILED, 10, 11, "TENANT_BUSY");
  Succeed(1, 20);
  EXPECT_THAT(Again(), IsEmpty());
}

TEST_F(BlockedLinesTest, ThoseThatNothingHasHelpedAreNamedTogether) {
  Add(3);
  Succeed(2, 5);
  Block(0, 10);
  EXPECT_THAT(FindBlockedLines(board_).stuck, IsEmpty()) << "one is left that may help";
  Block(1, 11);
  const BlockedLines found = FindBlockedLines(board_);
  EXPECT_THAT(found.again, IsEmpty());
  ASSERT_THAT(found.stuck, SizeIs(2));
  EXPECT_EQ(found.stuck[0].first, "r0");
  EXPECT_THAT(
      found.stuck[0].second.message(),
      AllOf(HasSubstr("tenant t0 cannot be restored"), HasSubstr("The same holds of tenant t1"),
            HasSubstr("refer to rows of table b"), HasSubstr("(--without-table)")));
  EXPECT_EQ(found.stuck[1].first, "r1");
  EXPECT_THAT(found.stuck[1].second.message(), HasSubstr("The same holds of tenant t0"));
}

TEST_F(BlockedLinesTest, WhoLacksRowsOfNobodyIsNotNamedWithOthers) {
  Add(3);
  Block(0, 10);
  Block(1, 11);
  Block(2, 12, std::string(kRowsOfNobody));
  const BlockedLines found = FindBlockedLines(board_);
  ASSERT_THAT(found.stuck, SizeIs(3));
  EXPECT_THAT(found.stuck[0].second.message(),
              AllOf(HasSubstr("The same holds of tenant t1; if they need rows of each other"),
                    Not(HasSubstr("t2"))));
  EXPECT_THAT(found.stuck[2].second.message(), Not(HasSubstr("--without-table")));
  EXPECT_THAT(found.stuck[2].second.message(), HasSubstr("put them back by other means"));
}

TEST_F(BlockedLinesTest, AnUndoIsNotToldToComeFirstWithoutATable) {
  Add(2, "r9");
  Block(0, 10);
  Block(1, 11);
  const BlockedLines found = FindBlockedLines(board_);
  ASSERT_THAT(found.stuck, SizeIs(2));
  EXPECT_THAT(found.stuck[0].second.message(),
              AllOf(HasSubstr("tenant t0 cannot be undone"),
                    HasSubstr("The same holds of tenant t1"), Not(HasSubstr("--without-table"))));
}

TEST_F(BlockedLinesTest, OneAloneFailsWithWhatItWaitedFor) {
  Add(2);
  Block(0, 10);
  EXPECT_THAT(FindBlockedLines(board_).stuck, IsEmpty()) << "one is left that may help";
  End(1, state::FAILED, 10, 11, "TENANT_BUSY");
  const BlockedLines found = FindBlockedLines(board_);
  ASSERT_THAT(found.stuck, SizeIs(1));
  EXPECT_EQ(found.stuck[0].first, "r0");
  EXPECT_EQ(found.stuck[0].second.message(), "rows of table a refer to rows of table b");
}

TEST_F(BlockedLinesTest, HowManyWaitIsSaidWithWhatTheFirstWaitsFor) {
  Add(3);
  EXPECT_EQ(WaitingSentence(board_), "");
  Block(1, 10);
  Block(2, 10);
  EXPECT_EQ(WaitingSentence(board_),
            "2 restores are tried again once others of the batch are done, the first of tenant t1: "
            "rows of table a refer to rows of table b");
  EXPECT_EQ(board_.Count(BatchLineState::kQueued), 3);
}

}  // namespace
}  // namespace reinstate
