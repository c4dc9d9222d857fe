#include "server/restore/restore_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/live/memory/memory_store.h"
#include "tests/support/restore_world.h"
#include "tests/unit/server/restore/restore_engine_fixture.h"

namespace reinstate {
namespace {

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

TEST_F(RestoreEngineTest, WhatSomebodyElseCutsShortIsTriedAgain) {
  int changes = 0;
  hooks_.apply = [&](TenantSession* session, const Change& change) {
    return ++changes == 1 ? MakeError(Reason::kCancelled, "by an administrator")
                          : session->Apply(change);
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  EXPECT_EQ(restore.attempts(), 2);
  EXPECT_EQ(Live()["acme"], At()["acme"]);
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

}  // namespace
}  // namespace reinstate
