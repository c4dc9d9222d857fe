// What becomes of a restore whose commit was not answered.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "tests/unit/server/restore/restore_engine_fixture.h"

namespace reinstate {
namespace {

TEST_F(RestoreEngineTest, ALostAnswerIsSettledByTheToken) {
  hooks_.after_commit = [] { return MakeError(Reason::kCommitUnknown, "the answer was lost"); };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_EQ(restore.attempts(), 1);
  EXPECT_TRUE(world_.state()->GetCertificate(restore.id())->resolved_by_evidence());
  EXPECT_EQ(Live()["acme"], At()["acme"]);
}

TEST_F(RestoreEngineTest, ALostAnswerIsSettledByRowsWhereTheStoreDoesNotKnowTokens) {
  hooks_.after_commit = [] { return MakeError(Reason::kCommitUnknown, "the answer was lost"); };
  hooks_.resolve = CommitOutcome::kNotKnown;
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_EQ(restore.attempts(), 1);
}

TEST_F(RestoreEngineTest, AStoreThatIsGoneAfterTheCommitTakesNoUndoAway) {
  const auto before = Live();
  bool gone = false;
  hooks_.after_commit = [&] {
    gone = true;
    return absl::OkStatus();
  };
  hooks_.identity = [&] {
    const bool now = std::exchange(gone, false);
    return now ? MakeError(Reason::kUnavailable, "the store is gone") : absl::OkStatus();
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_EQ(restore.attempts(), 1);
  gone = false;
  hooks_.after_commit = nullptr;
  const state::RestoreRecord undone = world_.Undo(restore);
  ASSERT_EQ(undone.state(), state::SUCCEEDED) << undone.failure().message();
  EXPECT_EQ(Live(), before);
}

TEST_F(RestoreEngineTest, ACommitThatDidNotHappenIsFoundOutAndTriedAgain) {
  int commits = 0;
  hooks_.before_commit = [&] {
    return ++commits == 1 ? MakeError(Reason::kCommitUnknown, "the request was lost")
                          : absl::OkStatus();
  };
  hooks_.resolve = CommitOutcome::kNotKnown;
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  EXPECT_EQ(commits, 2);
  EXPECT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_EQ(Live()["acme"], At()["acme"]);
}

TEST_F(RestoreEngineTest, AStoreThatDoesNotAnswerAfterACommitLeavesNoDoubtButIsAskedByTheNextRun) {
  bool away = false;
  hooks_.after_commit = [&] {
    away = true;
    return MakeError(Reason::kCommitUnknown, "the answer was lost");
  };
  hooks_.identity = [&] {
    return away ? MakeError(Reason::kUnavailable, "the store is away") : absl::OkStatus();
  };
  const std::string id = world_.Create(Order(state::MIRROR));
  RunControl control;
  EXPECT_EQ(ReasonOf(world_.engine()->Run(id, &wrapped_, &control).status()), "UNAVAILABLE");
  EXPECT_EQ(world_.state()->GetRestore(id)->state(), state::QUEUED);
  EXPECT_TRUE(world_.state()->GetRestore(id)->has_intent());
  away = false;
  const state::RestoreRecord restore = world_.Run(id);
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_EQ(Live()["acme"], At()["acme"]);
}

TEST_F(RestoreEngineTest, ASettlementThatSomebodyElseCutsShortLeavesNoDoubtButIsTriedAgain) {
  int asked = 0;
  hooks_.after_commit = [&] {
    hooks_.identity = [&] {
      return ++asked == 1 ? MakeError(Reason::kCancelled, "by an administrator") : absl::OkStatus();
    };
    return MakeError(Reason::kCommitUnknown, "the answer was lost");
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_GT(asked, 1);
  EXPECT_EQ(Live()["acme"], At()["acme"]);
}

TEST_F(RestoreEngineTest, AStoreThatIsAwayIsNoFailureAndTheNextRunBeginsAnew) {
  const StoreModel before = Live();
  bool away = true;
  hooks_.begin = [&] {
    return away ? MakeError(Reason::kSessionLost, "the connection broke") : absl::OkStatus();
  };
  const std::string id = world_.Create(Order(state::MIRROR));
  RunControl control;
  const absl::Status run = world_.engine()->Run(id, &wrapped_, &control).status();
  EXPECT_EQ(ReasonOf(run), "UNAVAILABLE");
  EXPECT_THAT(std::string(run.message()), testing::HasSubstr("the connection broke"));
  EXPECT_EQ(world_.state()->GetRestore(id)->state(), state::QUEUED);
  EXPECT_EQ(Live(), before);
  away = false;
  EXPECT_EQ(world_.Run(id).state(), state::SUCCEEDED);
  EXPECT_EQ(Live()["acme"], At()["acme"]);
}

TEST_F(RestoreEngineTest, WhatTheEvidenceDoesNotSettleBlocksTheTenantUntilAPersonDoes) {
  hooks_.resolve = CommitOutcome::kNotKnown;
  hooks_.before_commit = [&] {
    // Lost on the way, and then the application writes the very rows.
    for (const char* key : {"1", "2", "9"}) {
      world_.Put("acme", "issues", key, "neither old nor ours");
    }
    return MakeError(Reason::kCommitUnknown, "lost");
  };
  state::RestoreOrder order = Order(state::OVERWRITE);
  order.add_tables("issues");
  const state::RestoreRecord restore = world_.Restore(order);
  ASSERT_EQ(restore.state(), state::IN_DOUBT);
  EXPECT_EQ(*world_.state()->InDoubt("main", "acme"), restore.id());

  state::Actor actor;
  actor.set_name("auditor");
  const auto resolved =
      world_.engine()->Resolve(restore.id(), /*committed=*/false, actor, "looked at the rows");
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->state(), state::FAILED);
  const state::AuditEntry audited = world_.state()->ListAudit(0, 100)->back();
  EXPECT_EQ(audited.actor().name(), "auditor");
  EXPECT_THAT(audited.details(), testing::HasSubstr(R"("reason":"looked at the rows")"));
  EXPECT_FALSE(world_.state()->InDoubt("main", "acme")->has_value());
  EXPECT_TRUE(HasReason(world_.engine()->Resolve(restore.id(), true, actor, "again").status(),
                        Reason::kNotInDoubt));
}

// So that it counts as what it is, and not as one that is tried again.
TEST_F(RestoreEngineTest, WhatHasWaitedAndIsInDoubtWaitsNoLonger) {
  hooks_.catalog = [](TenantMap* map) {
    for (MappedTable& table : map->tables) {
      table.may_be_obstructed = true;
    }
  };
  hooks_.find_obstacles = [](std::span<const Change> /*changes*/) {
    return std::vector<Obstacle>{{.constraint = "one_each", .owner = KeyOwner::kOtherTenant}};
  };
  state::RestoreOrder order = Order(state::OVERWRITE);
  order.add_tables("issues");
  order.set_batch("bat-1");
  const state::RestoreRecord waiting = world_.Restore(order);
  ASSERT_TRUE(waiting.has_wait());
  hooks_.find_obstacles = nullptr;
  hooks_.resolve = CommitOutcome::kNotKnown;
  hooks_.before_commit = [&] {
    for (const char* key : {"1", "2", "9"}) {
      world_.Put("acme", "issues", key, "neither old nor ours");
    }
    return MakeError(Reason::kCommitUnknown, "lost");
  };
  const state::RestoreRecord doubtful = world_.Run(waiting.id());
  ASSERT_EQ(doubtful.state(), state::IN_DOUBT);
  EXPECT_FALSE(doubtful.has_wait());
  EXPECT_FALSE(world_.state()->GetRestore(waiting.id())->has_wait());
}

// An error at any of these places leaves the tenant before or after, and the next run ends it.
TEST_F(RestoreEngineTest, AnErrorAnywhereEndsBeforeOrAfter) {
  for (const char* place :
       {"restore.planning", "restore.applying", "restore.verifying", "restore.before_intent",
        "restore.after_intent", "restore.after_commit"}) {
    world_.Put("acme", "issues", "9", absl::StrCat("newer, before ", place));
    ASSERT_TRUE(world_.faults()->ArmFromText(absl::StrCat(place, "=error")).ok());
    const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
    EXPECT_EQ(restore.state(), state::SUCCEEDED) << place << ": " << restore.failure().message();
    EXPECT_EQ(Live()["acme"], At()["acme"]) << place;
  }
}

}  // namespace
}  // namespace reinstate
