#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reinstate/v1/tenant_service.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/opened_point.h"
#include "server/rpc/request_checks.h"
#include "server/rpc/services.h"
#include "server/rpc/tenant_comparison.h"
#include "server/rpc/tenant_export.h"
#include "server/rpc/tenant_finder.h"
#include "server/rpc/tenant_lister.h"
#include "server/rpc/tenant_resolution.h"
#include "server/rpc/tenant_view.h"

namespace reinstate {
namespace {

using Wire = v1::TenantService;
using Base = RawService<
    Wire::Service, Wire::WithRawCallbackMethod_ListTenants, Wire::WithRawCallbackMethod_FindTenants,
    Wire::WithRawCallbackMethod_GetTenant, Wire::WithRawCallbackMethod_CompareTenant,
    Wire::WithRawCallbackMethod_ResolveTenants, Wire::WithRawCallbackMethod_ExportTenant>;

class TenantServiceImpl final : public Base {
 public:
  TenantServiceImpl(CallGate* gate, const ServiceParts& parts) : gate_(gate), parts_(parts) {}

  grpc::ServerUnaryReactor* ListTenants(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &TenantServiceImpl::List);
  }
  grpc::ServerUnaryReactor* FindTenants(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &TenantServiceImpl::Find);
  }
  grpc::ServerUnaryReactor* GetTenant(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &TenantServiceImpl::Get);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* CompareTenant(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return gate_->ServerStream<v1::CompareTenantResponse>(context, request, this,
                                                          &TenantServiceImpl::Compare);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ResolveTenants(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return gate_->ServerStream<v1::ResolveTenantsResponse>(context, request, this,
                                                           &TenantServiceImpl::Resolve);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ExportTenant(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return gate_->ServerStream<v1::ExportTenantResponse>(context, request, this,
                                                         &TenantServiceImpl::Export);
  }

 private:
  absl::StatusOr<v1::ListTenantsResponse> List(const Call& /*call*/,
                                               const v1::ListTenantsRequest& request) {
    return reinstate::ListTenants(parts_, request);
  }
  absl::StatusOr<v1::FindTenantsResponse> Find(const Call& /*call*/,
                                               const v1::FindTenantsRequest& request) {
    return reinstate::FindTenants(parts_, request);
  }
  absl::StatusOr<v1::Tenant> Get(const Call& /*call*/, const v1::GetTenantRequest& request) {
    return reinstate::ViewTenant(parts_, request);
  }
  // Opens the point that the request names, and gives `order` the tenant, the tables and the point.
  template <typename Request, typename Order>
  absl::StatusOr<std::unique_ptr<PointReader>> OpenTenantAt(const ServedStore& store,
                                                            const Request& request, Order* order);
  absl::StatusOr<std::unique_ptr<StreamSource>> Compare(const Call& call,
                                                        const v1::CompareTenantRequest& request);
  absl::StatusOr<std::unique_ptr<StreamSource>> Export(const Call& call,
                                                       const v1::ExportTenantRequest& request);

  absl::StatusOr<std::unique_ptr<StreamSource>> Resolve(const Call& /*call*/,
                                                        const v1::ResolveTenantsRequest& request) {
    return MakeTenantResolution(parts_, request);
  }

  CallGate* const gate_;
  const ServiceParts parts_;
};

template <typename Request, typename Order>
absl::StatusOr<std::unique_ptr<PointReader>> TenantServiceImpl::OpenTenantAt(
    const ServedStore& store, const Request& request, Order* order) {
  order->store = store.name;
  ASSIGN_OR_RETURN(order->tenant,
                   ParseTenantOf(*parts_.stores, store.name, "tenant", request.tenant()));
  RETURN_IF_ERROR(CheckPresent("at", request.at()));
  if (request.tables_size() > kMaxTables) {
    return FieldError("tables", absl::StrCat("has more than ", kMaxTables, " entries."));
  }
  order->tables.assign(request.tables().begin(), request.tables().end());
  ASSIGN_OR_RETURN(OpenedPoint opened, OpenPointAt(parts_, store, request.at()));
  order->point = opened.point;
  return std::move(opened.reader);
}

absl::StatusOr<std::unique_ptr<StreamSource>> TenantServiceImpl::Compare(
    const Call& /*call*/, const v1::CompareTenantRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts_.stores->Find(request.store()));
  ComparisonOrder order;
  ASSIGN_OR_RETURN(std::unique_ptr<PointReader> reader, OpenTenantAt(*store, request, &order));
  ASSIGN_OR_RETURN(const TenantManifest manifest, reader->GetTenant(order.tenant));
  order.label = manifest.labels.empty() ? "" : manifest.labels.front();
  return MakeTenantComparison(std::move(order), std::move(reader), store->live);
}

absl::StatusOr<std::unique_ptr<StreamSource>> TenantServiceImpl::Export(
    const Call& call, const v1::ExportTenantRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts_.stores->Find(request.store()));
  ExportOrder order;
  order.call = call;
  ASSIGN_OR_RETURN(std::unique_ptr<PointReader> reader, OpenTenantAt(*store, request, &order));
  return MakeTenantExport(std::move(order), std::move(reader), parts_.state);
}

}  // namespace

std::unique_ptr<grpc::Service> MakeTenantService(CallGate* gate, const ServiceParts& parts) {
  return std::make_unique<TenantServiceImpl>(gate, parts);
}

}  // namespace reinstate
