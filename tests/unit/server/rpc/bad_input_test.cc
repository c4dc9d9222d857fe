// What hostile or mistaken clients send: each gets an error with a reason of the table, and nothing
// changes.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <string>
#include <vector>

#include "storage/base/error.h"
#include "tests/unit/server/rpc/rpc_site.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;

// Ids that are texts, as protocol buffers see it, and still no good.
std::vector<std::string> HostileTenants() {
  return {"", std::string("a\0b", 3), std::string(64 << 10, 'x'), std::string(1025, 'y')};
}

class BadInputTest : public ::testing::Test {
 protected:
  // Sends any bytes to any method.
  grpc::Status CallRaw(const std::string& method, const std::string& bytes) {
    grpc::GenericStub stub(site_.channel());
    grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    const auto context = NewContext();
    stub.UnaryCall(context.get(), "/reinstate.v1." + method, grpc::StubOptions(), &request,
                   &response, [&](grpc::Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }

  static void ExpectKnown(const grpc::Status& status) {
    const WireError error = ReadError(status);
    EXPECT_TRUE(std::any_of(AllReasons().begin(), AllReasons().end(),
                            [&](const ReasonInfo& info) { return info.name == error.reason; }))
        << error.reason << " " << error.message;
    EXPECT_EQ(error.domain, "reinstate");
    EXPECT_NE(error.message, "");
  }

  grpc::Status Put(const std::string& tenant, const std::string& table, const std::string& key,
                   const std::string& payload) {
    v1::PutRequest request;
    request.mutable_record()->set_tenant(tenant);
    request.mutable_record()->set_table(table);
    request.mutable_record()->set_key(key);
    request.mutable_record()->set_payload(payload);
    v1::PutResponse response;
    return site_.records().Put(NewContext().get(), request, &response);
  }

  RpcSite site_;
};

TEST_F(BadInputTest, BytesThatAreNoMessageAreInvalidArgumentForEveryMethod) {
  for (const char* method : {"StoreService/ListStores",
                             "StoreService/GetStore",
                             "StoreService/DiscoverStore",
                             "StoreService/RebindStore",
                             "StoreService/ThrottleStore",
                             "SnapshotService/TakeSnapshot",
                             "SnapshotService/GetSnapshot",
                             "SnapshotService/ListSnapshots",
                             "SnapshotService/VerifySnapshot",
                             "SnapshotService/HoldSnapshot",
                             "SnapshotService/ReleaseSnapshot",
                             "SnapshotService/DeleteSnapshot",
                             "SnapshotService/UndeleteSnapshot",
                             "SnapshotService/LiftCollapse",
                             "SnapshotService/ResolvePoint",
                             "SnapshotService/ApplyRetention",
                             "JobService/GetJob",
                             "JobService/ListJobs",
                             "JobService/WatchJob",
                             "JobService/CancelJob",
                             "TenantService/ListTenants",
                             "TenantService/FindTenants",
                             "TenantService/GetTenant",
                             "TenantService/CompareTenant",
                             "RestoreService/PlanRestore",
                             "RestoreService/GetPlan",
                             "RestoreService/WatchPlan",
                             "RestoreService/CreateRestore",
                             "RestoreService/GetRestore",
                             "RestoreService/ListRestores",
                             "RestoreService/WatchRestore",
                             "RestoreService/CancelRestore",
                             "RestoreService/UndoRestore",
                             "RestoreService/ResolveRestore",
                             "RestoreService/GetCertificate",
                             "RecordService/Put",
                             "RecordService/Delete",
                             "RecordService/Get",
                             "RecordService/Scan",
                             "RecordService/Write",
                             "RecordService/DeleteTenant"}) {
    const WireError error = ReadError(CallRaw(method, "\xFF\xFF\xFF"));
    EXPECT_EQ(error.reason, "INVALID_ARGUMENT") << method << ": " << error.message;
    EXPECT_THAT(error.message, HasSubstr("no valid reinstate.v1.")) << method;
  }
}

TEST_F(BadInputTest, TextThatIsNotUtf8IsInvalidArgument) {
  // Field 1, a text of two bytes.
  const WireError error = ReadError(CallRaw("StoreService/GetStore", "\x0A\x02\xC3\x28"));
  EXPECT_EQ(error.reason, "INVALID_ARGUMENT");
  EXPECT_THAT(error.message, HasSubstr("UTF-8"));
}

TEST_F(BadInputTest, AMessageOverTheLimitIsTooLarge) {
  v1::PutRequest request;
  request.mutable_record()->set_payload(std::string(kMaxRequestBytes, 'x'));
  v1::PutResponse response;
  const grpc::Status status = site_.records().Put(NewContext().get(), request, &response);
  EXPECT_EQ(ReasonOf(status), "TOO_LARGE");
  EXPECT_THAT(status.error_message(), HasSubstr("4194304"));
}

TEST_F(BadInputTest, AMessageFarOverTheLimitIsRefusedAndTheServerGoesOn) {
  v1::PutRequest request;
  request.mutable_record()->set_payload(std::string(64 << 20, 'x'));
  v1::PutResponse response;
  const grpc::Status status = site_.records().Put(NewContext().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << status.error_message();
  EXPECT_EQ(ReasonOf(Put("acme", "issue", "1", "one")), "OK");
}

TEST_F(BadInputTest, HostileTenantIdsAreRefusedByEveryCallThatTakesOne) {
  for (const std::string& tenant : HostileTenants()) {
    EXPECT_EQ(ReasonOf(Put(tenant, "issue", "1", "one")), "TENANT_ID_INVALID");

    v1::DeleteTenantRequest erase;
    erase.set_tenant(tenant);
    v1::DeleteTenantResponse erased;
    EXPECT_EQ(ReasonOf(site_.records().DeleteTenant(NewContext().get(), erase, &erased)),
              "TENANT_ID_INVALID");

    v1::GetTenantRequest get;
    get.set_store("main");
    get.set_tenant(tenant);
    v1::Tenant got;
    EXPECT_EQ(ReasonOf(site_.tenants().GetTenant(NewContext().get(), get, &got)),
              "TENANT_ID_INVALID");

    v1::CreateRestoreRequest create;
    create.mutable_spec()->set_store("main");
    create.mutable_spec()->set_tenant(tenant);
    create.mutable_spec()->set_at("latest");
    v1::Restore restore;
    const WireError error =
        ReadError(site_.restores().CreateRestore(NewContext().get(), create, &restore));
    EXPECT_EQ(error.reason, "TENANT_ID_INVALID");
    EXPECT_EQ(error.field, "spec.tenant");

    v1::ScanRequest scan;
    scan.set_tenant(tenant);
    scan.set_table("issue");
    const auto context = NewContext();
    const auto stream = site_.records().Scan(context.get(), scan);
    v1::ScanResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_EQ(ReasonOf(stream->Finish()), "TENANT_ID_INVALID");
  }
}

TEST_F(BadInputTest, SqlAndPathsInNamesAreNamesAndNothingElse) {
  site_.Put("acme", "issue", "1", "one");
  for (const char* name : {"'; DROP TABLE tenant; --", "../../etc/passwd", "acme' OR '1'='1",
                           "%s%n", "\u202Eacme", "$(reboot)"}) {
    EXPECT_EQ(ReasonOf(Put(name, name, name, name)), "OK");
    v1::GetRequest get;
    get.mutable_key()->set_tenant(name);
    get.mutable_key()->set_table(name);
    get.mutable_key()->set_key(name);
    v1::GetResponse got;
    EXPECT_EQ(ReasonOf(site_.records().Get(NewContext().get(), get, &got)), "OK");
    EXPECT_EQ(got.record().payload(), name);

    v1::GetStoreRequest store;
    store.set_store(name);
    v1::Store answer;
    const grpc::Status status = site_.stores().GetStore(NewContext().get(), store, &answer);
    EXPECT_EQ(ReasonOf(status), "STORE_NOT_FOUND");
    ExpectKnown(status);
  }
  EXPECT_EQ(*site_.store().Get(*TenantId::Parse("acme"), "issue", RowKey("1")), "one");
}

TEST_F(BadInputTest, RecordsOutsideOfTheLimitsAreRefusedWithTheirField) {
  struct Case {
    std::string table, key, payload, reason, field;
  };
  for (const Case& bad : std::vector<Case>{
           {"", "k", "p", "INVALID_ARGUMENT", "record.table"},
           {std::string(256, 't'), "k", "p", "INVALID_ARGUMENT", "record.table"},
           {std::string("a\0b", 3), "k", "p", "INVALID_ARGUMENT", "record.table"},
           {"issue", "", "p", "INVALID_ARGUMENT", "record.key"},
           {"issue", std::string(16'385, 'k'), "p", "TOO_LARGE", "record.key"},
           {"issue", "k", std::string((1 << 20) + 1, 'p'), "TOO_LARGE", "record.payload"},
       }) {
    const WireError error = ReadError(Put("acme", bad.table, bad.key, bad.payload));
    EXPECT_EQ(error.reason, bad.reason) << bad.field;
    EXPECT_EQ(error.field, bad.field);
  }
  EXPECT_EQ(ReasonOf(Put("acme", "issue", std::string(16'384, 'k'), std::string(1 << 20, 'p'))),
            "OK");
}

TEST_F(BadInputTest, UnknownThingsAreNotFoundByTheirOwnReason) {
  const auto expect = [](const grpc::Status& status, const std::string& reason) {
    EXPECT_EQ(ReasonOf(status), reason) << status.error_message();
  };
  v1::Snapshot snapshot;
  v1::GetSnapshotRequest get_snapshot;
  get_snapshot.set_snapshot("snap-1-99");
  expect(site_.snapshots().GetSnapshot(NewContext().get(), get_snapshot, &snapshot),
         "SNAPSHOT_NOT_FOUND");
  get_snapshot.set_snapshot("snap-'--");
  expect(site_.snapshots().GetSnapshot(NewContext().get(), get_snapshot, &snapshot),
         "POINT_INVALID");

  v1::Job job;
  v1::GetJobRequest get_job;
  get_job.set_job("job-none");
  expect(site_.jobs().GetJob(NewContext().get(), get_job, &job), "JOB_NOT_FOUND");

  v1::Plan plan;
  v1::GetPlanRequest get_plan;
  get_plan.set_plan(std::string(64 << 10, 'p'));
  expect(site_.restores().GetPlan(NewContext().get(), get_plan, &plan), "PLAN_NOT_FOUND");

  v1::Restore restore;
  v1::GetRestoreRequest get_restore;
  get_restore.set_restore("");
  expect(site_.restores().GetRestore(NewContext().get(), get_restore, &restore),
         "RESTORE_NOT_FOUND");
  get_restore.set_restore(std::string("rst-\0x", 6));
  expect(site_.restores().GetRestore(NewContext().get(), get_restore, &restore),
         "RESTORE_NOT_FOUND");
  v1::UndoRestoreRequest undo;
  undo.set_restore("rst-none");
  expect(site_.restores().UndoRestore(NewContext().get(), undo, &restore), "RESTORE_NOT_FOUND");

  v1::Certificate certificate;
  v1::GetCertificateRequest get_certificate;
  get_certificate.set_restore("rst-none");
  expect(site_.restores().GetCertificate(NewContext().get(), get_certificate, &certificate),
         "RESTORE_NOT_FOUND");

  v1::WatchRestoreRequest watch;
  watch.set_restore("rst-none");
  const auto context = NewContext();
  const auto stream = site_.restores().WatchRestore(context.get(), watch);
  EXPECT_FALSE(stream->Read(&restore));
  expect(stream->Finish(), "RESTORE_NOT_FOUND");
}

TEST_F(BadInputTest, PointsThatCannotBeAreRefusedByTheirOwnReason) {
  site_.Put("acme", "issue", "1", "one");
  const auto resolve = [&](const std::string& at) {
    v1::ResolvePointRequest request;
    request.set_store("main");
    request.set_at(at);
    v1::Point point;
    return ReasonOf(site_.snapshots().ResolvePoint(NewContext().get(), request, &point));
  };
  EXPECT_EQ(resolve("latest"), "POINT_BEFORE_FIRST_SNAPSHOT");
  site_.TakeSnapshot();
  EXPECT_EQ(resolve("latest"), "OK");
  EXPECT_EQ(resolve("2001-01-01T00:00:00Z"), "POINT_BEFORE_FIRST_SNAPSHOT");
  EXPECT_EQ(resolve("2999-01-01T00:00:00Z"), "POINT_IN_FUTURE");
  EXPECT_EQ(resolve("snap-1-99"), "SNAPSHOT_NOT_FOUND");
  EXPECT_EQ(resolve("snap-7-1"), "SNAPSHOT_NOT_FOUND");
  for (const std::string& bad :
       {std::string(), std::string("yesterday"), std::string(64 << 10, '9'),
        std::string("2026-04-05T07:38:00"), std::string("1\0h", 3)}) {
    EXPECT_EQ(resolve(bad), "POINT_INVALID") << bad.substr(0, 30);
  }
}

TEST_F(BadInputTest, RestoresThatMakeNoSenseAreRefusedAndNoneIsCreated) {
  site_.Put("acme", "issue", "1", "one");
  site_.TakeSnapshot();
  v1::CreateRestoreRequest good;
  good.mutable_spec()->set_store("main");
  good.mutable_spec()->set_tenant("acme");
  good.mutable_spec()->set_at("latest");
  const auto create = [&](auto change) {
    v1::CreateRestoreRequest request = good;
    change(&request);
    v1::Restore restore;
    return ReasonOf(site_.restores().CreateRestore(NewContext().get(), request, &restore));
  };
  using Request = v1::CreateRestoreRequest;
  EXPECT_EQ(create([](Request* r) { r->clear_spec(); }), "INVALID_ARGUMENT");
  EXPECT_EQ(create([](Request* r) { r->mutable_spec()->clear_store(); }), "INVALID_ARGUMENT");
  EXPECT_EQ(create([](Request* r) { r->mutable_spec()->set_store("nope"); }), "STORE_NOT_FOUND");
  EXPECT_EQ(create([](Request* r) { r->mutable_spec()->clear_at(); }), "INVALID_ARGUMENT");
  EXPECT_EQ(create([](Request* r) { r->mutable_spec()->set_tenant("zoo"); }),
            "TENANT_NOT_AT_POINT");
  EXPECT_EQ(create([](Request* r) { r->mutable_spec()->add_tables("nope"); }), "TABLE_NOT_FOUND");
  EXPECT_EQ(create([](Request* r) { r->set_plan("plan-none"); }), "PLAN_NOT_FOUND");
  EXPECT_EQ(create([](Request* r) { r->set_plan_digest("xyz"); }), "INVALID_ARGUMENT");
  EXPECT_EQ(create([](Request* r) { r->set_accept_shrunken(true); }), "INVALID_ARGUMENT");
  EXPECT_EQ(create([](Request* r) { r->set_reason(std::string(4097, 'r')); }), "INVALID_ARGUMENT");
  EXPECT_EQ(create([](Request* r) { r->set_actor(std::string(257, 'a')); }), "INVALID_ARGUMENT");
  EXPECT_EQ(create([](Request* r) { r->set_request_id(std::string(257, 'i')); }),
            "INVALID_ARGUMENT");
  v1::ListRestoresResponse list;
  EXPECT_EQ(ReasonOf(site_.restores().ListRestores(NewContext().get(), {}, &list)), "OK");
  EXPECT_EQ(list.restores_size(), 0);
}

TEST_F(BadInputTest, ListsRefuseBadPagesAndFilters) {
  v1::ListTenantsRequest tenants;
  v1::ListTenantsResponse tenant_list;
  tenants.set_store("main");
  EXPECT_EQ(ReasonOf(site_.tenants().ListTenants(NewContext().get(), tenants, &tenant_list)),
            "INVALID_ARGUMENT");
  site_.Put("acme", "issue", "1", "one");
  site_.TakeSnapshot();
  tenants.set_lost_since("latest");
  tenants.set_lost_fraction(1.5);
  EXPECT_EQ(ReasonOf(site_.tenants().ListTenants(NewContext().get(), tenants, &tenant_list)),
            "INVALID_ARGUMENT");
  tenants.set_lost_fraction(0);
  tenants.set_page_token("nonsense");
  EXPECT_EQ(ReasonOf(site_.tenants().ListTenants(NewContext().get(), tenants, &tenant_list)),
            "PAGE_TOKEN_INVALID");

  v1::ListRestoresRequest restores;
  v1::ListRestoresResponse restore_list;
  restores.set_tenant("acme");
  EXPECT_EQ(ReasonOf(site_.restores().ListRestores(NewContext().get(), restores, &restore_list)),
            "INVALID_ARGUMENT");
  restores.set_store("nope");
  EXPECT_EQ(ReasonOf(site_.restores().ListRestores(NewContext().get(), restores, &restore_list)),
            "STORE_NOT_FOUND");

  v1::FindTenantsRequest find;
  v1::FindTenantsResponse found;
  EXPECT_EQ(ReasonOf(site_.tenants().FindTenants(NewContext().get(), find, &found)),
            "INVALID_ARGUMENT");
  find.set_query(std::string(1025, 'q'));
  EXPECT_EQ(ReasonOf(site_.tenants().FindTenants(NewContext().get(), find, &found)),
            "INVALID_ARGUMENT");
}

}  // namespace
}  // namespace reinstate
