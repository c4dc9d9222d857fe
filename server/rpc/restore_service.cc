#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reinstate/v1/restore_service.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/convert_restore.h"
#include "server/rpc/idempotent.h"
#include "server/rpc/opened_point.h"
#include "server/rpc/page_query.h"
#include "server/rpc/request_checks.h"
#include "server/rpc/services.h"
#include "server/rpc/watch_source.h"

namespace reinstate {
namespace {

using Wire = v1::RestoreService;
using Base =
    RawService<Wire::Service, Wire::WithRawCallbackMethod_PlanRestore,
               Wire::WithRawCallbackMethod_GetPlan, Wire::WithRawCallbackMethod_WatchPlan,
               Wire::WithRawCallbackMethod_CreateRestore, Wire::WithRawCallbackMethod_GetRestore,
               Wire::WithRawCallbackMethod_ListRestores, Wire::WithRawCallbackMethod_WatchRestore,
               Wire::WithRawCallbackMethod_CancelRestore, Wire::WithRawCallbackMethod_UndoRestore,
               Wire::WithRawCallbackMethod_ResolveRestore,
               Wire::WithRawCallbackMethod_GetCertificate>;

class RestoreServiceImpl final : public Base {
 public:
  RestoreServiceImpl(CallGate* gate, const ServiceParts& parts) : gate_(gate), parts_(parts) {}

  grpc::ServerUnaryReactor* PlanRestore(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::Plan);
  }
  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::ReadPlan);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchPlan(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request) override {
    return gate_->ServerStream<v1::Plan>(context, request, this, &RestoreServiceImpl::FollowPlan);
  }
  grpc::ServerUnaryReactor* CreateRestore(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::Create);
  }
  grpc::ServerUnaryReactor* GetRestore(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::Get);
  }
  grpc::ServerUnaryReactor* ListRestores(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::List);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchRestore(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return gate_->ServerStream<v1::Restore>(context, request, this, &RestoreServiceImpl::Follow);
  }
  grpc::ServerUnaryReactor* CancelRestore(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::Cancel);
  }
  grpc::ServerUnaryReactor* UndoRestore(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::Undo);
  }
  grpc::ServerUnaryReactor* ResolveRestore(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::Resolve);
  }
  grpc::ServerUnaryReactor* GetCertificate(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RestoreServiceImpl::Certify);
  }

 private:
  using StreamOr = absl::StatusOr<std::unique_ptr<StreamSource>>;

  absl::StatusOr<v1::Plan> Plan(const Call& call, const v1::PlanRestoreRequest& request);
  absl::StatusOr<v1::Plan> ReadPlan(const Call& call, const v1::GetPlanRequest& request);
  StreamOr FollowPlan(const Call& call, const v1::WatchPlanRequest& request);
  absl::StatusOr<v1::Restore> Create(const Call& call, const v1::CreateRestoreRequest& request);
  absl::StatusOr<v1::Restore> Get(const Call& call, const v1::GetRestoreRequest& request);
  absl::StatusOr<v1::ListRestoresResponse> List(const Call& call,
                                                const v1::ListRestoresRequest& request);
  StreamOr Follow(const Call& call, const v1::WatchRestoreRequest& request);
  absl::StatusOr<v1::Restore> Cancel(const Call& call, const v1::CancelRestoreRequest& request);
  absl::StatusOr<v1::Restore> Undo(const Call& call, const v1::UndoRestoreRequest& request);
  absl::StatusOr<v1::Restore> Resolve(const Call& call, const v1::ResolveRestoreRequest& request);
  absl::StatusOr<v1::Certificate> Certify(const Call& call,
                                          const v1::GetCertificateRequest& request);

  // The order of the READY plan `id`, bound to `digest` (that of the plan if empty).
  absl::StatusOr<state::RestoreOrder> OrderOfPlan(const std::string& id,
                                                  const std::string& digest) const;
  absl::StatusOr<state::RestoreOrder> OrderOfRequest(const v1::CreateRestoreRequest& request) const;
  absl::StatusOr<v1::Plan> LoadPlan(const std::string& id) const;
  v1::Plan PlanToWire(const state::PlanRecord& record) const;
  absl::StatusOr<v1::Restore> Load(const std::string& id) const;
  v1::Restore RestoreToWire(const state::RestoreRecord& record, RestoreDetail detail) const;

  CallGate* const gate_;
  const ServiceParts parts_;
};

absl::StatusOr<v1::Plan> RestoreServiceImpl::Plan(const Call& call,
                                                  const v1::PlanRestoreRequest& request) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  state::RestoreOrder order;
  if (request.has_restore()) {
    ASSIGN_OR_RETURN(order, OrderFromWire(request.restore(), "restore"));
  } else if (request.has_undo()) {
    ASSIGN_OR_RETURN(order, OrderFromWire(request.undo(), "undo"));
  } else {
    return FieldError("spec", "is required: what to plan, `restore` or `undo`.");
  }
  *order.mutable_actor() = call.actor;
  ASSIGN_OR_RETURN(const state::PlanRecord record,
                   parts_.restores->CreatePlan(call.request, std::move(order)));
  return PlanToWire(record);
}

v1::Plan RestoreServiceImpl::PlanToWire(const state::PlanRecord& record) const {
  v1::Plan wire = ToWire(record);
  if (const auto store = parts_.stores->Record(record.order().store()); store.ok()) {
    wire.set_store_address(store->address());
  }
  if (wire.has_shrunken()) {
    const auto id = SnapshotId::Parse(wire.shrunken().snapshot());
    const auto peak = id.ok() ? parts_.history->GetSnapshot(*id) : id.status();
    if (peak.ok()) {
      ToWire(peak->instant, wire.mutable_shrunken()->mutable_instant());
    }
  }
  return wire;
}

absl::StatusOr<v1::Plan> RestoreServiceImpl::LoadPlan(const std::string& id) const {
  ASSIGN_OR_RETURN(const state::PlanRecord record, parts_.restores->GetPlan(id));
  return PlanToWire(record);
}

absl::StatusOr<v1::Plan> RestoreServiceImpl::ReadPlan(const Call& /*call*/,
                                                      const v1::GetPlanRequest& request) {
  return LoadPlan(request.plan());
}

RestoreServiceImpl::StreamOr RestoreServiceImpl::FollowPlan(const Call& /*call*/,
                                                            const v1::WatchPlanRequest& request) {
  const std::string& id = request.plan();
  return std::make_unique<WatchSource<v1::Plan>>(
      [=, this](std::function<void()> wake) {
        return parts_.restores->WatchJob(id, std::move(wake));
      },
      [=, this]() -> absl::StatusOr<WatchSource<v1::Plan>::State> {
        ASSIGN_OR_RETURN(v1::Plan plan, LoadPlan(id));
        const bool final =
            plan.state() == v1::PLAN_STATE_READY || plan.state() == v1::PLAN_STATE_FAILED;
        return WatchSource<v1::Plan>::State{std::move(plan), final};
      });
}

absl::StatusOr<state::RestoreOrder> RestoreServiceImpl::OrderOfPlan(
    const std::string& id, const std::string& digest) const {
  ASSIGN_OR_RETURN(const state::PlanRecord plan, parts_.restores->GetPlan(id));
  if (plan.state() != state::PLAN_READY) {
    return FieldError("plan", absl::StrCat("names ", id, ", which is not ready."));
  }
  if (!digest.empty() && digest != plan.summary().digest()) {
    return MakeError(Reason::kPlanChanged,
                     absl::StrCat("The digest that was consented to is not that of plan ", id,
                                  "; look at the plan again."));
  }
  state::RestoreOrder order = plan.order();
  order.set_plan(id);
  order.set_plan_digest(plan.summary().digest());
  return order;
}

absl::StatusOr<state::RestoreOrder> RestoreServiceImpl::OrderOfRequest(
    const v1::CreateRestoreRequest& request) const {
  ASSIGN_OR_RETURN(const std::string digest, DigestFromWire("plan_digest", request.plan_digest()));
  switch (request.from_case()) {
    case v1::CreateRestoreRequest::kSpec: {
      if (request.accept_shrunken() || request.accept_uncovered_tables()) {
        return FieldError("accept_shrunken", "belongs into `spec` if there is one.");
      }
      ASSIGN_OR_RETURN(state::RestoreOrder order, OrderFromWire(request.spec(), "spec"));
      order.set_plan_digest(digest);
      return order;
    }
    case v1::CreateRestoreRequest::kPlan: {
      ASSIGN_OR_RETURN(state::RestoreOrder order, OrderOfPlan(request.plan(), digest));
      if (!order.undo_of().empty()) {
        return FieldError("plan", "is that of an undo; use UndoRestore.");
      }
      // What the plan's point resolved to, and not what the same words mean by now.
      order.mutable_point()->set_requested(order.point().snapshot());
      order.set_accept_shrunken(order.accept_shrunken() || request.accept_shrunken());
      order.set_accept_uncovered(order.accept_uncovered() || request.accept_uncovered_tables());
      return order;
    }
    case v1::CreateRestoreRequest::FROM_NOT_SET:
      break;
  }
  return FieldError("from", "is required: what to do, `spec` or `plan`.");
}

absl::StatusOr<v1::Restore> RestoreServiceImpl::Create(const Call& call,
                                                       const v1::CreateRestoreRequest& request) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  ASSIGN_OR_RETURN(state::RestoreOrder order, OrderOfRequest(request));
  *order.mutable_actor() = call.actor;
  order.set_reason(request.reason());
  order.set_reference(request.reference());
  order.set_priority(request.priority());
  ASSIGN_OR_RETURN(
      const state::RestoreRecord record,
      parts_.restores->CreateRestore(call.request, std::move(order), request.validate_only()));
  return RestoreToWire(record, RestoreDetail::kFull);
}

absl::StatusOr<v1::Restore> RestoreServiceImpl::Undo(const Call& call,
                                                     const v1::UndoRestoreRequest& request) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  RETURN_IF_ERROR(CheckPresent("restore", request.restore()));
  ASSIGN_OR_RETURN(const std::string digest, DigestFromWire("plan_digest", request.plan_digest()));
  state::RestoreOrder order;
  order.set_undo_of(request.restore());
  order.set_plan_digest(digest);
  if (!request.plan().empty()) {
    ASSIGN_OR_RETURN(order, OrderOfPlan(request.plan(), digest));
    if (order.undo_of() != request.restore()) {
      return FieldError("plan", "is not that of an undo of this restore.");
    }
  }
  order.set_skip_undo_conflicts(request.skip_conflicts());
  *order.mutable_actor() = call.actor;
  order.set_reason(request.reason());
  order.set_reference(request.reference());
  ASSIGN_OR_RETURN(
      const state::RestoreRecord record,
      parts_.restores->CreateUndo(call.request, std::move(order), request.validate_only()));
  return RestoreToWire(record, RestoreDetail::kFull);
}

v1::Restore RestoreServiceImpl::RestoreToWire(const state::RestoreRecord& record,
                                              RestoreDetail detail) const {
  v1::Restore wire = ToWire(record, parts_.restores->EstimateEnd(record), detail);
  wire.set_holding_back(parts_.restores->WhyQueued(record).value_or(""));
  return wire;
}

absl::StatusOr<v1::Restore> RestoreServiceImpl::Load(const std::string& id) const {
  ASSIGN_OR_RETURN(const state::RestoreRecord record, parts_.restores->GetRestore(id));
  return RestoreToWire(record, RestoreDetail::kFull);
}

absl::StatusOr<v1::Restore> RestoreServiceImpl::Get(const Call& /*call*/,
                                                    const v1::GetRestoreRequest& request) {
  return Load(request.restore());
}

RestoreServiceImpl::StreamOr RestoreServiceImpl::Follow(const Call& /*call*/,
                                                        const v1::WatchRestoreRequest& request) {
  const std::string& id = request.restore();
  return std::make_unique<WatchSource<v1::Restore>>(
      [=, this](std::function<void()> wake) {
        return parts_.restores->WatchJob(id, std::move(wake));
      },
      [=, this]() -> absl::StatusOr<WatchSource<v1::Restore>::State> {
        ASSIGN_OR_RETURN(v1::Restore restore, Load(id));
        const bool final = restore.state() == v1::RESTORE_STATE_IN_DOUBT ||
                           (IsFinal(FromWire(restore.state())) && !restore.hooks_pending());
        return WatchSource<v1::Restore>::State{std::move(restore), final};
      });
}

absl::StatusOr<v1::ListRestoresResponse> RestoreServiceImpl::List(
    const Call& /*call*/, const v1::ListRestoresRequest& request) {
  ASSIGN_OR_RETURN(const PageQuery page, PageQuery::Parse(request, 1));
  RestoreFilter filter;
  if (!request.store().empty()) {
    RETURN_IF_ERROR(parts_.stores->Find(request.store()).status());
    filter.store = request.store();
  }
  if (!request.tenant().empty()) {
    RETURN_IF_ERROR(CheckPresent("store", request.store()));
    ASSIGN_OR_RETURN(const TenantId tenant,
                     ParseTenantOf(*parts_.stores, request.store(), "tenant", request.tenant()));
    filter.tenant = tenant.value();
  }
  for (const int wanted : request.states()) {
    if (wanted == v1::RESTORE_STATE_UNSPECIFIED || !v1::RestoreState_IsValid(wanted)) {
      return FieldError("states", "has an entry that is none of the known states.");
    }
    filter.states.push_back(FromWire(static_cast<v1::RestoreState>(wanted)));
  }
  ASSIGN_OR_RETURN(
      const std::vector<state::RestoreRecord> records,
      parts_.restores->ListRestores(filter, page.first() ? "" : page.position(0), page.size() + 1));
  v1::ListRestoresResponse response;
  for (const state::RestoreRecord& record : records) {
    if (response.restores_size() == page.size()) {
      response.set_next_page_token(page.Token({response.restores().rbegin()->id()}));
      break;
    }
    *response.add_restores() = RestoreToWire(record, RestoreDetail::kListed);
  }
  return response;
}

absl::StatusOr<v1::Restore> RestoreServiceImpl::Cancel(const Call& call,
                                                       const v1::CancelRestoreRequest& request) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  RETURN_IF_ERROR(OnlyOnce(parts_.state, call.request, request.restore(), [&] {
    return parts_.restores->CancelRestore(request.restore(), call.actor, call.reason).status();
  }));
  return Load(request.restore());
}

absl::StatusOr<v1::Restore> RestoreServiceImpl::Resolve(const Call& call,
                                                        const v1::ResolveRestoreRequest& request) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  RETURN_IF_ERROR(CheckPresent("reason", request.reason()));
  const bool committed = request.outcome() == v1::RESOLVED_OUTCOME_COMMITTED;
  if (!committed && request.outcome() != v1::RESOLVED_OUTCOME_NOT_COMMITTED) {
    return FieldError("outcome", "is required: COMMITTED or NOT_COMMITTED.");
  }
  RETURN_IF_ERROR(OnlyOnce(parts_.state, call.request, request.restore(), [&] {
    return parts_.restores
        ->ResolveRestore(request.restore(), committed, call.actor, request.reason())
        .status();
  }));
  return Load(request.restore());
}

absl::StatusOr<v1::Certificate> RestoreServiceImpl::Certify(
    const Call& /*call*/, const v1::GetCertificateRequest& request) {
  ASSIGN_OR_RETURN(const state::RestoreRecord restore,
                   parts_.restores->GetRestore(request.restore()));
  ASSIGN_OR_RETURN(const state::Certificate certificate,
                   parts_.state->GetCertificate(request.restore()));
  return ToWire(certificate, restore);
}

}  // namespace

std::unique_ptr<grpc::Service> MakeRestoreService(CallGate* gate, const ServiceParts& parts) {
  return std::make_unique<RestoreServiceImpl>(gate, parts);
}

}  // namespace reinstate
