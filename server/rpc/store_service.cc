#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reinstate/v1/store_service.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/convert_catalog.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/idempotent.h"
#include "server/rpc/page_query.h"
#include "server/rpc/request_checks.h"
#include "server/rpc/services.h"
#include "server/rpc/store_monitor.h"
#include "server/snapshot/snapshot_tally.h"

namespace reinstate {
namespace {

using Wire = v1::StoreService;
using Base =
    RawService<Wire::Service, Wire::WithRawCallbackMethod_ListStores,
               Wire::WithRawCallbackMethod_GetStore, Wire::WithRawCallbackMethod_DiscoverStore,
               Wire::WithRawCallbackMethod_RebindStore, Wire::WithRawCallbackMethod_ThrottleStore>;

v1::AdapterKind AdapterToWire(const std::string& adapter) {
  if (adapter == "embedded") {
    return v1::ADAPTER_KIND_EMBEDDED;
  }
  if (adapter == "postgres") {
    return v1::ADAPTER_KIND_POSTGRES;
  }
  if (adapter == "memory") {
    return v1::ADAPTER_KIND_MEMORY;
  }
  return adapter == "remote" ? v1::ADAPTER_KIND_REMOTE : v1::ADAPTER_KIND_UNSPECIFIED;
}

absl::Status CheckThrottle(const v1::ThrottleStoreRequest& request) {
  if (!request.has_throttle()) {
    return FieldError("throttle", "is required: it is all that holds from now on.");
  }
  const auto check = [](std::string_view field, int64_t limit) {
    return limit >= 0 ? absl::OkStatus()
                      : FieldError(field, "must not be below 0, which is no limit.");
  };
  RETURN_IF_ERROR(check("throttle.rows_per_second", request.throttle().rows_per_second()));
  RETURN_IF_ERROR(check("throttle.bytes_per_second", request.throttle().bytes_per_second()));
  return check("throttle.max_running", request.throttle().max_running());
}

class StoreServiceImpl final : public Base {
 public:
  StoreServiceImpl(CallGate* gate, const ServiceParts& parts) : gate_(gate), parts_(parts) {}

  grpc::ServerUnaryReactor* ListStores(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &StoreServiceImpl::List);
  }
  grpc::ServerUnaryReactor* GetStore(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &StoreServiceImpl::Get);
  }
  grpc::ServerUnaryReactor* DiscoverStore(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &StoreServiceImpl::Discover);
  }
  grpc::ServerUnaryReactor* RebindStore(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &StoreServiceImpl::Rebind);
  }
  grpc::ServerUnaryReactor* ThrottleStore(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &StoreServiceImpl::Throttle);
  }

 private:
  absl::StatusOr<v1::ListStoresResponse> List(const Call& call,
                                              const v1::ListStoresRequest& request);
  absl::StatusOr<v1::Store> Get(const Call& call, const v1::GetStoreRequest& request);
  absl::StatusOr<v1::DiscoverStoreResponse> Discover(const Call& call,
                                                     const v1::DiscoverStoreRequest& request);
  absl::StatusOr<v1::Store> Rebind(const Call& call, const v1::RebindStoreRequest& request);

  absl::StatusOr<v1::Store> Throttle(const Call& call, const v1::ThrottleStoreRequest& request);

  absl::StatusOr<v1::Store> StoreToWire(const ServedStore& store) const;
  void StateToWire(const StoreSighting& sighting, v1::Store* wire) const;
  absl::Status SnapshotsToWire(const ServedStore& store, v1::Store* wire) const;

  CallGate* const gate_;
  const ServiceParts parts_;
};

absl::StatusOr<v1::ListStoresResponse> StoreServiceImpl::List(
    const Call& /*call*/, const v1::ListStoresRequest& request) {
  ASSIGN_OR_RETURN(const PageQuery page, PageQuery::Parse(request, 1));
  std::vector<const ServedStore*> stores = parts_.stores->List();
  std::sort(stores.begin(), stores.end(),
            [](const auto* a, const auto* b) { return a->name < b->name; });
  v1::ListStoresResponse response;
  for (const ServedStore* store : stores) {
    if (!page.first() && store->name <= page.position(0)) {
      continue;
    }
    if (response.stores_size() == page.size()) {
      response.set_next_page_token(page.Token({response.stores().rbegin()->name()}));
      break;
    }
    ASSIGN_OR_RETURN(*response.add_stores(), StoreToWire(*store));
  }
  return response;
}

absl::StatusOr<v1::Store> StoreServiceImpl::Get(const Call& /*call*/,
                                                const v1::GetStoreRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts_.stores->Find(request.store()));
  ASSIGN_OR_RETURN(v1::Store wire, StoreToWire(*store));
  if (const auto catalog = parts_.monitor->Last(store->name).catalog; catalog != nullptr) {
    CatalogToWire(*catalog, wire.mutable_catalog());
  }
  return wire;
}

absl::StatusOr<v1::DiscoverStoreResponse> StoreServiceImpl::Discover(
    const Call& /*call*/, const v1::DiscoverStoreRequest& request) {
  ASSIGN_OR_RETURN(const StoreSighting sighting, parts_.monitor->Look(request.store()));
  RETURN_IF_ERROR(sighting.status);
  ASSIGN_OR_RETURN(const ServedStore* store, parts_.stores->Find(request.store()));
  ASSIGN_OR_RETURN(const StoreDiscovery discovery, store->live->Discover());
  v1::DiscoverStoreResponse response;
  DiscoveryToWire(discovery, response.mutable_catalog());
  response.set_config(discovery.config);
  return response;
}

absl::StatusOr<v1::Store> StoreServiceImpl::Rebind(const Call& call,
                                                   const v1::RebindStoreRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts_.stores->Find(request.store()));
  RETURN_IF_ERROR(CheckWritable(parts_));
  RETURN_IF_ERROR(CheckPresent("expected_identity", request.expected_identity()));
  RETURN_IF_ERROR(CheckPresent("reason", request.reason()));
  RETURN_IF_ERROR(OnlyOnce(parts_.state, call.request, store->name, [&] {
    return parts_.stores->Rebind(store->name, request.expected_identity(), call.actor, call.reason);
  }));
  RETURN_IF_ERROR(parts_.monitor->Look(store->name).status());
  return StoreToWire(*store);
}

absl::StatusOr<v1::Store> StoreServiceImpl::Throttle(const Call& call,
                                                     const v1::ThrottleStoreRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts_.stores->Find(request.store()));
  RETURN_IF_ERROR(CheckWritable(parts_));
  RETURN_IF_ERROR(CheckThrottle(request));
  state::Throttle throttle;
  throttle.set_rows_per_second(request.throttle().rows_per_second());
  throttle.set_bytes_per_second(request.throttle().bytes_per_second());
  throttle.set_max_running(request.throttle().max_running());
  RETURN_IF_ERROR(OnlyOnce(parts_.state, call.request, store->name, [&] {
    return parts_.restores->SetThrottle(store->name, throttle, call.actor, call.reason);
  }));
  return StoreToWire(*store);
}

absl::StatusOr<v1::Store> StoreServiceImpl::StoreToWire(const ServedStore& store) const {
  v1::Store wire;
  wire.set_name(store.name);
  wire.set_adapter(AdapterToWire(store.adapter));
  if (const auto record = parts_.stores->Record(store.name); record.ok()) {
    wire.set_identity(record->identity());
    wire.set_address(record->address());
    SetTime(record->registered_us(), &v1::Store::mutable_register_time, &wire);
    wire.mutable_throttle()->set_rows_per_second(record->throttle().rows_per_second());
    wire.mutable_throttle()->set_bytes_per_second(record->throttle().bytes_per_second());
    wire.mutable_throttle()->set_max_running(record->throttle().max_running());
  }
  wire.set_holding_back(parts_.restores->HoldingBack(store.name).value_or(""));
  const StoreSighting sighting = parts_.monitor->Last(store.name);
  StateToWire(sighting, &wire);
  RETURN_IF_ERROR(SnapshotsToWire(store, &wire));
  const auto schedule = parts_.schedules.find(store.name);
  if (schedule != parts_.schedules.end() && schedule->second.every > absl::ZeroDuration()) {
    ToWire(schedule->second.every, wire.mutable_snapshot_interval());
  }
  return wire;
}

void StoreServiceImpl::StateToWire(const StoreSighting& sighting, v1::Store* wire) const {
  wire->set_found_identity(sighting.found_identity);
  if (!sighting.found_address.empty()) {
    wire->set_address(sighting.found_address);
  }
  if (sighting.last_contact != absl::InfinitePast()) {
    ToWire(sighting.last_contact, wire->mutable_last_contact_time());
  }
  absl::Status problem = sighting.status;
  if (HasReason(problem, Reason::kStoreIdentityChanged)) {
    wire->set_state(v1::STORE_STATE_IDENTITY_CHANGED);
  } else if (!problem.ok()) {
    wire->set_state(v1::STORE_STATE_UNREACHABLE);
  } else if (!parts_.read_only.ok()) {
    wire->set_state(v1::STORE_STATE_HISTORY_READ_ONLY);
    problem = parts_.read_only;
  } else {
    wire->set_state(v1::STORE_STATE_READY);
  }
  wire->set_state_message(std::string(problem.message()));
}

absl::Status StoreServiceImpl::SnapshotsToWire(const ServedStore& store, v1::Store* wire) const {
  ASSIGN_OR_RETURN(const SnapshotTally tally, TallySnapshots(*parts_.history, store.lineage));
  wire->set_snapshots(tally.visible);
  if (tally.last_good.has_value()) {
    wire->set_last_good_snapshot(tally.last_good->id.ToString());
    ToWire(tally.last_good->instant, wire->mutable_last_good_instant());
    ToWire(tally.AgeOfLastGood(parts_.clock->Now()), wire->mutable_last_good_age());
  }
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<grpc::Service> MakeStoreService(CallGate* gate, const ServiceParts& parts) {
  return std::make_unique<StoreServiceImpl>(gate, parts);
}

}  // namespace reinstate
