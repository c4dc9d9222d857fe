#include "server/restore/restore_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/live/memory/memory_store.h"
#include "storage/live/rocksdb/embedded_store.h"
#include "tests/support/restore_world.h"
#include "tests/support/wrapped_store.h"

namespace reinstate {
namespace {

const std::vector<std::string> kTenants = {"acme", "acm", "acme\x01", "'; DROP TABLE tenant; --",
                                           "übermut"};
const std::vector<std::string> kTables = {"attachments", "issues", "tenant"};
constexpr state::Mode kModes[] = {state::CREATE_MISSING, state::OVERWRITE, state::MIRROR};

// A tenant "acme" with a few rows that were snapshotted, changed and partly deleted since; and a
// bystander.
class RestoreEngineTest : public testing::Test {
 protected:
  RestoreEngineTest() {
    world_.Load(At());
    point_ = world_.TakeSnapshot();
    world_.Put("acme", "issues", "1", "changed");
    world_.Delete("acme", "issues", "2");
    world_.Put("acme", "issues", "9", "newer");
    world_.Put("bystander", "issues", "1", "newer too");
  }

  static StoreModel At() {
    return {{"acme",
             {{"issues", {{"1", "one"}, {"2", "two"}, {"3", "three"}}},
              {"tenant", {{"name", "Acme"}}}}},
            {"bystander", {{"issues", {{"1", "mine"}}}}}};
  }

  StoreModel Live() { return world_.Read({"acme", "bystander"}, kTables); }

  state::RestoreOrder Order(state::Mode mode) { return RestoreWorld::Order("acme", point_, mode); }

  MemoryStore store_;
  StoreHooks hooks_;
  WrappedStore wrapped_{&store_, &hooks_};
  RestoreWorld world_{&wrapped_, &store_};
  SnapshotInfo point_;
};

TEST_F(RestoreEngineTest, PutsMissingRowsBackAndKeepsNewerWorkByDefault) {
  const state::RestoreRecord restore = world_.Restore(Order(state::CREATE_MISSING));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  const TenantModel wanted = {
      {"issues", {{"1", "changed"}, {"2", "two"}, {"3", "three"}, {"9", "newer"}}},
      {"tenant", {{"name", "Acme"}}}};
  EXPECT_EQ(Live()["acme"], wanted);
  EXPECT_EQ(Live()["bystander"]["issues"]["1"], "newer too");
}

TEST_F(RestoreEngineTest, PlansNoChangeOfATableThatRefusesIt) {
  const auto plan = [this](state::Mode mode) {
    RunControl control;
    return world_.engine()->Plan(Order(mode), &wrapped_, &control).status();
  };
  hooks_.catalog = [](TenantMap* map) {
    for (MappedTable& table : map->tables) {
      table.write_refusal = table.schema.name == "issues" ? "it has been sealed" : "";
    }
  };
  const absl::Status refused = plan(state::CREATE_MISSING);
  EXPECT_EQ(ReasonOf(refused), "UNSUPPORTED");
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("issues"));
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("it has been sealed"));
  EXPECT_EQ(world_.Restore(Order(state::MIRROR)).failure().reason(), "UNSUPPORTED");

  hooks_.catalog = nullptr;
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  hooks_.catalog = [](TenantMap* map) { map->tables.front().write_refusal = "it has been sealed"; };
  ASSERT_EQ(store_.Catalog()->tables.front().schema.name, "issues");
  EXPECT_EQ(plan(state::MIRROR), absl::OkStatus()) << "nothing would be changed";
  const state::RestoreRecord undo = world_.Undo(restore);
  EXPECT_EQ(undo.failure().reason(), "UNSUPPORTED");
  EXPECT_THAT(undo.failure().message(), testing::HasSubstr("table issues"));
}

TEST_F(RestoreEngineTest, PlansNoReplacementInATableThatTakesOnlyInsertions) {
  hooks_.catalog = [](TenantMap* map) {
    for (MappedTable& table : map->tables) {
      table.replace_refusal = "its rows are set in stone";
    }
  };
  EXPECT_EQ(world_.Restore(Order(state::CREATE_MISSING)).state(), state::SUCCEEDED);
  const state::RestoreRecord refused = world_.Restore(Order(state::OVERWRITE));
  EXPECT_EQ(refused.failure().reason(), "UNSUPPORTED");
  EXPECT_THAT(refused.failure().message(), testing::HasSubstr("set in stone"));
}

TEST_F(RestoreEngineTest, PlansNoRowThatAnotherIsInTheWayOf) {
  hooks_.catalog = [](TenantMap* map) {
    for (MappedTable& table : map->tables) {
      table.may_be_obstructed = table.schema.name == "issues";
    }
  };
  std::vector<std::string> asked;
  Obstacle obstacle{.constraint = "one_each", .owner = KeyOwner::kThisTenant};
  hooks_.find_obstacles = [&](std::span<const Change> changes) {
    std::vector<Obstacle> found;
    for (size_t i = 0; i < changes.size(); ++i) {
      asked.push_back(changes[i].key.bytes());
      if (changes[i].key == RowKey("2")) {
        obstacle.change = i;
        found.push_back(obstacle);
      }
    }
    return found;
  };
  obstacle.key = RowKey("9");  // which is only live: a mirror deletes it
  EXPECT_EQ(world_.Restore(Order(state::CREATE_MISSING)).failure().reason(), "KEY_CONFLICT");
  EXPECT_THAT(asked, testing::ElementsAre("2")) << "the only one that is missing";
  const state::RestoreRecord refused = world_.Restore(Order(state::OVERWRITE));
  EXPECT_EQ(refused.failure().reason(), "KEY_CONFLICT");
  EXPECT_THAT(refused.failure().message(),
              testing::HasSubstr("row 2 of table issues (one_each: a row of the tenant itself)"));
  EXPECT_EQ(refused.plan().taken_count(), 1);
  EXPECT_EQ(world_.Restore(Order(state::MIRROR)).state(), state::SUCCEEDED);
}

TEST_F(RestoreEngineTest, WaitsInABatchWhereItFailsByItselfForRowsThatAreInItsWay) {
  hooks_.catalog = [](TenantMap* map) {
    for (MappedTable& table : map->tables) {
      table.may_be_obstructed = true;
    }
  };
  hooks_.find_obstacles = [](std::span<const Change> /*changes*/) {
    return std::vector<Obstacle>{{.constraint = "one_each", .owner = KeyOwner::kOtherTenant}};
  };
  state::RestoreOrder order = Order(state::CREATE_MISSING);
  EXPECT_EQ(world_.Restore(order).state(), state::FAILED);
  order.set_batch("bat-1");
  const state::RestoreRecord waiting = world_.Restore(order);
  EXPECT_EQ(waiting.state(), state::QUEUED);
  EXPECT_EQ(waiting.wait().cause().reason(), "KEY_CONFLICT");
  EXPECT_GT(waiting.wait().began_us(), 0);
  EXPECT_FALSE(waiting.has_failure());
  EXPECT_EQ(world_.state()->GetRestore(waiting.id())->revision(), waiting.revision());
  hooks_.find_obstacles = nullptr;
  const state::RestoreRecord done = world_.Run(waiting.id());
  EXPECT_EQ(done.state(), state::SUCCEEDED);
  EXPECT_FALSE(done.has_wait());
}

TEST_F(RestoreEngineTest, NeverAsksWhatIsInTheWayWhereNothingCanBe) {
  hooks_.find_obstacles = [](auto) { return MakeError(Reason::kInternal, "asked in vain"); };
  EXPECT_EQ(world_.Restore(Order(state::MIRROR)).state(), state::SUCCEEDED);
}

TEST_F(RestoreEngineTest, CertifiesWhatTheChecksOfTheStoreLetPass) {
  hooks_.exceptions = {"two rows have no parent"};
  const state::RestoreRecord restore = world_.Restore(Order(state::CREATE_MISSING));
  EXPECT_THAT(world_.state()->GetCertificate(restore.id())->exceptions(),
              testing::Contains("two rows have no parent"));
}

TEST_F(RestoreEngineTest, WarnsOfAStoreThatCouldNotTakeWhatIsPlanned) {
  const auto warnings = [this] {
    RunControl control;
    const auto plan = world_.engine()->Plan(Order(state::MIRROR), &wrapped_, &control);
    return plan.ok() ? plan->warnings_size() : -1;
  };
  EXPECT_EQ(warnings(), 0);
  hooks_.health = [] { return StoreHealth{.log_headroom_bytes = 4}; };
  EXPECT_EQ(warnings(), 1) << "a replication slot would be lost";
  hooks_.health = [] { return StoreHealth{.log_headroom_bytes = 1 << 30}; };
  EXPECT_EQ(warnings(), 0);
  hooks_.health = [] { return StoreHealth{.pressure = "wal_growth", .detail = "Too much."}; };
  EXPECT_EQ(warnings(), 1);
}

TEST_F(RestoreEngineTest, CertifiesEveryTableAndSaysWhatItKept) {
  const state::RestoreRecord restore = world_.Restore(Order(state::CREATE_MISSING));
  const auto certificate = world_.state()->GetCertificate(restore.id());
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ(certificate->inserted(), 1);
  EXPECT_EQ(certificate->replaced(), 0);
  ASSERT_EQ(certificate->findings_size(), 2);
  for (const state::TableFinding& finding : certificate->findings()) {
    EXPECT_EQ(finding.found().SerializeAsString(), finding.expected().SerializeAsString())
        << finding.name();
  }
  ASSERT_EQ(certificate->exceptions_size(), 1);
  EXPECT_NE(certificate->exceptions(0).find("2 live rows"), std::string::npos)
      << certificate->exceptions(0);
}

TEST_F(RestoreEngineTest, PlansWithoutChangingAnything) {
  const StoreModel before = Live();
  RunControl control;
  const auto plan = world_.engine()->Plan(Order(state::MIRROR), &wrapped_, &control);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->tables_size(), 2);
  const state::TableSummary& issues = plan->tables(0);
  EXPECT_EQ(issues.name(), "issues");
  EXPECT_EQ(issues.inserted(), 1);
  EXPECT_EQ(issues.replaced(), 1);
  EXPECT_EQ(issues.deleted(), 1);
  EXPECT_EQ(issues.unchanged(), 1);
  EXPECT_EQ(Live(), before);
}

TEST_F(RestoreEngineTest, DoesExactlyThePlanThatWasConsentedTo) {
  RunControl control;
  const auto plan = world_.engine()->Plan(Order(state::MIRROR), &wrapped_, &control);
  ASSERT_TRUE(plan.ok());
  world_.Put("bystander", "issues", "7", "a bystander's write changes nothing");
  state::RestoreOrder order = Order(state::MIRROR);
  order.set_plan_digest(plan->digest());
  EXPECT_EQ(world_.Restore(order).state(), state::SUCCEEDED);
}

TEST_F(RestoreEngineTest, RefusesAPlanThatNoLongerHolds) {
  RunControl control;
  const auto plan = world_.engine()->Plan(Order(state::MIRROR), &wrapped_, &control);
  ASSERT_TRUE(plan.ok());
  world_.Put("acme", "issues", "10", "written after the plan");
  const StoreModel before = Live();
  state::RestoreOrder order = Order(state::MIRROR);
  order.set_plan_digest(plan->digest());
  const state::RestoreRecord restore = world_.Restore(order);
  EXPECT_EQ(restore.state(), state::FAILED);
  EXPECT_EQ(restore.failure().reason(), "PLAN_CHANGED");
  EXPECT_EQ(Live(), before);
}

TEST_F(RestoreEngineTest, RestoresOnlyTheTablesThatWereNamed) {
  world_.Delete("acme", "tenant", "name");
  state::RestoreOrder order = Order(state::MIRROR);
  order.add_tables("tenant");
  ASSERT_EQ(world_.Restore(order).state(), state::SUCCEEDED);
  EXPECT_EQ(Live()["acme"]["tenant"]["name"], "Acme");
  EXPECT_EQ(Live()["acme"]["issues"]["1"], "changed");
}

TEST_F(RestoreEngineTest, RefusesATableThatDoesNotExist) {
  state::RestoreOrder order = Order(state::MIRROR);
  order.add_tables("no such table");
  EXPECT_EQ(world_.Restore(order).failure().reason(), "TABLE_NOT_FOUND");
}

TEST_F(RestoreEngineTest, RefusesAShrunkenPointUntilItIsAccepted) {
  world_.Delete("acme", "issues", "3");
  world_.Delete("acme", "issues", "9");
  world_.Delete("acme", "tenant", "name");
  point_ = world_.TakeSnapshot();
  const state::RestoreRecord refused = world_.Restore(Order(state::CREATE_MISSING));
  EXPECT_EQ(refused.failure().reason(), "POINT_SHRUNKEN");
  state::RestoreOrder order = Order(state::CREATE_MISSING);
  order.set_accept_shrunken(true);
  EXPECT_EQ(world_.Restore(order).state(), state::SUCCEEDED);
}

TEST_F(RestoreEngineTest, AMirrorNeedsConsentToKeepTablesThatTheSnapshotDoesNotCover) {
  world_.Put("acme", "made later", "1", "row");
  EXPECT_EQ(world_.Restore(Order(state::MIRROR)).failure().reason(), "TABLES_UNCOVERED");
  state::RestoreOrder order = Order(state::MIRROR);
  order.set_accept_uncovered(true);
  const state::RestoreRecord restore = world_.Restore(order);
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_EQ(world_.Read({"acme"}, {"made later"})["acme"]["made later"]["1"], "row");
}

TEST_F(RestoreEngineTest, EveryModeNeedsConsentToLeaveUnresolvedTablesOut) {
  world_.Put("acme", "odd", "1", "whose?");
  hooks_.catalog = [](TenantMap* map) {
    for (MappedTable& table : map->tables) {
      table.relation = table.schema.name == "odd" ? Relation::kUnresolved : table.relation;
    }
  };
  for (const state::Mode mode : kModes) {
    RunControl control;
    const auto plan = world_.engine()->Plan(Order(mode), &wrapped_, &control);
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_THAT(plan->unresolved_tables(), testing::ElementsAre("odd"));
    state::RestoreOrder order = Order(mode);
    EXPECT_EQ(world_.Restore(order).failure().reason(), "TABLE_UNRESOLVED");
    order.set_accept_uncovered(true);
    EXPECT_EQ(world_.Restore(order).state(), state::SUCCEEDED);
  }
}

TEST_F(RestoreEngineTest, PlansAgainWhenTheApplicationWritesTheSameRow) {
  int commits = 0;
  hooks_.before_commit = [&] {
    if (++commits == 1) {
      world_.Put("acme", "issues", "2", "the application was first");
    }
    return absl::OkStatus();
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::CREATE_MISSING));
  EXPECT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_EQ(restore.attempts(), 2);
  EXPECT_EQ(Live()["acme"]["issues"]["2"], "the application was first");
}

TEST_F(RestoreEngineTest, KeepsWhatTheApplicationWritesMeanwhileToOtherRows) {
  hooks_.before_commit = [&] {
    world_.Put("acme", "issues", "77", "written in the middle of the restore");
    return absl::OkStatus();
  };
  ASSERT_EQ(world_.Restore(Order(state::OVERWRITE)).state(), state::SUCCEEDED);
  EXPECT_EQ(Live()["acme"]["issues"]["77"], "written in the middle of the restore");
}

TEST_F(RestoreEngineTest, GivesUpAsTenantBusyWhenItLosesEveryRace) {
  int writes = 0;
  hooks_.before_commit = [&] {
    world_.Put("acme", "issues", "1", absl::StrCat("write ", ++writes));
    return absl::OkStatus();
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  EXPECT_EQ(restore.state(), state::FAILED);
  EXPECT_EQ(restore.failure().reason(), "TENANT_BUSY");
  EXPECT_TRUE(restore.failure().retryable());
  EXPECT_EQ(restore.attempts(), world_.engine_options().max_attempts);
  EXPECT_EQ(Live()["acme"]["issues"]["1"], absl::StrCat("write ", writes));
}

TEST_F(RestoreEngineTest, NothingHappensWhenItIsCancelledBeforeTheCommit) {
  const StoreModel before = Live();
  const std::string id = world_.Create(Order(state::MIRROR));
  RunControl control;
  world_.faults()->Arm("restore.verifying", [&] {
    const auto mark = [](state::RestoreRecord* record) {
      record->set_cancel_requested(true);
      record->mutable_cancelled_by()->set_name("eve");
      record->set_cancel_reason("the wrong tenant");
      return absl::OkStatus();
    };
    EXPECT_TRUE(world_.state()->UpdateRestore(id, mark).ok());
    control.Cancel();
    return absl::OkStatus();
  });
  EXPECT_EQ(world_.Run(id, &control).state(), state::CANCELLED);
  EXPECT_EQ(Live(), before);
  EXPECT_EQ(world_.state()->GetRestore(id)->cancelled_by().name(), "eve");
  const state::AuditEntry audited = world_.state()->ListAudit(0, 100)->back();
  EXPECT_EQ(audited.action(), "restore.cancelled");
  EXPECT_EQ(audited.actor().name(), "eve");
  EXPECT_THAT(audited.details(),
              testing::AllOf(testing::HasSubstr(R"("reason":"the wrong tenant")"),
                             testing::HasSubstr(R"("ordered_by":"test")")));
}

TEST_F(RestoreEngineTest, ACancelDuringTheCommitHasNoEffect) {
  RunControl control;
  hooks_.before_commit = [&] {
    control.Cancel();
    return absl::OkStatus();
  };
  EXPECT_EQ(world_.Restore(Order(state::MIRROR), &control).state(), state::SUCCEEDED);
}

TEST_F(RestoreEngineTest, AStopRollsBackAndTheNextRunFinishes) {
  const StoreModel before = Live();
  const std::string id = world_.Create(Order(state::MIRROR));
  {
    RunControl control;
    world_.faults()->Arm("restore.verifying", [&] {
      control.Stop();
      return absl::OkStatus();
    });
    EXPECT_TRUE(
        HasReason(world_.engine()->Run(id, &wrapped_, &control).status(), Reason::kShuttingDown));
    world_.faults()->Disarm("restore.verifying");
  }
  EXPECT_EQ(Live(), before);
  EXPECT_EQ(world_.state()->GetRestore(id)->state(), state::QUEUED);
  EXPECT_EQ(world_.Run(id).state(), state::SUCCEEDED);
}

// --- Another store at the same address ---

TEST_F(RestoreEngineTest, TouchesNoStoreButTheOneThatIsRegistered) {
  const StoreModel before = Live();
  const std::string undone = world_.Restore(Order(state::MIRROR)).id();
  const StoreModel after = Live();
  ASSERT_NE(after, before);
  world_.Bind("another");

  RunControl control;
  EXPECT_TRUE(
      HasReason(world_.engine()->Plan(Order(state::CREATE_MISSING), &wrapped_, &control).status(),
                Reason::kStoreIdentityChanged));
  const auto refused = [](const state::RestoreRecord& restore) {
    EXPECT_EQ(restore.state(), state::FAILED);
    EXPECT_EQ(restore.failure().reason(), "STORE_IDENTITY_CHANGED");
  };
  world_.Put("acme", "issues", "1", "changed again");
  const StoreModel changed = Live();
  refused(world_.Restore(Order(state::MIRROR)));
  refused(world_.Undo(*world_.state()->GetRestore(undone)));
  EXPECT_EQ(Live(), changed);
}

TEST_F(RestoreEngineTest, NoticesAnotherStoreThatComesBackAfterABreak) {
  const StoreModel before = Live();
  int attempts = 0;
  hooks_.begin = [&] {
    if (++attempts > 1) {
      return absl::OkStatus();
    }
    world_.Bind("the one that was there before the break");
    return MakeError(Reason::kSessionLost, "broke off");
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  EXPECT_EQ(restore.failure().reason(), "STORE_IDENTITY_CHANGED");
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(Live(), before);
}

TEST_F(RestoreEngineTest, AsksNoOtherStoreWhatBecameOfACommit) {
  bool committed = false;
  hooks_.after_commit = [&] {
    committed = true;
    return MakeError(Reason::kCommitUnknown, "the answer was lost");
  };
  // Another store answers from the moment on that the tenant's lock is asked for again.
  bool opened = false;
  hooks_.open_tenant = [&] { opened = committed; };
  hooks_.identity_found = [&](StoreIdentity* identity) {
    identity->id = opened ? "another" : identity->id;
  };
  hooks_.resolve = CommitOutcome::kNotCommitted;
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  EXPECT_EQ(restore.state(), state::IN_DOUBT);
}

// --- The answer of the commit is lost ---

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

// --- Verification is verified ---

// Stores that do something else than they were told, and do not say so.
struct Mutation {
  const char* name;
  std::function<absl::Status(TenantSession*, const Change&)> apply;
};

TEST_F(RestoreEngineTest, AStoreThatLosesAltersOrMisplacesARowIsNoticed) {
  const Change extra{
      .kind = ChangeKind::kInsert, .table = "issues", .key = RowKey("extra"), .new_payload = "row"};
  const std::vector<Mutation> mutations = {
      {"drops a row", [](TenantSession*, const Change&) { return absl::OkStatus(); }},
      {"alters a row",
       [](TenantSession* session, Change change) {
         change.new_payload += "!";
         return session->Apply(change);
       }},
      {"doubles a row under another key",
       [&](TenantSession* session, const Change& change) {
         RETURN_IF_ERROR(session->Apply(change));
         return session->Apply(extra);
       }},
      {"puts a row under another key", [](TenantSession* session, Change change) {
         change.key = RowKey(change.key.bytes() + "0");
         return session->Apply(change);
       }}};
  const StoreModel before = Live();
  for (const Mutation& mutation : mutations) {
    hooks_.apply = mutation.apply;
    const state::RestoreRecord restore = world_.Restore(Order(state::CREATE_MISSING));
    EXPECT_EQ(restore.failure().reason(), "VERIFICATION_MISMATCH") << mutation.name;
    EXPECT_EQ(Live(), before) << mutation.name;
  }
}

TEST_F(RestoreEngineTest, ControlCountingRowsAloneWouldNotNoticeAnAlteredRow) {
  // The naive check of a restore, the number of rows, on the same mutation: it is satisfied.
  auto session = *store_.OpenTenant(*TenantId::Parse("acme"), {});
  ASSERT_TRUE(session->Begin().ok());
  ASSERT_TRUE(session
                  ->Apply({.kind = ChangeKind::kInsert,
                           .table = "issues",
                           .key = RowKey("2"),
                           .new_payload = "two!"})
                  .ok());
  auto rows = *session->ReadTable("issues");
  Record record;
  int count = 0;
  while (*rows->Next(&record)) {
    ++count;
  }
  EXPECT_EQ(count, 4);
  rows.reset();
  ASSERT_TRUE(session->Seal().ok());
  ASSERT_TRUE(session->Commit(absl::InfiniteFuture()).ok());
  EXPECT_EQ(Live()["acme"]["issues"]["2"], "two!") << "the control must corrupt";
}

TEST_F(RestoreEngineTest, AMirrorIsLookedAtOnceMoreAndWhatArrivedMeanwhileIsSaid) {
  hooks_.after_commit = [&] {
    world_.Put("acme", "issues", "50", "arrived after the commit");
    return absl::OkStatus();
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED);
  const auto certificate = world_.state()->GetCertificate(restore.id());
  EXPECT_GT(certificate->second_look_us(), 0);
  ASSERT_EQ(certificate->second_look_size(), 1);
  EXPECT_EQ(certificate->second_look(0).name(), "issues");
  EXPECT_EQ(certificate->second_look(0).found().rows(), 4);
  EXPECT_EQ(certificate->exceptions_size(), 0);
}

TEST_F(RestoreEngineTest, AMirrorThatCouldNotBeLookedAtOnceMoreSaysSoInItsExceptions) {
  bool committed = false;
  hooks_.after_commit = [&] {
    committed = true;
    return absl::OkStatus();
  };
  hooks_.begin = [&] {
    return committed ? MakeError(Reason::kUnavailable, "the store is away") : absl::OkStatus();
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED);
  const auto certificate = world_.state()->GetCertificate(restore.id());
  EXPECT_EQ(certificate->second_look_us(), 0);
  ASSERT_EQ(certificate->exceptions_size(), 1);
  EXPECT_EQ(certificate->exceptions(0),
            "not compared once more since the commit: the store is away");
}

TEST_F(RestoreEngineTest, AStopEndsTheSecondLookOfAMirrorAndACancelDoesNot) {
  const auto look_after = [this](const std::vector<void (RunControl::*)()>& asked) {
    world_.Put("acme", "issues", "9", "newer");
    RunControl control;
    hooks_.after_commit = [&] {
      for (const auto ask : asked) {
        (control.*ask)();
      }
      return absl::OkStatus();
    };
    const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR), &control);
    EXPECT_EQ(restore.state(), state::SUCCEEDED);
    return *world_.state()->GetCertificate(restore.id());
  };
  EXPECT_GT(look_after({}).second_look_us(), 0);
  EXPECT_GT(look_after({&RunControl::Cancel}).second_look_us(), 0);
  for (const auto& asked : std::vector<std::vector<void (RunControl::*)()>>{
           {&RunControl::Stop}, {&RunControl::Cancel, &RunControl::Stop}}) {
    const state::Certificate certificate = look_after(asked);
    EXPECT_EQ(certificate.second_look_us(), 0);
    EXPECT_THAT(
        certificate.exceptions(),
        testing::ElementsAre("not compared once more since the commit: the daemon was stopped"));
  }
}

TEST_F(RestoreEngineTest, AMirrorThatAPersonResolvedSaysThatItWasNotLookedAtOnceMore) {
  hooks_.resolve = CommitOutcome::kNotKnown;
  hooks_.before_commit = [&] {
    for (const char* key : {"1", "2", "9"}) {
      world_.Put("acme", "issues", key, "neither old nor ours");
    }
    return MakeError(Reason::kCommitUnknown, "lost");
  };
  state::RestoreOrder order = Order(state::MIRROR);
  order.add_tables("issues");
  const state::RestoreRecord restore = world_.Restore(order);
  ASSERT_EQ(restore.state(), state::IN_DOUBT);
  ASSERT_TRUE(world_.engine()->Resolve(restore.id(), /*committed=*/true, {}, "looked").ok());
  const auto certificate = world_.state()->GetCertificate(restore.id());
  EXPECT_THAT(certificate->exceptions(),
              testing::Contains("not compared once more since the commit"));
}

// --- Undo ---

TEST_F(RestoreEngineTest, AnUndoRestoresWhatWas) {
  for (const state::Mode mode : kModes) {
    const StoreModel before = Live();
    const state::RestoreRecord restore = world_.Restore(Order(mode));
    ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
    ASSERT_NE(Live(), before);
    const state::RestoreRecord undo = world_.Undo(restore);
    ASSERT_EQ(undo.state(), state::SUCCEEDED) << undo.failure().message();
    EXPECT_EQ(Live(), before);
    EXPECT_EQ(world_.state()->GetRestore(restore.id())->state(), state::UNDONE);
    EXPECT_TRUE(world_.state()->GetCertificate(undo.id()).ok());
  }
}

TEST_F(RestoreEngineTest, AnUndoNeverClobbersNewerRows) {
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED);
  world_.Put("acme", "issues", "2", "worked on since the restore");
  const StoreModel before = Live();
  const state::RestoreRecord refused = world_.Undo(restore);
  EXPECT_EQ(refused.failure().reason(), "UNDO_CONFLICT");
  EXPECT_THAT(
      refused.failure().message(),
      testing::StartsWith("1 row has changed since the restore, the first in table issues"));
  ASSERT_EQ(refused.plan().conflicts_size(), 1);  // which one, for whoever asks
  EXPECT_EQ(Live(), before);

  const state::RestoreRecord undo = world_.Undo(restore, /*skip_conflicts=*/true);
  ASSERT_EQ(undo.state(), state::SUCCEEDED) << undo.failure().message();
  EXPECT_EQ(Live()["acme"]["issues"]["2"], "worked on since the restore");
  EXPECT_EQ(Live()["acme"]["issues"]["1"], "changed");
  EXPECT_EQ(world_.state()->GetCertificate(undo.id())->exceptions_size(), 1);
}

// --- Keys that can belong to somebody else ---

TEST(RestoreEngine, AKeyThatIsSomebodyElsesByNowIsAConflict) {
  MemoryStore store({.keys_span_tenants = true});
  RestoreWorld world(&store, &store);
  world.Load({{"acme", {{"issues", {{"1", "one"}, {"2", "two"}}}}}});
  const SnapshotInfo point = world.TakeSnapshot();
  world.DeleteTenant("acme");
  world.Put("thief", "issues", "2", "mine now");
  const state::RestoreRecord restore =
      world.Restore(RestoreWorld::Order("acme", point, state::OVERWRITE));
  EXPECT_EQ(restore.failure().reason(), "KEY_CONFLICT");
  EXPECT_EQ(restore.failure().message().find("mine now"), std::string::npos);
  const StoreModel live = world.Read({"acme", "thief"}, {"issues"});
  EXPECT_EQ(live, (StoreModel{{"thief", {{"issues", {{"2", "mine now"}}}}}}));
}

TEST(RestoreEngine, KeysAreLookedUpOnlyOnceAnInsertionHasFailed) {
  MemoryStore store({.keys_span_tenants = true});
  StoreHooks hooks;
  WrappedStore wrapped(&store, &hooks);
  RestoreWorld world(&wrapped, &store);
  world.Load({{"acme", {{"issues", {{"1", "one"}, {"2", "two"}}}}}});
  const SnapshotInfo point = world.TakeSnapshot();
  int looked_up = 0;
  hooks.looked_up = [&looked_up] { ++looked_up; };
  world.DeleteTenant("acme");
  const state::RestoreOrder order = RestoreWorld::Order("acme", point, state::OVERWRITE);
  const state::RestoreRecord restored = world.Restore(order);
  ASSERT_EQ(restored.state(), state::SUCCEEDED) << restored.failure().message();
  EXPECT_EQ(restored.attempts(), 1);
  EXPECT_EQ(looked_up, 0);
  // The control arm.
  world.DeleteTenant("acme");
  world.Put("thief", "issues", "2", "mine now");
  const state::RestoreRecord refused = world.Restore(order);
  EXPECT_EQ(refused.failure().reason(), "KEY_CONFLICT");
  EXPECT_EQ(refused.plan().conflict_count(), 1);
  EXPECT_EQ(refused.attempts(), 2);
  EXPECT_EQ(looked_up, 1);
}

TEST(RestoreEngine, APlanLooksUpKeysAtOnce) {
  MemoryStore store({.keys_span_tenants = true});
  RestoreWorld world(&store, &store);
  world.Load({{"acme", {{"issues", {{"1", "one"}, {"2", "two"}}}}}});
  const SnapshotInfo point = world.TakeSnapshot();
  world.DeleteTenant("acme");
  world.Put("thief", "issues", "2", "mine now");
  RunControl control;
  const auto plan =
      world.engine()->Plan(RestoreWorld::Order("acme", point, state::OVERWRITE), &store, &control);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->conflict_count(), 1);
}

TEST(RestoreEngine, ARestoreFromAPlanWithAConflictNamesTheConflict) {
  MemoryStore store({.keys_span_tenants = true});
  RestoreWorld world(&store, &store);
  world.Load({{"acme", {{"issues", {{"1", "one"}, {"2", "two"}}}}}});
  const SnapshotInfo point = world.TakeSnapshot();
  world.DeleteTenant("acme");
  world.Put("thief", "issues", "2", "mine now");
  state::RestoreOrder order = RestoreWorld::Order("acme", point, state::OVERWRITE);
  RunControl control;
  const auto plan = world.engine()->Plan(order, &store, &control);
  ASSERT_TRUE(plan.ok()) << plan.status();
  order.set_plan_digest(plan->digest());
  // Nothing has changed since the plan: to plan again, as PLAN_CHANGED says, would lead nowhere.
  EXPECT_EQ(world.Restore(order).failure().reason(), "KEY_CONFLICT");
  // What has changed since is not taken for a conflict.
  world.Delete("thief", "issues", "2");
  world.Put("acme", "issues", "1", "newer");
  EXPECT_EQ(world.Restore(order).failure().reason(), "PLAN_CHANGED");
}

// --- Against a model ---

// Random writes of several tenants, and what they must have led to.
class RandomHistory {
 public:
  RandomHistory(uint32_t seed, RestoreWorld* world) : random_(seed), world_(world) {}

  void Write(int writes) {
    for (int i = 0; i < writes; ++i) {
      WriteOne(kTenants[Pick(kTenants.size())]);
    }
  }

  void WriteOne(const std::string& tenant) {
    const std::string& table = kTables[Pick(kTables.size())];
    const std::string key = Key();
    TableModel& rows = model_[tenant][table];
    if (Pick(4) == 0) {
      world_->Delete(tenant, table, key);
      rows.erase(key);
    } else {
      rows[key] =
          std::string(Pick(3) == 0 ? Pick(3000) : Pick(20), static_cast<char>('a' + Pick(26)));
      world_->Put(tenant, table, key, rows[key]);
    }
    Prune(tenant, table);
  }

  StoreModel& model() { return model_; }
  size_t Pick(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }

 private:
  // Few different ones, with bytes that break naive keys.
  std::string Key() {
    static const std::vector<std::string> kParts = {"", std::string("\0", 1), "\xff", "a", "ab",
                                                    "'"};
    return kParts[Pick(kParts.size())] + std::to_string(Pick(12)) + kParts[Pick(kParts.size())];
  }

  void Prune(const std::string& tenant, const std::string& table) {
    if (model_[tenant][table].empty()) {
      model_[tenant].erase(table);
    }
    if (model_[tenant].empty()) {
      model_.erase(tenant);
    }
  }

  std::mt19937 random_;
  RestoreWorld* const world_;
  StoreModel model_;
};

// The stores that the model is tried on.
enum class StoreKind { kMemory, kEmbeddedBatches, kEmbeddedGenerations };

struct ModelCase {
  uint32_t seed = 0;
  StoreKind kind = StoreKind::kMemory;
};

std::string CaseName(const testing::TestParamInfo<ModelCase>& info) {
  constexpr const char* kNames[] = {"Memory", "EmbeddedBatches", "EmbeddedGenerations"};
  return absl::StrCat(kNames[static_cast<int>(info.param.kind)], "Seed", info.param.seed);
}

std::vector<ModelCase> ModelCases() {
  std::vector<ModelCase> cases;
  for (const StoreKind kind :
       {StoreKind::kMemory, StoreKind::kEmbeddedBatches, StoreKind::kEmbeddedGenerations}) {
    for (uint32_t seed = 1; seed <= 4; ++seed) {
      cases.push_back({.seed = seed, .kind = kind});
    }
  }
  return cases;
}

class RestoreEngineModelTest : public testing::TestWithParam<ModelCase> {
 protected:
  RestoreEngineModelTest() {
    if (GetParam().kind == StoreKind::kMemory) {
      auto store = std::make_unique<MemoryStore>();
      world_.emplace(store.get(), store.get());
      store_ = std::move(store);
      return;
    }
    const size_t batch_bytes = GetParam().kind == StoreKind::kEmbeddedBatches ? 64 << 20 : 64;
    auto store =
        EmbeddedStore::Open({.path = folder_.path() + "/store", .max_batch_bytes = batch_bytes});
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      return;
    }
    world_.emplace(store->get(), store->get());
    store_ = *std::move(store);
  }
  ~RestoreEngineModelTest() override { world_.reset(); }

  TempDir folder_;
  std::unique_ptr<LiveStore> store_;
  std::optional<RestoreWorld> world_;
};

TEST_P(RestoreEngineModelTest, TheTenantObeysItsModeAllOthersAreUntouchedAndTheUndoIsExact) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam().seed));
  ASSERT_TRUE(world_.has_value());
  RestoreWorld& world = *world_;
  RandomHistory history(GetParam().seed, &world);
  std::vector<std::pair<SnapshotInfo, StoreModel>> points;
  for (int i = 0; i < 3; ++i) {
    history.Write(150);
    points.emplace_back(world.TakeSnapshot(), history.model());
  }
  history.Write(100);
  for (int round = 0; round < 6; ++round) {
    const auto& [point, at_point] = points[history.Pick(points.size())];
    const std::string& tenant = kTenants[history.Pick(kTenants.size())];
    const state::Mode mode = kModes[history.Pick(3)];
    if (!at_point.contains(tenant)) {
      continue;
    }
    const StoreModel before = history.model();
    state::RestoreOrder order = RestoreWorld::Order(tenant, point, mode);
    order.set_accept_shrunken(true);
    const state::RestoreRecord restore = world.Restore(order);
    ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
    StoreModel wanted = before;
    const auto live = before.find(tenant);
    wanted[tenant] =
        ModelAfter(live == before.end() ? TenantModel() : live->second, at_point.at(tenant), mode);
    ASSERT_EQ(world.Read(kTenants, kTables), wanted) << "round " << round;
    if (history.Pick(2) == 0) {
      ASSERT_EQ(world.Undo(restore).state(), state::SUCCEEDED);
      ASSERT_EQ(world.Read(kTenants, kTables), before) << "undo, round " << round;
    } else {
      history.model() = wanted;
    }
    history.Write(20);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, RestoreEngineModelTest, testing::ValuesIn(ModelCases()), CaseName);

}  // namespace
}  // namespace reinstate
