#include "server/rpc/live_store_service.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reinstate/v1/live_store_service.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/convert_catalog.h"
#include "server/rpc/grpc_status.h"
#include "server/rpc/live_cuts.h"
#include "server/rpc/live_session_reactor.h"
#include "server/rpc/live_sources.h"
#include "server/rpc/live_wire.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/vector_stream.h"

namespace reinstate {
namespace {

using Wire = v1::LiveStoreService;
using Base =
    RawService<Wire::Service, Wire::WithRawCallbackMethod_GetIdentity,
               Wire::WithRawCallbackMethod_GetCapabilities, Wire::WithRawCallbackMethod_GetCatalog,
               Wire::WithRawCallbackMethod_ProbeHealth, Wire::WithRawCallbackMethod_EstimateTenant,
               Wire::WithRawCallbackMethod_CountTenants, Wire::WithRawCallbackMethod_OpenCut,
               Wire::WithRawCallbackMethod_ReadCutShard, Wire::WithRawCallbackMethod_CountCutRows,
               Wire::WithRawCallbackMethod_ReadCutLabels, Wire::WithCallbackMethod_KeepCut,
               Wire::WithRawCallbackMethod_CloseCut, Wire::WithCallbackMethod_Session>;

constexpr int kMaxShards = 256;
constexpr int kMaxCountedTenants = 1000;

// The rows of the tenants that are named, of those that have any.
absl::StatusOr<std::vector<TenantCount>> CountNamed(LiveStore* store,
                                                    const v1::CountTenantsRequest& request) {
  if (request.tenants_size() > kMaxCountedTenants) {
    return FieldError("tenants",
                      absl::StrCat("must not name more than ", kMaxCountedTenants, " of them."));
  }
  std::vector<TenantId> tenants;
  for (const std::string& named : request.tenants()) {
    ASSIGN_OR_RETURN(const TenantId tenant, ParseTenant("tenants", named));
    tenants.push_back(tenant);
  }
  std::sort(tenants.begin(), tenants.end());
  tenants.erase(std::unique(tenants.begin(), tenants.end()), tenants.end());
  ASSIGN_OR_RETURN(const std::vector<int64_t> rows, store->CountRowsOf(tenants));
  std::vector<TenantCount> counts;
  for (size_t i = 0; i < tenants.size(); ++i) {
    if (rows[i] > 0) {
      counts.push_back({.tenant = tenants[i], .rows = rows[i]});
    }
  }
  return counts;
}

}  // namespace

class LiveStoreServiceImpl::Calls final : public Base {
 public:
  Calls(LiveStoreFinder find_store, const LiveStoreServiceOptions& options)
      : find_store_(std::move(find_store)),
        options_(options),
        cuts_(static_cast<size_t>(options.max_cuts)),
        calls_pool_({.threads = options.call_threads}),
        gate_(&calls_pool_),
        sessions_pool_({.threads = options.max_sessions,
                        .max_queued = static_cast<size_t>(options.max_sessions)}) {}

  void Drain() {
    gate_.Drain();
    sessions_.Drain();
  }

  grpc::ServerUnaryReactor* GetIdentity(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_.Unary(context, request, response, this, &Calls::Identity);
  }
  grpc::ServerUnaryReactor* GetCapabilities(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override {
    return gate_.Unary(context, request, response, this, &Calls::Capabilities);
  }
  grpc::ServerUnaryReactor* GetCatalog(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return gate_.Unary(context, request, response, this, &Calls::Catalog);
  }
  grpc::ServerUnaryReactor* ProbeHealth(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_.Unary(context, request, response, this, &Calls::Health);
  }
  grpc::ServerUnaryReactor* EstimateTenant(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return gate_.Unary(context, request, response, this, &Calls::Estimate);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* CountTenants(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return gate_.ServerStream<v1::CountTenantsResponse>(context, request, this, &Calls::Count);
  }
  grpc::ServerUnaryReactor* OpenCut(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override {
    return gate_.Unary(context, request, response, this, &Calls::MakeCut);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadCutShard(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return gate_.ServerStream<v1::ReadCutShardResponse>(context, request, this, &Calls::ReadShard);
  }
  grpc::ServerUnaryReactor* CountCutRows(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return gate_.Unary(context, request, response, this, &Calls::CountRows);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ReadCutLabels(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return gate_.ServerStream<v1::ReadCutLabelsResponse>(context, request, this,
                                                         &Calls::ReadLabels);
  }
  // Not on the pool: a cut must not be lost since all threads are busy with it.
  grpc::ServerUnaryReactor* KeepCut(grpc::CallbackServerContext* context,
                                    const v1::KeepCutRequest* request,
                                    v1::KeepCutResponse* /*response*/) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(ToGrpcStatus(cuts_.Find(request->cut()).status()));
    return reactor;
  }
  grpc::ServerUnaryReactor* CloseCut(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return gate_.Unary(context, request, response, this, &Calls::DropCut);
  }
  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      grpc::CallbackServerContext* context) override;

 private:
  absl::StatusOr<v1::GetIdentityResponse> Identity(const Call& call,
                                                   const v1::GetIdentityRequest& request);
  absl::StatusOr<v1::GetCapabilitiesResponse> Capabilities(
      const Call& call, const v1::GetCapabilitiesRequest& request);
  absl::StatusOr<v1::GetCatalogResponse> Catalog(const Call& call,
                                                 const v1::GetCatalogRequest& request);
  absl::StatusOr<v1::ProbeHealthResponse> Health(const Call& call,
                                                 const v1::ProbeHealthRequest& request);
  absl::StatusOr<v1::EstimateTenantResponse> Estimate(const Call& call,
                                                      const v1::EstimateTenantRequest& request);
  absl::StatusOr<std::unique_ptr<StreamSource>> Count(const Call& call,
                                                      const v1::CountTenantsRequest& request);
  absl::StatusOr<v1::OpenCutResponse> MakeCut(const Call& call, const v1::OpenCutRequest& request);
  absl::StatusOr<std::unique_ptr<StreamSource>> ReadShard(const Call& call,
                                                          const v1::ReadCutShardRequest& request);
  absl::StatusOr<v1::CountCutRowsResponse> CountRows(const Call& call,
                                                     const v1::CountCutRowsRequest& request);
  absl::StatusOr<std::unique_ptr<StreamSource>> ReadLabels(const Call& call,
                                                           const v1::ReadCutLabelsRequest& request);
  absl::StatusOr<v1::CloseCutResponse> DropCut(const Call& call,
                                               const v1::CloseCutRequest& request);

  const LiveStoreFinder find_store_;
  const LiveStoreServiceOptions options_;
  std::atomic<int> running_sessions_ = 0;

  // In this order, so that the pools, which run what is queued, end before what that uses.
  CallRegistry sessions_;
  LiveCuts cuts_;
  RpcPool calls_pool_;
  CallGate gate_;
  RpcPool sessions_pool_;
};

absl::StatusOr<v1::GetIdentityResponse> LiveStoreServiceImpl::Calls::Identity(
    const Call& /*call*/, const v1::GetIdentityRequest& request) {
  ASSIGN_OR_RETURN(LiveStore* const store, find_store_(request.store()));
  ASSIGN_OR_RETURN(const StoreIdentity identity, store->Identity());
  v1::GetIdentityResponse response;
  response.set_id(identity.id);
  response.set_address(identity.address);
  return response;
}

absl::StatusOr<v1::GetCapabilitiesResponse> LiveStoreServiceImpl::Calls::Capabilities(
    const Call& /*call*/, const v1::GetCapabilitiesRequest& request) {
  ASSIGN_OR_RETURN(LiveStore* const store, find_store_(request.store()));
  const StoreCapabilities capabilities = store->Capabilities();
  v1::GetCapabilitiesResponse response;
  response.set_resolves_tokens(capabilities.resolves_tokens);
  response.set_keys_span_tenants(capabilities.keys_span_tenants);
  return response;
}

absl::StatusOr<v1::GetCatalogResponse> LiveStoreServiceImpl::Calls::Catalog(
    const Call& /*call*/, const v1::GetCatalogRequest& request) {
  ASSIGN_OR_RETURN(LiveStore* const store, find_store_(request.store()));
  ASSIGN_OR_RETURN(const TenantMap map, store->Catalog());
  v1::GetCatalogResponse response;
  CatalogToWire(map, response.mutable_catalog());
  return response;
}

absl::StatusOr<v1::ProbeHealthResponse> LiveStoreServiceImpl::Calls::Health(
    const Call& /*call*/, const v1::ProbeHealthRequest& request) {
  ASSIGN_OR_RETURN(LiveStore* const store, find_store_(request.store()));
  const StoreHealth health = store->ProbeHealth();
  v1::ProbeHealthResponse response;
  response.set_writable(health.writable);
  response.set_detail(health.detail);
  response.set_pressure(health.pressure);
  if (health.log_headroom_bytes.has_value()) {
    response.set_log_headroom_bytes(*health.log_headroom_bytes);
  }
  return response;
}

absl::StatusOr<v1::EstimateTenantResponse> LiveStoreServiceImpl::Calls::Estimate(
    const Call& /*call*/, const v1::EstimateTenantRequest& request) {
  ASSIGN_OR_RETURN(LiveStore* const store, find_store_(request.store()));
  ASSIGN_OR_RETURN(const TenantId tenant, ParseTenant("tenant", request.tenant()));
  ASSIGN_OR_RETURN(const SizeEstimate estimate, store->EstimateTenant(tenant));
  v1::EstimateTenantResponse response;
  response.mutable_estimate()->set_rows(estimate.rows);
  response.mutable_estimate()->set_bytes(estimate.bytes);
  return response;
}

absl::StatusOr<std::unique_ptr<StreamSource>> LiveStoreServiceImpl::Calls::Count(
    const Call& /*call*/, const v1::CountTenantsRequest& request) {
  ASSIGN_OR_RETURN(LiveStore* const store, find_store_(request.store()));
  if (request.tenants_size() > 0) {
    ASSIGN_OR_RETURN(std::vector<TenantCount> counts, CountNamed(store, request));
    return MakeTenantCountSource(std::make_unique<CountVectorStream>(std::move(counts)));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<TenantCountStream> counts, store->CountTenants());
  return MakeTenantCountSource(std::move(counts));
}

absl::StatusOr<v1::OpenCutResponse> LiveStoreServiceImpl::Calls::MakeCut(
    const Call& /*call*/, const v1::OpenCutRequest& request) {
  ASSIGN_OR_RETURN(LiveStore* const store, find_store_(request.store()));
  if (request.max_shards() < 1) {
    return FieldError("max_shards", "must be at least 1.");
  }
  ASSIGN_OR_RETURN(const absl::Duration lease, GrantLease(request, kDefaultCutLease));
  RETURN_IF_ERROR(cuts_.CheckRoom());
  ASSIGN_OR_RETURN(std::unique_ptr<Cut> cut,
                   store->OpenCut({.max_shards = std::min(request.max_shards(), kMaxShards)}));
  const CutInfo& info = cut->info();
  v1::OpenCutResponse response;
  DurationToWire(lease, response.mutable_lease());
  const int64_t instant_us = absl::ToUnixMicros(info.instant);
  const int64_t second = absl::ToUnixSeconds(info.instant);
  response.mutable_instant()->set_seconds(second);
  response.mutable_instant()->set_nanos(static_cast<int>(instant_us - second * 1'000'000) * 1000);
  response.set_position(info.position);
  CatalogToWire(info.map, response.mutable_catalog());
  response.set_shards(cut->shards());
  response.set_ordered_by_tenant(info.ordered_by_tenant);
  ASSIGN_OR_RETURN(*response.mutable_cut(), cuts_.Add(std::move(cut), lease));
  return response;
}

absl::StatusOr<std::unique_ptr<StreamSource>> LiveStoreServiceImpl::Calls::ReadShard(
    const Call& /*call*/, const v1::ReadCutShardRequest& request) {
  ASSIGN_OR_RETURN(const LiveCuts::Use use, cuts_.Find(request.cut()));
  if (request.shard() < 0 || request.shard() >= use.cut()->shards()) {
    return FieldError("shard", "is not one of the cut's.");
  }
  ASSIGN_OR_RETURN(auto rows, use.Run([&] { return use.cut()->OpenShard(request.shard()); }));
  return MakeShardSource(use, std::move(rows));
}

absl::StatusOr<v1::CountCutRowsResponse> LiveStoreServiceImpl::Calls::CountRows(
    const Call& /*call*/, const v1::CountCutRowsRequest& request) {
  ASSIGN_OR_RETURN(const LiveCuts::Use use, cuts_.Find(request.cut()));
  const auto& tables = use.cut()->info().map.tables;
  if (request.table() >= tables.size() ||
      (tables[request.table()].relation != Relation::kOwned &&
       tables[request.table()].relation != Relation::kUnresolved)) {
    return FieldError("table", "is not one that the cut has captured.", Reason::kTableNotFound);
  }
  v1::CountCutRowsResponse response;
  ASSIGN_OR_RETURN(const int64_t rows,
                   use.Run([&] { return use.cut()->CountRows(request.table()); }));
  response.set_rows(rows);
  return response;
}

absl::StatusOr<std::unique_ptr<StreamSource>> LiveStoreServiceImpl::Calls::ReadLabels(
    const Call& /*call*/, const v1::ReadCutLabelsRequest& request) {
  ASSIGN_OR_RETURN(const LiveCuts::Use use, cuts_.Find(request.cut()));
  ASSIGN_OR_RETURN(auto labels, use.Run([&] { return use.cut()->OpenLabels(); }));
  return MakeLabelsSource(use, std::move(labels));
}

absl::StatusOr<v1::CloseCutResponse> LiveStoreServiceImpl::Calls::DropCut(
    const Call& /*call*/, const v1::CloseCutRequest& request) {
  cuts_.Close(request.cut());
  return v1::CloseCutResponse();
}

grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>*
LiveStoreServiceImpl::Calls::Session(grpc::CallbackServerContext* context) {
  absl::Status admitted = sessions_.CheckOpen();
  if (admitted.ok() && running_sessions_.fetch_add(1) >= options_.max_sessions) {
    --running_sessions_;
    admitted = MakeError(
        Reason::kUnavailable,
        absl::StrCat(options_.max_sessions, " sessions are open, the most that are allowed"));
  }
  return LiveSessionReactor::Begin(
      context,
      {.find_store = find_store_,
       .options = {.max_payload_bytes = options_.max_payload_bytes, .clock = options_.clock},
       .sessions = &sessions_pool_,
       .calls = &calls_pool_,
       .registry = &sessions_,
       .on_end = [this] { --running_sessions_; }},
      admitted);
}

LiveStoreServiceImpl::LiveStoreServiceImpl(LiveStoreFinder find_store,
                                           const LiveStoreServiceOptions& options)
    : calls_(std::make_unique<Calls>(std::move(find_store), options)) {}

LiveStoreServiceImpl::~LiveStoreServiceImpl() = default;

grpc::Service* LiveStoreServiceImpl::service() { return calls_.get(); }

void LiveStoreServiceImpl::Drain() { calls_->Drain(); }

}  // namespace reinstate
