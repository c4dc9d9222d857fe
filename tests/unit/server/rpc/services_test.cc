#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "tests/unit/server/rpc/rpc_site.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;

class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest() {
    for (int i = 0; i < 5; ++i) {
      const std::string tenant = absl::StrCat("t", i);
      site_.Put(tenant, "tenant", "name", absl::StrCat("Tenant ", i));
      for (int row = 0; row <= i; ++row) {
        site_.Put(tenant, "issue", absl::StrCat(row), "text");
      }
    }
  }

  v1::CreateRestoreRequest Order(const std::string& tenant) {
    v1::CreateRestoreRequest request;
    request.mutable_spec()->set_store("main");
    request.mutable_spec()->set_tenant(tenant);
    request.mutable_spec()->set_at("latest");
    return request;
  }

  // Of the last audit entry with this action.
  std::string LastAuditedReason(const std::string& action) {
    const auto audit = site_.state().ListAudit(0, 1000);
    EXPECT_TRUE(audit.ok()) << audit.status();
    std::string reason = "(nothing was audited)";
    for (const state::AuditEntry& entry : *audit) {
      if (entry.action() == action) {
        reason = nlohmann::json::parse(entry.details()).at("reason");
      }
    }
    return reason;
  }

  RpcSite site_;
};

TEST_F(ServicesTest, ARestoreThatWasPlannedIsDoneProvedAndUndone) {
  const std::string snapshot = site_.TakeSnapshot().snapshot();
  site_.DeleteTenant("t3");

  v1::PlanRestoreRequest plan_request;
  *plan_request.mutable_restore() = Order("t3").spec();
  v1::Plan plan;
  ASSERT_EQ(ReasonOf(site_.restores().PlanRestore(NewContext().get(), plan_request, &plan)), "OK");
  v1::WatchPlanRequest watch;
  watch.set_plan(plan.id());
  const auto context = NewContext();
  const auto stream = site_.restores().WatchPlan(context.get(), watch);
  while (stream->Read(&plan)) {
  }
  ASSERT_EQ(plan.state(), v1::PLAN_STATE_READY) << plan.DebugString();
  EXPECT_EQ(plan.totals().inserted(), 5);
  EXPECT_EQ(plan.digest().size(), 64);
  EXPECT_EQ(plan.point().snapshot(), snapshot);
  EXPECT_EQ(plan.tenant().label(), "Tenant 3");

  v1::CreateRestoreRequest create;
  create.set_plan(plan.id());
  create.set_plan_digest(plan.digest());
  create.set_reason("they asked");
  create.set_reference("INC-1");
  create.set_actor("sam");
  v1::Restore restore;
  ASSERT_EQ(ReasonOf(site_.restores().CreateRestore(NewContext().get(), create, &restore)), "OK");
  restore = site_.WaitFor(restore.id());
  ASSERT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED) << restore.DebugString();
  EXPECT_EQ(restore.totals().inserted(), 5);

  v1::GetCertificateRequest certify;
  certify.set_restore(restore.id());
  v1::Certificate certificate;
  ASSERT_EQ(ReasonOf(site_.restores().GetCertificate(NewContext().get(), certify, &certificate)),
            "OK");
  EXPECT_EQ(certificate.inserted(), 5);
  EXPECT_EQ(certificate.plan_digest(), plan.digest());
  EXPECT_EQ(certificate.actor().name(), "sam");
  EXPECT_FALSE(certificate.actor().verified());
  EXPECT_EQ(certificate.reason(), "they asked");
  EXPECT_EQ(certificate.reference(), "INC-1");
  for (const v1::CertifiedTable& table : certificate.tables()) {
    EXPECT_EQ(table.expected().SerializeAsString(), table.found().SerializeAsString());
    EXPECT_EQ(table.found().sum().size(), 32);
  }

  v1::UndoRestoreRequest undo;
  undo.set_restore(restore.id());
  v1::Restore undone;
  ASSERT_EQ(ReasonOf(site_.restores().UndoRestore(NewContext().get(), undo, &undone)), "OK");
  undone = site_.WaitFor(undone.id());
  EXPECT_EQ(undone.state(), v1::RESTORE_STATE_SUCCEEDED) << undone.DebugString();
  EXPECT_EQ(undone.kind(), v1::RESTORE_KIND_UNDO);
  EXPECT_EQ(*site_.store().Get(*TenantId::Parse("t3"), "issue", RowKey("0")), std::nullopt);
  EXPECT_EQ(site_.WaitFor(restore.id()).state(), v1::RESTORE_STATE_UNDONE);
  EXPECT_EQ(ReasonOf(site_.restores().UndoRestore(NewContext().get(), undo, &undone)),
            "NOT_UNDOABLE");
}

TEST_F(ServicesTest, ARestoreFromAPlanThatNoLongerHoldsFailsAndChangesNothing) {
  site_.TakeSnapshot();
  site_.DeleteTenant("t3");
  v1::PlanRestoreRequest plan_request;
  *plan_request.mutable_restore() = Order("t3").spec();
  v1::Plan plan;
  ASSERT_EQ(ReasonOf(site_.restores().PlanRestore(NewContext().get(), plan_request, &plan)), "OK");
  v1::WatchPlanRequest watch;
  watch.set_plan(plan.id());
  const auto context = NewContext();
  const auto stream = site_.restores().WatchPlan(context.get(), watch);
  while (stream->Read(&plan)) {
  }
  site_.Put("t3", "issue", "0", "newer");
  v1::CreateRestoreRequest create;
  create.set_plan(plan.id());
  create.set_plan_digest(std::string(64, '0'));
  v1::Restore restore;
  EXPECT_EQ(ReasonOf(site_.restores().CreateRestore(NewContext().get(), create, &restore)),
            "PLAN_CHANGED");
  create.set_plan_digest(plan.digest());
  ASSERT_EQ(ReasonOf(site_.restores().CreateRestore(NewContext().get(), create, &restore)), "OK");
  restore = site_.WaitFor(restore.id());
  EXPECT_EQ(restore.state(), v1::RESTORE_STATE_FAILED);
  EXPECT_EQ(restore.failure().reason(), "PLAN_CHANGED");
  EXPECT_EQ(*site_.store().Get(*TenantId::Parse("t3"), "issue", RowKey("1")), std::nullopt);
}

TEST_F(ServicesTest, TheSameRequestTwiceIsOneRestoreAndAnotherWithItsIdIsRefused) {
  site_.TakeSnapshot();
  v1::CreateRestoreRequest request = Order("t1");
  request.set_request_id("once");
  v1::Restore first;
  v1::Restore second;
  ASSERT_EQ(ReasonOf(site_.restores().CreateRestore(NewContext().get(), request, &first)), "OK");
  ASSERT_EQ(ReasonOf(site_.restores().CreateRestore(NewContext().get(), request, &second)), "OK");
  EXPECT_EQ(first.id(), second.id());
  request.mutable_spec()->set_tenant("t2");
  EXPECT_EQ(ReasonOf(site_.restores().CreateRestore(NewContext().get(), request, &second)),
            "REQUEST_ID_REUSED");
}

TEST_F(ServicesTest, ValidateOnlyCreatesNothing) {
  site_.TakeSnapshot();
  v1::CreateRestoreRequest request = Order("t1");
  request.set_validate_only(true);
  v1::Restore restore;
  ASSERT_EQ(ReasonOf(site_.restores().CreateRestore(NewContext().get(), request, &restore)), "OK");
  EXPECT_EQ(restore.id(), "");
  EXPECT_NE(restore.point().snapshot(), "");
  v1::ListRestoresResponse list;
  ASSERT_EQ(ReasonOf(site_.restores().ListRestores(NewContext().get(), {}, &list)), "OK");
  EXPECT_EQ(list.restores_size(), 0);
}

TEST_F(ServicesTest, EveryTenantIsOnExactlyOnePageOfEachList) {
  site_.TakeSnapshot();
  site_.DeleteTenant("t1");
  site_.DeleteTenant("t4");
  const auto all = [&](v1::ListTenantsRequest request) {
    request.set_store("main");
    request.set_page_size(2);
    std::vector<std::string> tenants;
    v1::ListTenantsResponse page;
    do {
      request.set_page_token(page.next_page_token());
      EXPECT_EQ(ReasonOf(site_.tenants().ListTenants(NewContext().get(), request, &page)), "OK");
      EXPECT_LE(page.tenants_size(), 2);
      for (const v1::TenantSummary& tenant : page.tenants()) {
        tenants.push_back(absl::StrCat(tenant.ref().tenant(), "=", tenant.ref().label()));
      }
    } while (!page.next_page_token().empty());
    return tenants;
  };
  v1::ListTenantsRequest at;
  at.set_at("latest");
  EXPECT_THAT(all(at), ElementsAre("t0=Tenant 0", "t1=Tenant 1", "t2=Tenant 2", "t3=Tenant 3",
                                   "t4=Tenant 4"));
  v1::ListTenantsRequest live;
  live.set_live(true);
  EXPECT_THAT(all(live), ElementsAre("t0=Tenant 0", "t2=Tenant 2", "t3=Tenant 3"));
  v1::ListTenantsRequest lost;
  lost.set_lost_since("latest");
  EXPECT_THAT(all(lost), ElementsAre("t1=Tenant 1", "t4=Tenant 4"));
}

TEST_F(ServicesTest, APointOfAListStaysWhatTheFirstPageResolvedItTo) {
  site_.TakeSnapshot();
  v1::ListTenantsRequest request;
  request.set_store("main");
  request.set_at("latest");
  request.set_page_size(3);
  v1::ListTenantsResponse first;
  ASSERT_EQ(ReasonOf(site_.tenants().ListTenants(NewContext().get(), request, &first)), "OK");
  site_.DeleteTenant("t4");
  site_.TakeSnapshot();
  request.set_page_token(first.next_page_token());
  v1::ListTenantsResponse second;
  ASSERT_EQ(ReasonOf(site_.tenants().ListTenants(NewContext().get(), request, &second)), "OK");
  EXPECT_EQ(second.point().snapshot(), first.point().snapshot());
  ASSERT_EQ(second.tenants_size(), 2);
  EXPECT_EQ(second.tenants(1).ref().tenant(), "t4");
}

TEST_F(ServicesTest, ATenantIsFoundByItsLabelThoughTheLiveStoreHasLostIt) {
  site_.TakeSnapshot();
  site_.DeleteTenant("t2");
  v1::FindTenantsRequest request;
  request.set_query("TENANT-2");
  v1::FindTenantsResponse response;
  ASSERT_EQ(ReasonOf(site_.tenants().FindTenants(NewContext().get(), request, &response)), "OK");
  ASSERT_GE(response.matches_size(), 1);
  EXPECT_EQ(response.matches(0).ref().tenant(), "t2");
  EXPECT_EQ(response.matches(0).kind(), v1::TENANT_MATCH_KIND_NORMALISED);
  EXPECT_TRUE(response.matches(0).in_latest());
  request.set_limit(1);
  request.set_query("Tenant");
  ASSERT_EQ(ReasonOf(site_.tenants().FindTenants(NewContext().get(), request, &response)), "OK");
  EXPECT_EQ(response.matches_size(), 1);
  EXPECT_TRUE(response.truncated());
}

TEST_F(ServicesTest, ATenantIsShownAtThePointAndLive) {
  site_.TakeSnapshot();
  site_.DeleteTenant("t4");
  site_.Put("t4", "note", "1", "new");
  site_.TakeSnapshot();
  v1::GetTenantRequest request;
  request.set_store("main");
  request.set_tenant("t4");
  request.set_count_live(true);
  request.set_with_versions(true);
  v1::Tenant tenant;
  ASSERT_EQ(ReasonOf(site_.tenants().GetTenant(NewContext().get(), request, &tenant)), "OK");
  EXPECT_TRUE(tenant.exists_at_point());
  EXPECT_EQ(tenant.at_point().rows(), 1);
  EXPECT_EQ(tenant.live().rows(), 1);
  EXPECT_EQ(tenant.larger_before().counts().rows(), 6);
  EXPECT_EQ(tenant.larger_before().label(), "Tenant 4");
  EXPECT_EQ(tenant.versions_size(), 2);
  ASSERT_EQ(tenant.tables_size(), 1);
  EXPECT_EQ(tenant.tables(0).table(), "note");
  EXPECT_EQ(tenant.tables(0).live().rows(), 1);
  request.set_tenant("nobody");
  EXPECT_EQ(ReasonOf(site_.tenants().GetTenant(NewContext().get(), request, &tenant)),
            "TENANT_NOT_FOUND");
}

TEST_F(ServicesTest, SnapshotsAreHeldReleasedDeletedAndBroughtBack) {
  const std::string first = site_.TakeSnapshot().snapshot();
  site_.TakeSnapshot();
  v1::Snapshot snapshot;
  v1::HoldSnapshotRequest hold;
  hold.set_snapshot(first);
  EXPECT_EQ(ReasonOf(site_.snapshots().HoldSnapshot(NewContext().get(), hold, &snapshot)),
            "INVALID_ARGUMENT");
  hold.set_reason("evidence");
  ASSERT_EQ(ReasonOf(site_.snapshots().HoldSnapshot(NewContext().get(), hold, &snapshot)), "OK");
  EXPECT_TRUE(snapshot.held());
  EXPECT_EQ(snapshot.hold_reason(), "evidence");

  v1::DeleteSnapshotRequest erase;
  erase.set_snapshot(first);
  EXPECT_EQ(ReasonOf(site_.snapshots().DeleteSnapshot(NewContext().get(), erase, &snapshot)),
            "CONFIRMATION_NEEDED");
  erase.set_confirm(first);
  EXPECT_EQ(ReasonOf(site_.snapshots().DeleteSnapshot(NewContext().get(), erase, &snapshot)),
            "SNAPSHOT_HELD");
  v1::ReleaseSnapshotRequest release;
  release.set_snapshot(first);
  ASSERT_EQ(ReasonOf(site_.snapshots().ReleaseSnapshot(NewContext().get(), release, &snapshot)),
            "OK");
  erase.set_validate_only(true);
  ASSERT_EQ(ReasonOf(site_.snapshots().DeleteSnapshot(NewContext().get(), erase, &snapshot)), "OK");
  EXPECT_EQ(snapshot.state(), v1::SNAPSHOT_STATE_HIDDEN);
  const auto visible = [&] {
    v1::ListSnapshotsRequest request;
    request.set_store("main");
    v1::ListSnapshotsResponse response;
    EXPECT_EQ(ReasonOf(site_.snapshots().ListSnapshots(NewContext().get(), request, &response)),
              "OK");
    return response.snapshots_size();
  };
  EXPECT_EQ(visible(), 2);
  erase.set_validate_only(false);
  erase.set_request_id("erase-once");
  ASSERT_EQ(ReasonOf(site_.snapshots().DeleteSnapshot(NewContext().get(), erase, &snapshot)), "OK");
  EXPECT_EQ(snapshot.state(), v1::SNAPSHOT_STATE_HIDDEN);
  EXPECT_GT(snapshot.grace_end_time().seconds(), snapshot.hide_time().seconds());
  EXPECT_EQ(visible(), 1);
  v1::UndeleteSnapshotRequest undelete;
  undelete.set_snapshot(first);
  ASSERT_EQ(ReasonOf(site_.snapshots().UndeleteSnapshot(NewContext().get(), undelete, &snapshot)),
            "OK");
  EXPECT_EQ(visible(), 2);
  // The same request once more is the one that was carried out, and hides nothing anew.
  ASSERT_EQ(ReasonOf(site_.snapshots().DeleteSnapshot(NewContext().get(), erase, &snapshot)), "OK");
  EXPECT_EQ(visible(), 2);

  std::vector<std::string> actions;
  const auto audit = site_.state().ListAudit(0, 1000);
  ASSERT_TRUE(audit.ok()) << audit.status();
  for (const state::AuditEntry& entry : *audit) {
    if (entry.subject() == first) {
      actions.push_back(entry.action());
    }
  }
  EXPECT_THAT(actions,
              ElementsAre("snapshot.take_succeeded", "snapshot.hold_ordered", "snapshot.held",
                          "snapshot.hide_ordered", "snapshot.hide_failed",
                          "snapshot.release_ordered", "snapshot.released", "snapshot.hide_ordered",
                          "snapshot.hidden", "snapshot.undelete_ordered", "snapshot.undeleted"));
}

TEST_F(ServicesTest, ASnapshotIsNotChangedUnlessTheAuditHasTheOrder) {
  v1::HoldSnapshotRequest hold;
  hold.set_snapshot(site_.TakeSnapshot().snapshot());
  hold.set_reason("evidence");
  hold.set_request_id("request-1");
  v1::Snapshot snapshot;
  site_.faults().Arm("state.before_batch", [] { return MakeError(Reason::kNoSpace, "full"); });
  EXPECT_EQ(ReasonOf(site_.snapshots().HoldSnapshot(NewContext().get(), hold, &snapshot)),
            "NO_SPACE");
  v1::GetSnapshotRequest get;
  get.set_snapshot(hold.snapshot());
  ASSERT_EQ(ReasonOf(site_.snapshots().GetSnapshot(NewContext().get(), get, &snapshot)), "OK");
  EXPECT_FALSE(snapshot.held());
  site_.faults().Disarm("state.before_batch");
  ASSERT_EQ(ReasonOf(site_.snapshots().HoldSnapshot(NewContext().get(), hold, &snapshot)), "OK");
  EXPECT_TRUE(snapshot.held());
}

TEST_F(ServicesTest, SnapshotsAndRestoresArePagedNewestFirst) {
  std::vector<std::string> snapshots;
  std::vector<std::string> restores;
  for (int i = 0; i < 5; ++i) {
    snapshots.insert(snapshots.begin(), site_.TakeSnapshot().snapshot());
    restores.insert(restores.begin(), site_.Restore("t1", v1::RESTORE_MODE_CREATE_MISSING).id());
  }
  std::vector<std::string> listed;
  v1::ListSnapshotsRequest request;
  v1::ListSnapshotsResponse page;
  request.set_page_size(2);
  do {
    request.set_page_token(page.next_page_token());
    ASSERT_EQ(ReasonOf(site_.snapshots().ListSnapshots(NewContext().get(), request, &page)), "OK");
    for (const v1::Snapshot& snapshot : page.snapshots()) {
      listed.push_back(snapshot.id());
    }
  } while (!page.next_page_token().empty());
  EXPECT_EQ(listed, snapshots);

  listed.clear();
  v1::ListRestoresRequest restore_request;
  v1::ListRestoresResponse restore_page;
  restore_request.set_store("main");
  restore_request.set_tenant("t1");
  restore_request.set_page_size(2);
  do {
    restore_request.set_page_token(restore_page.next_page_token());
    ASSERT_EQ(
        ReasonOf(site_.restores().ListRestores(NewContext().get(), restore_request, &restore_page)),
        "OK");
    for (const v1::Restore& restore : restore_page.restores()) {
      listed.push_back(restore.id());
    }
  } while (!restore_page.next_page_token().empty());
  EXPECT_EQ(listed, restores);
}

TEST_F(ServicesTest, AStoreShowsItsCatalogAndTheSnapshotToGoBackTo) {
  const std::string snapshot = site_.TakeSnapshot().snapshot();
  v1::DiscoverStoreRequest discover;
  discover.set_store("main");
  v1::DiscoverStoreResponse discovered;
  ASSERT_EQ(ReasonOf(site_.stores().DiscoverStore(NewContext().get(), discover, &discovered)),
            "OK");
  EXPECT_EQ(discovered.catalog().tables_size(), 2);
  v1::GetStoreRequest get;
  get.set_store("main");
  v1::Store store;
  ASSERT_EQ(ReasonOf(site_.stores().GetStore(NewContext().get(), get, &store)), "OK");
  EXPECT_EQ(store.state(), v1::STORE_STATE_READY) << store.state_message();
  EXPECT_EQ(store.adapter(), v1::ADAPTER_KIND_MEMORY);
  EXPECT_EQ(store.identity(), "site");
  EXPECT_EQ(store.last_good_snapshot(), snapshot);
  EXPECT_EQ(store.snapshots(), 1);
  EXPECT_EQ(store.catalog().tables_size(), 2);
}

TEST_F(ServicesTest, RebindingNeedsTheIdentityThatTheStoreHasNow) {
  v1::RebindStoreRequest request;
  request.set_store("main");
  request.set_reason("moved");
  request.set_expected_identity("another");
  v1::Store store;
  EXPECT_EQ(ReasonOf(site_.stores().RebindStore(NewContext().get(), request, &store)),
            "CONFIRMATION_NEEDED");
  request.set_expected_identity("site");
  EXPECT_EQ(ReasonOf(site_.stores().RebindStore(NewContext().get(), request, &store)), "OK");
  EXPECT_EQ(LastAuditedReason("store.rebound"), "moved");
}

TEST_F(ServicesTest, TheAuditHasTheReasonOfEachOrder) {
  v1::TakeSnapshotRequest take;
  take.set_store("main");
  take.set_reason("before \"the\" move");
  v1::Job job;
  ASSERT_EQ(ReasonOf(site_.snapshots().TakeSnapshot(NewContext().get(), take, &job)), "OK");
  EXPECT_EQ(LastAuditedReason("snapshot.take_ordered"), take.reason());
  v1::ApplyRetentionRequest retain;
  retain.set_store("main");
  retain.set_reason("no space");
  ASSERT_EQ(ReasonOf(site_.snapshots().ApplyRetention(NewContext().get(), retain, &job)), "OK");
  EXPECT_EQ(LastAuditedReason("retention.apply_ordered"), "no space");
}

TEST_F(ServicesTest, AThrottleReplacesTheOneBeforeAndIsShown) {
  v1::ThrottleStoreRequest request;
  request.set_store("main");
  request.mutable_throttle()->set_rows_per_second(1000);
  request.mutable_throttle()->set_bytes_per_second(1 << 20);
  request.set_actor("sam");
  request.set_reason("customers notice it");
  request.set_request_id("throttle-once");
  v1::Store store;
  ASSERT_EQ(ReasonOf(site_.stores().ThrottleStore(NewContext().get(), request, &store)), "OK");
  EXPECT_EQ(store.throttle().rows_per_second(), 1000);

  v1::ThrottleStoreRequest other = request;
  other.set_request_id("throttle-again");
  other.mutable_throttle()->Clear();
  other.mutable_throttle()->set_max_running(2);
  ASSERT_EQ(ReasonOf(site_.stores().ThrottleStore(NewContext().get(), other, &store)), "OK");
  ASSERT_EQ(ReasonOf(site_.stores().ThrottleStore(NewContext().get(), request, &store)), "OK");
  v1::GetStoreRequest get;
  get.set_store("main");
  ASSERT_EQ(ReasonOf(site_.stores().GetStore(NewContext().get(), get, &store)), "OK");
  EXPECT_EQ(store.throttle().rows_per_second(), 0) << "the first one came twice, and holds once";
  EXPECT_EQ(store.throttle().bytes_per_second(), 0);
  EXPECT_EQ(store.throttle().max_running(), 2);
  EXPECT_EQ(store.holding_back(), "");
  const auto audit = site_.state().ListAudit(0, 1000);
  EXPECT_EQ(std::count_if(audit->begin(), audit->end(),
                          [](const auto& entry) { return entry.action() == "store.throttled"; }),
            2);
  other.set_request_id("throttle-once");
  EXPECT_EQ(ReasonOf(site_.stores().ThrottleStore(NewContext().get(), other, &store)),
            "REQUEST_ID_REUSED");
}

TEST_F(ServicesTest, AStoreSaysWhatHoldsItsRestoresBack) {
  site_.TakeSnapshot();
  site_.DeleteTenant("t4");
  v1::ThrottleStoreRequest request;
  request.set_store("main");
  request.mutable_throttle()->set_bytes_per_second(1);
  v1::Store store;
  ASSERT_EQ(ReasonOf(site_.stores().ThrottleStore(NewContext().get(), request, &store)), "OK");
  EXPECT_EQ(site_.Restore("t4", v1::RESTORE_MODE_CREATE_MISSING).state(),
            v1::RESTORE_STATE_SUCCEEDED);
  v1::GetStoreRequest get;
  get.set_store("main");
  ASSERT_EQ(ReasonOf(site_.stores().GetStore(NewContext().get(), get, &store)), "OK");
  EXPECT_THAT(store.holding_back(), ::testing::HasSubstr("1 bytes a second"));
}

TEST_F(ServicesTest, RefusesAThrottleThatMakesNoSense) {
  v1::ThrottleStoreRequest request;
  request.set_store("main");
  v1::Store store;
  const auto field = [&] {
    const WireError error =
        ReadError(site_.stores().ThrottleStore(NewContext().get(), request, &store));
    EXPECT_EQ(error.reason, "INVALID_ARGUMENT");
    return error.field;
  };
  EXPECT_EQ(field(), "throttle");
  request.mutable_throttle()->set_rows_per_second(-1);
  EXPECT_EQ(field(), "throttle.rows_per_second");
  request.mutable_throttle()->set_rows_per_second(0);
  request.mutable_throttle()->set_bytes_per_second(-1);
  EXPECT_EQ(field(), "throttle.bytes_per_second");
  request.mutable_throttle()->set_bytes_per_second(0);
  request.mutable_throttle()->set_max_running(-1);
  EXPECT_EQ(field(), "throttle.max_running");
  request.set_store("nope");
  EXPECT_EQ(ReasonOf(site_.stores().ThrottleStore(NewContext().get(), request, &store)),
            "STORE_NOT_FOUND");
}

TEST(ReadOnlyServices, ShowEverythingAndChangeNothing) {
  RpcSite site({.pool = {}, .read_only = MakeError(Reason::kStateLost, "The state was lost.")});
  site.Put("acme", "issue", "1", "one");
  v1::TakeSnapshotRequest take;
  take.set_store("main");
  v1::Job job;
  const WireError error = ReadError(site.snapshots().TakeSnapshot(NewContext().get(), take, &job));
  EXPECT_EQ(error.reason, "STATE_LOST");
  EXPECT_EQ(error.message, "The state was lost.");
  v1::CreateRestoreRequest create;
  create.mutable_spec()->set_store("main");
  v1::Restore restore;
  EXPECT_EQ(ReasonOf(site.restores().CreateRestore(NewContext().get(), create, &restore)),
            "STATE_LOST");
  v1::ThrottleStoreRequest throttle;
  throttle.set_store("main");
  throttle.mutable_throttle()->set_rows_per_second(1);
  v1::Store throttled;
  EXPECT_EQ(ReasonOf(site.stores().ThrottleStore(NewContext().get(), throttle, &throttled)),
            "STATE_LOST");
  v1::DiscoverStoreRequest discover;
  discover.set_store("main");
  v1::DiscoverStoreResponse discovered;
  EXPECT_EQ(ReasonOf(site.stores().DiscoverStore(NewContext().get(), discover, &discovered)), "OK");
  v1::ListStoresResponse stores;
  ASSERT_EQ(ReasonOf(site.stores().ListStores(NewContext().get(), {}, &stores)), "OK");
  EXPECT_EQ(stores.stores(0).state(), v1::STORE_STATE_HISTORY_READ_ONLY);
  EXPECT_EQ(stores.stores(0).state_message(), "The state was lost.");
}

}  // namespace
}  // namespace reinstate
