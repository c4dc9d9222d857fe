#include "storage/state/state_store.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/storage/state/state_fixture.h"

namespace reinstate {
namespace {

class StateStoreTest : public StateFixture {
 protected:
  void SetUp() override { Open(); }

  static std::vector<std::string> Ids(
      const absl::StatusOr<std::vector<state::RestoreRecord>>& list) {
    std::vector<std::string> ids;
    for (const auto& record : list.value()) {
      ids.push_back(record.id());
    }
    return ids;
  }

  static state::HookOutcome Hook(const std::string& name) {
    state::HookOutcome outcome;
    outcome.set_name(name);
    return outcome;
  }
};

using Strings = std::vector<std::string>;

TEST_F(StateStoreTest, KeepsItsIdAndSaysWhetherItWasMade) {
  EXPECT_TRUE(store_->created());
  const std::string id = store_->id();
  EXPECT_EQ(id.size(), 32U);
  Open();
  EXPECT_FALSE(store_->created());
  EXPECT_EQ(store_->id(), id);
}

TEST_F(StateStoreTest, RefusesASecondOneOnTheSameFolder) {
  const auto second = StateStore::Open(Options());
  EXPECT_TRUE(HasReason(second.status(), Reason::kDataDirectoryInUse)) << second.status();
}

TEST_F(StateStoreTest, GivesARestoreBackQueuedAfterReopening) {
  ASSERT_TRUE(Create("rst-1").ok());
  Open();
  const auto record = store_->GetRestore("rst-1");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->state(), state::QUEUED);
  EXPECT_EQ(record->revision(), 1);
  EXPECT_EQ(record->created_us(), absl::ToUnixMicros(clock_.Now()));
  EXPECT_TRUE(HasReason(store_->GetRestore("rst-2").status(), Reason::kRestoreNotFound));
}

TEST_F(StateStoreTest, MakesOneRestoreForTheSameRequestTwice) {
  const RequestKey request{"r1", "CreateRestore", "digest"};
  const auto first = store_->CreateRestore(request, Restore("rst-1"), Audit("created", "rst-1"));
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first->existed);
  Open();
  const auto second = store_->CreateRestore(request, Restore("rst-2"), Audit("created", "rst-2"));
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(second->existed);
  EXPECT_EQ(second->id, "rst-1");
  EXPECT_EQ(Ids(store_->ListRestores({}, "", 10)), Strings({"rst-1"}));
  EXPECT_EQ(store_->ListAudit(0, 10)->size(), 1U);
}

TEST_F(StateStoreTest, RefusesARequestIdForAnotherRequest) {
  ASSERT_TRUE(
      store_->CreateRestore({"r1", "CreateRestore", "a"}, Restore("rst-1"), AuditDraft()).ok());
  EXPECT_TRUE(HasReason(
      store_->CreateRestore({"r1", "CreateRestore", "b"}, Restore("rst-2"), AuditDraft()).status(),
      Reason::kRequestIdReused));
  EXPECT_TRUE(HasReason(store_->CreatePlan({"r1", "CreatePlan", "a"}, state::PlanRecord()).status(),
                        Reason::kInternal));
  state::PlanRecord plan;
  plan.set_id("plan-1");
  EXPECT_TRUE(HasReason(store_->CreatePlan({"r1", "CreatePlan", "a"}, plan).status(),
                        Reason::kRequestIdReused));
}

TEST_F(StateStoreTest, ForgetsRequestsAfterThirtyDays) {
  ASSERT_TRUE(store_->RecordRequest({"r1", "Hold", "a"}, "snap-1-1").ok());
  clock_.Advance(absl::Hours(24 * 30) - absl::Seconds(1));
  ASSERT_TRUE(store_->RemoveExpired().ok());
  EXPECT_EQ(*store_->FindRequest({"r1", "Hold", "a"}), std::optional<std::string>("snap-1-1"));
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(store_->RemoveExpired().ok());
  EXPECT_EQ(*store_->FindRequest({"r1", "Hold", "a"}), std::nullopt);
  EXPECT_EQ(*store_->FindRequest({"r1", "Hold", "b"}), std::nullopt);
  Open();  // the counts must have followed
}

TEST_F(StateStoreTest, ListsNewestFirstInPages) {
  for (const char* id : {"rst-1", "rst-2", "rst-3"}) {
    ASSERT_TRUE(Create(id).ok());
  }
  EXPECT_EQ(Ids(store_->ListRestores({}, "", 2)), Strings({"rst-3", "rst-2"}));
  EXPECT_EQ(Ids(store_->ListRestores({}, "rst-2", 2)), Strings({"rst-1"}));
  EXPECT_EQ(Ids(store_->ListRestores({}, "rst-1", 2)), Strings());
}

TEST_F(StateStoreTest, ListsByStoreTenantAndState) {
  ASSERT_TRUE(Create("rst-1", "acme").ok());
  ASSERT_TRUE(Create("rst-2", "zenith").ok());
  ASSERT_TRUE(Create("rst-3", "acme").ok());
  ASSERT_TRUE(End("rst-3", state::FAILED).ok());
  EXPECT_EQ(Ids(store_->ListRestores({"main", "acme", {}}, "", 10)), Strings({"rst-3", "rst-1"}));
  EXPECT_EQ(Ids(store_->ListRestores({"", "acme", {state::QUEUED}}, "", 10)), Strings({"rst-1"}));
  EXPECT_EQ(Ids(store_->ListRestores({"other", "", {}}, "", 10)), Strings());
}

TEST_F(StateStoreTest, GoesOnWithWhatHasNotEndedOldestFirst) {
  for (const char* id : {"rst-1", "rst-2", "rst-3", "rst-4"}) {
    ASSERT_TRUE(Create(id).ok());
  }
  ASSERT_TRUE(End("rst-2", state::SUCCEEDED).ok());
  ASSERT_TRUE(End("rst-3", state::IN_DOUBT).ok());
  Open();
  EXPECT_EQ(Ids(store_->UnfinishedRestores()), Strings({"rst-1", "rst-3", "rst-4"}));
}

TEST_F(StateStoreTest, ChangesNothingWhenTheChangeRefuses) {
  ASSERT_TRUE(Create("rst-1").ok());
  const auto refused = store_->UpdateRestore("rst-1", [](state::RestoreRecord* record) {
    record->set_label("x");
    return MakeError(Reason::kNotCancellable, "no");
  });
  EXPECT_TRUE(HasReason(refused.status(), Reason::kNotCancellable));
  EXPECT_EQ(store_->GetRestore("rst-1")->label(), "");
  const auto changed = store_->UpdateRestore("rst-1", [](state::RestoreRecord* record) {
    record->set_label("Acme");
    return absl::OkStatus();
  });
  EXPECT_EQ(changed->revision(), 2);
  EXPECT_EQ(store_->GetRestore("rst-1")->label(), "Acme");
}

TEST_F(StateStoreTest, EndsARestoreOnce) {
  Succeed("rst-1");
  EXPECT_TRUE(HasReason(End("rst-1", state::FAILED), Reason::kInternal));
  EXPECT_TRUE(
      HasReason(store_->UpdateRestore("rst-1", [](auto*) { return absl::OkStatus(); }).status(),
                Reason::kInternal));
  EXPECT_TRUE(HasReason(store_->RecordIntent("rst-1", state::Intent()), Reason::kInternal));
  EXPECT_EQ(store_->GetRestore("rst-1")->state(), state::SUCCEEDED);
}

TEST_F(StateStoreTest, KeepsTheCertificateOfWhatSucceeded) {
  Succeed("rst-1");
  ASSERT_TRUE(Create("rst-2").ok());
  ASSERT_TRUE(End("rst-2", state::FAILED).ok());
  auto certificate = store_->GetCertificate("rst-1");
  ASSERT_TRUE(certificate.ok());
  EXPECT_TRUE(HasReason(store_->GetCertificate("rst-2").status(), Reason::kRestoreNotFound));
  certificate->set_second_look_us(7);
  ASSERT_TRUE(store_->ReplaceCertificate(*certificate).ok());
  Open();
  EXPECT_EQ(store_->GetCertificate("rst-1")->second_look_us(), 7);
}

TEST_F(StateStoreTest, BlocksATenantWhileItsRestoreIsInDoubt) {
  ASSERT_TRUE(Create("rst-1").ok());
  ASSERT_TRUE(End("rst-1", state::IN_DOUBT).ok());
  Open();
  EXPECT_EQ(*store_->InDoubt("main", "acme"), std::optional<std::string>("rst-1"));
  EXPECT_EQ(*store_->InDoubt("main", "zenith"), std::nullopt);
  EXPECT_EQ(*store_->InDoubt("other", "acme"), std::nullopt);
  ASSERT_TRUE(End("rst-1", state::SUCCEEDED).ok());
  EXPECT_EQ(*store_->InDoubt("main", "acme"), std::nullopt);
}

// --- Undo ---

TEST_F(StateStoreTest, ReadsTheUndoBackInOrder) {
  Succeed("rst-1");
  Open();
  Strings keys;
  ASSERT_TRUE(store_
                  ->ReadUndo("rst-1",
                             [&](const state::UndoChunk& chunk) {
                               keys.push_back(chunk.rows(0).key());
                               return absl::OkStatus();
                             })
                  .ok());
  EXPECT_EQ(keys, Strings({"key0", "key1"}));
}

TEST_F(StateStoreTest, RefusesAnIntentThatCountsOtherUndoChunks) {
  ASSERT_TRUE(Create("rst-1").ok());
  state::Intent intent = AppendUndo("rst-1", 3);
  intent.set_undo_chunks(4);
  EXPECT_TRUE(HasReason(store_->RecordIntent("rst-1", intent), Reason::kInternal));
  EXPECT_FALSE(store_->GetRestore("rst-1")->has_intent());
}

TEST_F(StateStoreTest, RefusesUndoChunksOutOfOrder) {
  ASSERT_TRUE(Create("rst-1").ok());
  ASSERT_TRUE(store_->AppendUndo("rst-1", 0, Chunk("a").SerializeAsString()).ok());
  EXPECT_TRUE(
      HasReason(store_->AppendUndo("rst-1", 2, Chunk("c").SerializeAsString()), Reason::kInternal));
  EXPECT_TRUE(store_->AppendUndo("rst-1", 1, Chunk("b").SerializeAsString()).ok());
}

TEST_F(StateStoreTest, BeginsTheUndoAnewAfterAnEarlierAttempt) {
  ASSERT_TRUE(Create("rst-1").ok());
  AppendUndo("rst-1", 5);
  Open();
  ASSERT_TRUE(store_->RecordIntent("rst-1", AppendUndo("rst-1", 2)).ok());
  EXPECT_EQ(*CountUndo("rst-1"), 2);
}

TEST_F(StateStoreTest, FindsAnUndoShortWhoseChunksAreGone) {
  ASSERT_TRUE(Create("rst-1").ok());
  ASSERT_TRUE(store_->RecordIntent("rst-1", AppendUndo("rst-1", 2)).ok());
  ASSERT_TRUE(store_->DiscardUndo("rst-1").ok());
  EXPECT_TRUE(HasReason(CountUndo("rst-1").status(), Reason::kShortfall));
}

TEST_F(StateStoreTest, FindsAnUndoWithOtherRowsThanRecorded) {
  ASSERT_TRUE(Create("rst-1").ok());
  state::Intent intent = AppendUndo("rst-1", 2);
  intent.set_undo_digest(UndoDigest().Finish());
  ASSERT_TRUE(store_->RecordIntent("rst-1", intent).ok());
  EXPECT_TRUE(HasReason(CountUndo("rst-1").status(), Reason::kShortfall));
}

TEST_F(StateStoreTest, TakesAnIntentBackWithItsUndo) {
  ASSERT_TRUE(Create("rst-1").ok());
  ASSERT_TRUE(store_->RecordIntent("rst-1", AppendUndo("rst-1", 2)).ok());
  ASSERT_TRUE(store_->ClearIntent("rst-1").ok());
  EXPECT_FALSE(store_->GetRestore("rst-1")->has_intent());
  ASSERT_TRUE(store_->RecordIntent("rst-1", AppendUndo("rst-1", 1)).ok());
  EXPECT_EQ(*CountUndo("rst-1"), 1);
}

TEST_F(StateStoreTest, MarksARestoreUndoneInOneStepWithItsUndo) {
  Succeed("rst-1");
  state::RestoreRecord undo = Restore("rst-2");
  undo.mutable_order()->set_undo_of("rst-1");
  ASSERT_TRUE(store_->CreateRestore({}, undo, Audit("created", "rst-2")).ok());
  undo.set_id("rst-3");
  EXPECT_TRUE(HasReason(store_->CreateRestore({}, undo, AuditDraft()).status(),
                        Reason::kNotUndoable));  // is under way
  ASSERT_TRUE(End("rst-2", state::SUCCEEDED).ok());
  EXPECT_EQ(store_->GetRestore("rst-1")->state(), state::UNDONE);
  EXPECT_EQ(store_->GetRestore("rst-1")->undone_by(), "rst-2");
  EXPECT_TRUE(HasReason(store_->CreateRestore({}, undo, AuditDraft()).status(),
                        Reason::kNotUndoable));  // was undone
}

TEST_F(StateStoreTest, LetsARestoreBeUndoneAfterAnUndoThatFailed) {
  Succeed("rst-1");
  state::RestoreRecord undo = Restore("rst-2");
  undo.mutable_order()->set_undo_of("rst-1");
  ASSERT_TRUE(store_->CreateRestore({}, undo, AuditDraft()).ok());
  ASSERT_TRUE(End("rst-2", state::FAILED).ok());
  EXPECT_EQ(store_->GetRestore("rst-1")->state(), state::SUCCEEDED);
  undo.set_id("rst-3");
  EXPECT_TRUE(store_->CreateRestore({}, undo, AuditDraft()).ok());
}

TEST_F(StateStoreTest, RemovesUndosPastTheirExpiryButNotOneThatIsUnderWay) {
  Succeed("rst-1");
  Succeed("rst-2");
  state::RestoreRecord undo = Restore("rst-3");
  undo.mutable_order()->set_undo_of("rst-2");
  ASSERT_TRUE(store_->CreateRestore({}, undo, AuditDraft()).ok());
  clock_.Advance(absl::Hours(24 * 29));
  ASSERT_TRUE(store_->RemoveExpired().ok());
  EXPECT_EQ(*CountUndo("rst-1"), 2);
  clock_.Advance(absl::Hours(25));
  ASSERT_TRUE(store_->RemoveExpired().ok());
  EXPECT_TRUE(HasReason(CountUndo("rst-1").status(), Reason::kShortfall));
  EXPECT_EQ(*CountUndo("rst-2"), 2);
}

// --- Plans, jobs, witnesses, stores ---

TEST_F(StateStoreTest, KeepsPlansForADay) {
  state::PlanRecord plan;
  plan.set_id("plan-1");
  ASSERT_TRUE(store_->CreatePlan({}, plan).ok());
  plan.set_id("plan-2");
  ASSERT_TRUE(store_->CreatePlan({}, plan).ok());
  auto ready = store_->GetPlan("plan-1");
  ready->set_state(state::PLAN_READY);
  ASSERT_TRUE(store_->PutPlan(*ready).ok());
  EXPECT_EQ(store_->GetPlan("plan-1")->revision(), 2);
  EXPECT_EQ(store_->UnfinishedPlans()->size(), 1U);
  clock_.Advance(absl::Hours(24));
  ASSERT_TRUE(store_->RemoveExpired().ok());
  EXPECT_TRUE(HasReason(store_->GetPlan("plan-1").status(), Reason::kPlanNotFound));
  EXPECT_TRUE(store_->GetPlan("plan-2").ok());  // has not run yet
  EXPECT_TRUE(HasReason(store_->PutPlan(*ready), Reason::kPlanNotFound));
}

TEST_F(StateStoreTest, EndsASnapshotJobWithItsWitness) {
  state::HistoryJob job;
  job.set_id("job-1");
  job.set_store("main");
  ASSERT_TRUE(store_->CreateHistoryJob({}, job, Audit("snapshot.ordered", "job-1")).ok());
  auto running = store_->UpdateHistoryJob("job-1", [](state::HistoryJob* stored) {
    stored->set_state(state::RUNNING);
    return absl::OkStatus();
  });
  ASSERT_TRUE(running.ok());
  EXPECT_EQ(store_->UnfinishedHistoryJobs()->size(), 1U);
  running->set_state(state::SUCCEEDED);
  state::WitnessRecord witness;
  witness.set_snapshot("snap-1-1");
  witness.set_root_digest("d");
  ASSERT_TRUE(store_->EndHistoryJob(*running, witness, Audit("snapshot.taken", "snap-1-1")).ok());
  Open();
  EXPECT_EQ(store_->UnfinishedHistoryJobs()->size(), 0U);
  EXPECT_EQ(store_->GetHistoryJob("job-1")->state(), state::SUCCEEDED);
  ASSERT_EQ(store_->Witnesses()->size(), 1U);
  EXPECT_EQ(store_->Witnesses()->at(0).root_digest(), "d");
  ASSERT_TRUE(store_->RemoveWitnesses({"snap-1-1", "snap-1-9"}).ok());
  Open();
  EXPECT_EQ(store_->Witnesses()->size(), 0U);
}

TEST_F(StateStoreTest, ListsJobsOfAStore) {
  state::HistoryJob job;
  for (const char* id : {"job-1", "job-2", "job-3"}) {
    job.set_id(id);
    job.set_store(std::string(id) == "job-2" ? "other" : "main");
    ASSERT_TRUE(store_->CreateHistoryJob({}, job, AuditDraft()).ok());
  }
  EXPECT_EQ(store_->ListHistoryJobs("main", "", 10)->size(), 2U);
  EXPECT_EQ(store_->ListHistoryJobs("main", "job-3", 10)->at(0).id(), "job-1");
  EXPECT_EQ(store_->ListHistoryJobs("", "", 10)->size(), 3U);
  EXPECT_TRUE(HasReason(store_->GetHistoryJob("job-9").status(), Reason::kJobNotFound));
}

TEST_F(StateStoreTest, KeepsStores) {
  state::StoreRecord record;
  record.set_name("main");
  record.set_identity("a");
  ASSERT_TRUE(store_->PutStore(record, Audit("store.registered", "main")).ok());
  record.set_identity("b");
  ASSERT_TRUE(store_->PutStore(record, Audit("store.rebound", "main")).ok());
  Open();
  ASSERT_EQ(store_->Stores()->size(), 1U);
  EXPECT_EQ(store_->Stores()->at(0).identity(), "b");
}

// --- Audit ---

TEST_F(StateStoreTest, ChainsAuditEntriesWithoutGaps) {
  for (int i = 0; i < 5; ++i) {
    clock_.Advance(absl::Seconds(1));
    ASSERT_TRUE(store_->AppendAudit(Audit("a" + std::to_string(i), "s")).ok());
    Open();
  }
  const auto entries = store_->ListAudit(1, 3);
  ASSERT_EQ(entries->size(), 3U);
  EXPECT_EQ(entries->at(0).number(), 2);
  EXPECT_EQ(entries->at(0).action(), "a1");
  EXPECT_EQ(entries->at(1).previous(), entries->at(0).digest());
  EXPECT_EQ(entries->at(2).actor().name(), "ada");
  EXPECT_TRUE(store_->VerifyAudit().ok());
}

// --- Hooks ---

TEST_F(StateStoreTest, KnowsWhichEndedRestoresHooksAreStillToFollow) {
  for (const char* id : {"rst-1", "rst-2", "rst-3"}) {
    state::RestoreRecord record = Restore(id);
    record.set_hooks_pending(true);
    ASSERT_TRUE(store_->CreateRestore(RequestKey(), record, AuditDraft()).ok());
  }
  EXPECT_EQ(Ids(store_->RestoresWithPendingHooks()), Strings());
  ASSERT_TRUE(End("rst-3", state::SUCCEEDED).ok());
  ASSERT_TRUE(End("rst-1", state::SUCCEEDED).ok());
  EXPECT_EQ(Ids(store_->RestoresWithPendingHooks()), Strings({"rst-1", "rst-3"}));
  const auto written = store_->RecordHooks("rst-1", {Hook("index")}, false);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_FALSE(written->hooks_pending());
  EXPECT_EQ(written->state(), state::SUCCEEDED);
  Open();
  EXPECT_EQ(Ids(store_->RestoresWithPendingHooks()), Strings({"rst-3"}));
  EXPECT_EQ(store_->GetRestore("rst-1")->hooks(0).name(), "index");
  EXPECT_EQ(store_->GetRestore("rst-1")->revision(), written->revision());
}

TEST_F(StateStoreTest, HasNoHooksFollowWhatChangedNothingUnlessOnesWereBegunBeforeIt) {
  for (const state::JobState end : {state::FAILED, state::CANCELLED}) {
    const std::string name = state::JobState_Name(end);
    state::RestoreRecord record = Restore("rst-" + name + "-1");
    record.set_hooks_pending(true);
    ASSERT_TRUE(store_->CreateRestore(RequestKey(), record, AuditDraft()).ok());
    ASSERT_TRUE(End(record.id(), end).ok());
    EXPECT_FALSE(store_->GetRestore(record.id())->hooks_pending()) << name;
    record.set_id("rst-" + name + "-2");
    *record.add_hooks() = Hook("freeze");
    ASSERT_TRUE(store_->CreateRestore(RequestKey(), record, AuditDraft()).ok());
    ASSERT_TRUE(End(record.id(), end).ok());
    EXPECT_TRUE(store_->GetRestore(record.id())->hooks_pending()) << name;
  }
  EXPECT_EQ(store_->RestoresWithPendingHooks()->size(), 2U);
}

TEST_F(StateStoreTest, RecordsHooksOfEndedRestoresOnly) {
  ASSERT_TRUE(Create("rst-1").ok());
  EXPECT_TRUE(
      HasReason(store_->RecordHooks("rst-1", {Hook("index")}, true).status(), Reason::kInternal));
  EXPECT_TRUE(
      HasReason(store_->RecordHooks("rst-2", {}, false).status(), Reason::kRestoreNotFound));
  EXPECT_EQ(store_->GetRestore("rst-1")->hooks_size(), 0);
}

TEST_F(StateStoreTest, KeepsPendingHooksOfARestoreThatIsUndone) {
  state::RestoreRecord record = Restore("rst-1");
  record.set_hooks_pending(true);
  ASSERT_TRUE(store_->CreateRestore(RequestKey(), record, AuditDraft()).ok());
  ASSERT_TRUE(End("rst-1", state::SUCCEEDED).ok());
  record = Restore("rst-2");
  record.mutable_order()->set_undo_of("rst-1");
  ASSERT_TRUE(store_->CreateRestore(RequestKey(), record, AuditDraft()).ok());
  ASSERT_TRUE(End("rst-2", state::SUCCEEDED).ok());
  EXPECT_EQ(store_->GetRestore("rst-1")->state(), state::UNDONE);
  EXPECT_EQ(Ids(store_->RestoresWithPendingHooks()), Strings({"rst-1"}));
}

}  // namespace
}  // namespace reinstate
