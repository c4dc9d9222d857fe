#include <gmock/gmock.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "google/protobuf/text_format.h"
#include "reinstate/v1/live_store_service.grpc.pb.h"
#include "storage/live/remote/remote_store.h"
#include "tests/support/live_store_server.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using v1::SessionRequest;
using v1::SessionResponse;

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// Answers whatever the test wants.
class Liar final : public v1::LiveStoreService::Service {
 public:
  grpc::Status GetIdentity(grpc::ServerContext* /*context*/, const v1::GetIdentityRequest* /*req*/,
                           v1::GetIdentityResponse* response) override {
    *response = FromText<v1::GetIdentityResponse>(identity);
    return grpc::Status::OK;
  }
  grpc::Status GetCatalog(grpc::ServerContext* /*context*/, const v1::GetCatalogRequest* /*req*/,
                          v1::GetCatalogResponse* response) override {
    *response = FromText<v1::GetCatalogResponse>(catalog);
    return grpc::Status::OK;
  }
  grpc::Status ProbeHealth(grpc::ServerContext* /*context*/, const v1::ProbeHealthRequest* /*req*/,
                           v1::ProbeHealthResponse* response) override {
    *response = FromText<v1::ProbeHealthResponse>(health);
    return grpc::Status::OK;
  }
  grpc::Status EstimateTenant(grpc::ServerContext* /*context*/,
                              const v1::EstimateTenantRequest* /*req*/,
                              v1::EstimateTenantResponse* response) override {
    response->mutable_estimate()->set_rows(-1);
    return grpc::Status::OK;
  }
  grpc::Status CountTenants(grpc::ServerContext* /*context*/,
                            const v1::CountTenantsRequest* /*req*/,
                            grpc::ServerWriter<v1::CountTenantsResponse>* writer) override {
    writer->Write(FromText<v1::CountTenantsResponse>(counts));
    return grpc::Status::OK;
  }
  grpc::Status OpenCut(grpc::ServerContext* /*context*/, const v1::OpenCutRequest* /*req*/,
                       v1::OpenCutResponse* response) override {
    *response = FromText<v1::OpenCutResponse>(cut);
    return grpc::Status::OK;
  }
  grpc::Status KeepCut(grpc::ServerContext* /*context*/, const v1::KeepCutRequest* /*req*/,
                       v1::KeepCutResponse* /*response*/) override {
    return grpc::Status::OK;
  }
  grpc::Status ReadCutShard(grpc::ServerContext* /*context*/,
                            const v1::ReadCutShardRequest* request,
                            grpc::ServerWriter<v1::ReadCutShardResponse>* writer) override {
    writer->Write(FromText<v1::ReadCutShardResponse>(shards[request->shard()]));
    return grpc::Status::OK;
  }
  grpc::Status CountCutRows(grpc::ServerContext* /*context*/,
                            const v1::CountCutRowsRequest* /*req*/,
                            v1::CountCutRowsResponse* response) override {
    response->set_rows(-1);
    return grpc::Status::OK;
  }
  grpc::Status ReadCutLabels(grpc::ServerContext* /*context*/,
                             const v1::ReadCutLabelsRequest* /*req*/,
                             grpc::ServerWriter<v1::ReadCutLabelsResponse>* writer) override {
    writer->Write(FromText<v1::ReadCutLabelsResponse>(labels));
    return grpc::Status::OK;
  }
  grpc::Status Session(grpc::ServerContext* /*context*/,
                       grpc::ServerReaderWriter<SessionResponse, SessionRequest>* stream) override {
    SessionRequest request;
    while (stream->Read(&request)) {
      for (const std::string& answer : Answers(request)) {
        stream->Write(FromText<SessionResponse>(answer));
      }
    }
    return grpc::Status::OK;
  }

  // What a good server says, unless the test has put something else here.
  std::map<SessionRequest::RequestCase, std::vector<std::string>> session;
  std::string identity = "id: 'x'";
  std::string health;
  std::string catalog;
  std::string counts;
  std::string cut;
  std::map<int, std::string> shards;
  std::string labels;

 private:
  std::vector<std::string> Answers(const SessionRequest& request) {
    if (const auto told = session.find(request.request_case()); told != session.end()) {
      return told->second;
    }
    switch (request.request_case()) {
      case SessionRequest::kOpen:
        return {"opened { lease { seconds: 10 } }"};
      case SessionRequest::kHeartbeat:
        return {"alive {}"};
      case SessionRequest::kCancel:
        return {};
      case SessionRequest::kSeal:
        return {"sealed { token: 't' }"};
      default:
        return {"done {}"};
    }
  }
};

class HostileServerTest : public testing::Test {
 protected:
  HostileServerTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(LoopbackAddress(0), grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&liar_);
    server_ = builder.BuildAndStart();
    auto store = RemoteStore::Create({.address = LoopbackAddress(port)});
    EXPECT_THAT(store, IsOk());
    store_ = *std::move(store);
  }
  ~HostileServerTest() override { server_->Shutdown(); }

  std::unique_ptr<TenantSession> Transaction() {
    auto session = store_->OpenTenant(TenantId::FromStored("acme"), {});
    EXPECT_THAT(session, IsOk());
    EXPECT_THAT((*session)->Begin(), IsOk());
    return *std::move(session);
  }

  // What comes of reading a table that the server answers like this.
  absl::Status ReadTable(std::vector<std::string> first, std::vector<std::string> more = {}) {
    liar_.session[SessionRequest::kReadTable] = std::move(first);
    liar_.session[SessionRequest::kReadMore] = std::move(more);
    const auto session = Transaction();
    auto rows = session->ReadTable("issue");
    if (!rows.ok()) {
      return rows.status();
    }
    Record record;
    absl::StatusOr<bool> found = true;
    while (found.ok() && *found) {
      found = (*rows)->Next(&record);
    }
    EXPECT_EQ((*rows)->Next(&record).status(), found.status()) << "and again";
    return found.status();
  }

  absl::Status LookUpTwo(std::vector<std::string> answers) {
    liar_.session[SessionRequest::kLookUp] = std::move(answers);
    const std::vector<RowKey> keys = {RowKey("1"), RowKey("2")};
    return Transaction()->LookUp("issue", keys).status();
  }

  absl::Status OpenCut(const std::string& answer) {
    liar_.cut = answer;
    return store_->OpenCut({.max_shards = 2}).status();
  }

  // What comes of reading both shards of a cut that has an owned table and a shared one.
  absl::Status ReadShards(const std::string& first, const std::string& second = "",
                          bool ordered = true) {
    liar_.cut = std::string(
                    "cut: 'c' lease { seconds: 10 } instant { seconds: 1 } shards: 2 catalog {"
                    "  tables { identity: 'a' name: 'a' relation: TABLE_RELATION_OWNED }"
                    "  tables { identity: 'b' name: 'b' relation: TABLE_RELATION_SHARED }"
                    "  tables { identity: 'c' name: 'c' relation: TABLE_RELATION_UNRESOLVED } }") +
                (ordered ? " ordered_by_tenant: true" : "");
    liar_.shards = {{0, first}, {1, second}};
    const auto cut = store_->OpenCut({.max_shards = 2});
    EXPECT_THAT(cut, IsOk());
    for (int shard = 0; shard < 2; ++shard) {
      const auto rows = (*cut)->OpenShard(shard);
      TenantRow row;
      absl::StatusOr<bool> found = true;
      while (found.ok() && *found) {
        found = (*rows)->Next(&row);
      }
      if (!found.ok()) {
        return found.status();
      }
    }
    return absl::OkStatus();
  }

  Liar liar_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<RemoteStore> store_;
};

TEST_F(HostileServerTest, IsBelievedWhileItKeepsToTheProtocol) {
  EXPECT_THAT(ReadTable({"rows { reading: 1 rows { key: '1' } rows { key: '2' } last: true }"}),
              IsOk());
  EXPECT_THAT(LookUpTwo({"looked_up { states { owner: KEY_OWNER_NOBODY } }",
                         "looked_up { states { owner: KEY_OWNER_THIS_TENANT } last: true }"}),
              IsOk());
  EXPECT_THAT(ReadShards("rows { tenant: 'a' key: '1' } rows { tenant: 'a' key: '2' }",
                         "rows { tenant: 'b' key: '1' more: true } rows { payload: 'x' }"),
              IsOk());
}

TEST_F(HostileServerTest, CannotMixUpTheRowsOfATable) {
  const auto broken = FailsWith(Reason::kInternal);
  EXPECT_THAT(ReadTable({"rows { reading: 1 rows { key: '2' } rows { key: '1' } last: true }"}),
              broken);
  EXPECT_THAT(ReadTable({"rows { reading: 1 rows { key: '1' } rows { key: '1' } last: true }"}),
              broken);
  EXPECT_THAT(ReadTable({"rows { reading: 1 rows { key: '1' more: true } last: true }"}), broken);
  EXPECT_THAT(ReadTable({"rows { reading: 1 rows { key: '1' more: true }"
                         "       rows { key: '2' } last: true }"}),
              broken);
  EXPECT_THAT(ReadTable({"rows { reading: 7 rows { key: '1' } last: true }"}), broken);
  EXPECT_THAT(ReadTable({"rows { reading: 1 }"}, {"rows { reading: 1 }"}), broken)
      << "for ever without rows";
  EXPECT_THAT(ReadTable({"done {}"}), broken);
}

TEST_F(HostileServerTest, CannotAnswerALookUpForOtherKeysThanWereAsked) {
  const auto broken = FailsWith(Reason::kInternal);
  const std::string nobody = " states { owner: KEY_OWNER_NOBODY }";
  EXPECT_THAT(LookUpTwo({"looked_up { " + nobody + " last: true }"}), broken);
  EXPECT_THAT(LookUpTwo({"looked_up { " + nobody + nobody + nobody + " last: true }"}), broken);
  EXPECT_THAT(LookUpTwo({"looked_up { states {} " + nobody + " last: true }"}), broken);
  EXPECT_THAT(
      LookUpTwo({"looked_up { " + nobody +
                 " states { owner: KEY_OWNER_OTHER_TENANT payload: 'secret' } last: true }"}),
      broken);
  EXPECT_THAT(LookUpTwo({"looked_up { " + nobody +
                         " states { owner: KEY_OWNER_THIS_TENANT more: true } last: true }"}),
              broken);
  EXPECT_THAT(LookUpTwo({"looked_up { " + nobody + " states { owner: 9 } last: true }"}), broken);
}

TEST_F(HostileServerTest, CannotNameObstaclesOfOtherRowsThanWereAskedAbout) {
  const auto find = [this](const std::string& answer) {
    liar_.session[SessionRequest::kFindObstacles] = {"obstacles { " + answer + " }"};
    const std::vector<Change> changes(2, {.kind = ChangeKind::kInsert, .table = "issue"});
    return Transaction()->FindObstacles(changes).status();
  };
  const std::string taken = " kind: OBSTACLE_KIND_VALUE_TAKEN constraint: 'c'";
  EXPECT_THAT(find("obstacles { change: 1 owner: KEY_OWNER_NOBODY" + taken + " }"), IsOk());
  const auto broken = FailsWith(Reason::kInternal);
  EXPECT_THAT(find("obstacles { change: 2 owner: KEY_OWNER_NOBODY" + taken + " }"), broken);
  EXPECT_THAT(find("obstacles { change: 1" + taken + " }"), broken) << "no owner";
  EXPECT_THAT(find("obstacles { change: 1 kind: 9 }"), broken);
}

TEST_F(HostileServerTest, PassesOnWhyNoRestoreShouldBeginAndNothingThatIsNoName) {
  liar_.health = "writable: true pressure: 'replica_lag' detail: 'It is behind.'";
  EXPECT_TRUE(store_->ProbeHealth().writable);
  EXPECT_EQ(store_->ProbeHealth().pressure, "replica_lag");
  EXPECT_EQ(store_->ProbeHealth().detail, "It is behind.");
  for (const std::string& pressure :
       {std::string("a\\nb"), std::string("tenant 7"), std::string(41, 'a')}) {
    liar_.health = "writable: true pressure: '" + pressure + "'";
    EXPECT_EQ(store_->ProbeHealth().pressure, "other") << pressure;
  }
  liar_.health = "writable: true";
  EXPECT_EQ(store_->ProbeHealth().pressure, "");
}

TEST_F(HostileServerTest, CannotMakeUpReasons) {
  liar_.session[SessionRequest::kSeal] = {"failed { reason: 'NICE_WEATHER' code: 3 }"};
  EXPECT_THAT(Transaction()->Seal(), FailsWith(Reason::kInternal));
  liar_.session[SessionRequest::kSeal] = {"failed { reason: 'TENANT_BUSY' code: 0 }"};
  EXPECT_THAT(Transaction()->Seal(), FailsWith(Reason::kInternal)) << "not the code of the reason";
  liar_.session[SessionRequest::kSeal] = {"failed { reason: 'LIVE_CHANGED' code: 10 }"};
  EXPECT_THAT(Transaction()->Seal(), FailsWith(Reason::kLiveChanged));
}

TEST_F(HostileServerTest, CannotHaveACommitTakenForOneThatDidNotHappen) {
  for (const std::string answer :
       {"sealed { token: 't' }", "failed { reason: 'NICE_WEATHER' code: 3 }", "failed {}",
        "failed { reason: 'SESSION_LOST' code: 14 }", "rows {}", ""}) {
    liar_.session[SessionRequest::kCommit] = {answer};
    const auto session = Transaction();
    ASSERT_THAT(session->Seal(), IsOk());
    EXPECT_THAT(session->Commit(absl::Now() + absl::Seconds(10)), FailsWith(Reason::kCommitUnknown))
        << answer;
  }
  liar_.session[SessionRequest::kCommit] = {"failed { reason: 'LIVE_CHANGED' code: 10 }"};
  const auto session = Transaction();
  ASSERT_THAT(session->Seal(), IsOk());
  EXPECT_THAT(session->Commit(absl::Now() + absl::Seconds(10)), FailsWith(Reason::kLiveChanged));
}

TEST_F(HostileServerTest, CannotResolveWithoutAnOutcome) {
  liar_.session[SessionRequest::kResolve] = {"resolved {}"};
  EXPECT_THAT(Transaction()->Resolve({.bytes = "t"}), FailsWith(Reason::kInternal));
}

TEST_F(HostileServerTest, CannotGiveALeaseThatIsNone) {
  liar_.session[SessionRequest::kOpen] = {"opened {}"};
  EXPECT_THAT(store_->OpenTenant(TenantId::FromStored("acme"), {}), FailsWith(Reason::kInternal));
  liar_.session[SessionRequest::kOpen] = {"opened { lease { seconds: 9223372036854775807 } }"};
  EXPECT_THAT(store_->OpenTenant(TenantId::FromStored("acme"), {}), FailsWith(Reason::kInternal));
}

TEST_F(HostileServerTest, CannotOpenACutThatMakesNoSense) {
  const auto broken = FailsWith(Reason::kInternal);
  EXPECT_THAT(OpenCut("cut: 'c' lease { seconds: 10 } instant {} shards: 2"), IsOk());
  EXPECT_THAT(OpenCut("cut: 'c' lease { seconds: 10 } instant {} shards: 0"), broken);
  EXPECT_THAT(OpenCut("cut: 'c' lease { seconds: 10 } instant {} shards: 3"), broken);
  EXPECT_THAT(OpenCut("lease { seconds: 10 } instant {} shards: 1"), broken);
  EXPECT_THAT(OpenCut("cut: 'c' instant {} shards: 1"), broken);
  EXPECT_THAT(OpenCut("cut: 'c' lease { seconds: 10 } instant { nanos: -1 } shards: 1"), broken);
  EXPECT_THAT(OpenCut("cut: 'c' lease { seconds: 10 } instant {} shards: 1"
                      " catalog { tables { name: 'x' relation: TABLE_RELATION_OWNED } }"),
              broken);
}

TEST_F(HostileServerTest, CannotMixUpTheRowsOfACut) {
  const auto broken = FailsWith(Reason::kInternal);
  EXPECT_THAT(ReadShards("rows { tenant: 'a' table: 3 key: '1' }"), broken) << "no such table";
  EXPECT_THAT(ReadShards("rows { tenant: 'a' table: 1 key: '1' }"), broken) << "not captured";
  EXPECT_THAT(ReadShards("rows { tenant: 'a' table: 2 key: '1' }"), broken) << "unresolved";
  EXPECT_THAT(ReadShards("rows { tenant: 'a\\000b' key: '1' }"), broken) << "no tenant's id";
  EXPECT_THAT(ReadShards("rows { tenant: 'a' key: '1' more: true }"), broken) << "ends within";
  EXPECT_THAT(ReadShards("rows { tenant: 'a' key: '1' more: true } rows { key: '2' }"), broken);
  EXPECT_THAT(ReadShards("rows { tenant: 'b' key: '1' } rows { tenant: 'a' key: '2' }"), broken);
  EXPECT_THAT(ReadShards("rows { tenant: 'a' key: '1' } rows { tenant: 'a' key: '1' }"), broken);
  EXPECT_THAT(ReadShards("rows { tenant: 'a' key: '1' }", "rows { tenant: 'a' key: '2' }"), broken)
      << "a tenant in two shards";
  EXPECT_THAT(ReadShards("rows { tenant: 'b' key: '1' } rows { tenant: 'a' key: '2' }", "",
                         /*ordered=*/false),
              IsOk())
      << "a cut that does not say that it is ordered";
}

TEST_F(HostileServerTest, MayCountOtherTenantsThanWereAskedFor) {
  liar_.counts = "tenants { tenant: 'a' rows: 1 } tenants { tenant: 'b' rows: 2 }";
  const std::vector<TenantId> tenants = {TenantId::FromStored("none"), TenantId::FromStored("b")};
  EXPECT_THAT(*store_->CountRowsOf(tenants), testing::ElementsAre(0, 2));
}

TEST_F(HostileServerTest, CannotGiveNumbersThatAreNone) {
  const auto broken = FailsWith(Reason::kInternal);
  EXPECT_THAT(store_->EstimateTenant(TenantId::FromStored("acme")), broken);
  liar_.identity = "";
  EXPECT_THAT(store_->Identity(), broken);
  liar_.catalog =
      "catalog { tables { identity: 'a' relation: TABLE_RELATION_OWNED }"
      "          tables { identity: 'a' relation: TABLE_RELATION_OWNED } }";
  EXPECT_THAT(store_->Catalog(), broken);
  liar_.catalog = "catalog { tables { identity: 'a' } }";
  EXPECT_THAT(store_->Catalog(), broken) << "no relation";
  for (const std::string counts :
       {"tenants { tenant: 'b' rows: 1 } tenants { tenant: 'a' rows: 1 }",
        "tenants { tenant: 'a' rows: 0 }", "tenants { tenant: 'a' rows: -5 }"}) {
    liar_.counts = counts;
    const auto stream = store_->CountTenants();
    ASSERT_THAT(stream, IsOk());
    TenantCount count;
    absl::StatusOr<bool> found = true;
    while (found.ok() && *found) {
      found = (*stream)->Next(&count);
    }
    EXPECT_THAT(found, broken) << counts;
    EXPECT_THAT(store_->CountRowsOf({{TenantId::FromStored("a")}}), broken) << counts;
  }
  liar_.cut =
      "cut: 'c' lease { seconds: 10 } instant {} shards: 1"
      " catalog { tables { identity: 'a' relation: TABLE_RELATION_OWNED } }";
  liar_.labels = "tenants { tenant: 'b' labels: 'B' } tenants { tenant: 'a' labels: 'A' }";
  const auto cut = store_->OpenCut({});
  ASSERT_THAT(cut, IsOk());
  EXPECT_THAT((*cut)->CountRows(0), broken);
  const auto labels = (*cut)->OpenLabels();
  ASSERT_THAT(labels, IsOk());
  TenantLabels tenant;
  EXPECT_THAT((*labels)->Next(&tenant), IsOk());
  EXPECT_THAT((*labels)->Next(&tenant), broken);
}

}  // namespace
}  // namespace reinstate
