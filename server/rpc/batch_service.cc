#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
#include "server/rpc/batch_broadcast.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/convert_batch.h"
#include "server/rpc/convert_restore.h"
#include "server/rpc/idempotent.h"
#include "server/rpc/page_query.h"
#include "server/rpc/request_checks.h"
#include "server/rpc/services.h"

namespace reinstate {
namespace {

using Wire = v1::BatchService;
using Base =
    RawService<Wire::Service, Wire::WithRawCallbackMethod_CreateBatch,
               Wire::WithRawCallbackMethod_GetBatch, Wire::WithRawCallbackMethod_ListBatches,
               Wire::WithRawCallbackMethod_ListBatchLines, Wire::WithRawCallbackMethod_WatchBatch,
               Wire::WithRawCallbackMethod_PauseBatch, Wire::WithRawCallbackMethod_ResumeBatch,
               Wire::WithRawCallbackMethod_CancelBatch, Wire::WithRawCallbackMethod_RetryBatch,
               Wire::WithRawCallbackMethod_AddToBatch, Wire::WithRawCallbackMethod_PrioritizeBatch,
               Wire::WithRawCallbackMethod_UndoBatch>;

class BatchServiceImpl final : public Base {
 public:
  BatchServiceImpl(CallGate* gate, const ServiceParts& parts)
      : gate_(gate),
        parts_(parts),
        broadcast_({.stamp = [this](const std::string& id) { return parts_.batches->Stamp(id); },
                    .build = [this](const std::string& id) { return Edit(id); },
                    .watch =
                        [this](const std::string& id, const std::function<void()>& on_change) {
                          return WatchChanges(id, on_change);
                        }}) {}

  grpc::ServerUnaryReactor* CreateBatch(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Create);
  }
  grpc::ServerUnaryReactor* GetBatch(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Get);
  }
  grpc::ServerUnaryReactor* ListBatches(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::List);
  }
  grpc::ServerUnaryReactor* ListBatchLines(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::ListLines);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchBatch(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) override {
    return gate_->ServerStream<v1::Batch>(context, request, this, &BatchServiceImpl::Follow);
  }
  grpc::ServerUnaryReactor* PauseBatch(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Pause);
  }
  grpc::ServerUnaryReactor* ResumeBatch(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Resume);
  }
  grpc::ServerUnaryReactor* CancelBatch(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Cancel);
  }
  grpc::ServerUnaryReactor* RetryBatch(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Retry);
  }
  grpc::ServerUnaryReactor* AddToBatch(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Add);
  }
  grpc::ServerUnaryReactor* PrioritizeBatch(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Prioritize);
  }
  grpc::ServerUnaryReactor* UndoBatch(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &BatchServiceImpl::Undo);
  }

 private:
  using StreamOr = absl::StatusOr<std::unique_ptr<StreamSource>>;
  using BatchOr = absl::StatusOr<v1::Batch>;
  using ViewOr = absl::StatusOr<BatchView>;

  BatchOr Create(const Call& call, const v1::CreateBatchRequest& request);
  BatchOr Get(const Call& call, const v1::GetBatchRequest& request);
  absl::StatusOr<v1::ListBatchesResponse> List(const Call& call,
                                               const v1::ListBatchesRequest& request);
  absl::StatusOr<v1::ListBatchLinesResponse> ListLines(const Call& call,
                                                       const v1::ListBatchLinesRequest& request);
  StreamOr Follow(const Call& /*call*/, const v1::WatchBatchRequest& request) {
    return broadcast_.Follow(request.batch());
  }
  BatchOr Pause(const Call& call, const v1::ControlBatchRequest& request) {
    return Control(call, request.batch(), [&] {
      return parts_.batches->Pause(request.batch(), call.actor, request.reason());
    });
  }
  BatchOr Resume(const Call& call, const v1::ControlBatchRequest& request) {
    return Control(call, request.batch(), [&] {
      return parts_.batches->Resume(request.batch(), call.actor, request.reason());
    });
  }
  BatchOr Cancel(const Call& call, const v1::ControlBatchRequest& request) {
    return Control(call, request.batch(), [&] {
      return parts_.batches->Cancel(request.batch(), call.actor, request.reason());
    });
  }
  BatchOr Retry(const Call& call, const v1::ControlBatchRequest& request) {
    return Control(call, request.batch(), [&] {
      return parts_.batches->Retry(request.batch(), call.actor, request.reason());
    });
  }
  BatchOr Add(const Call& call, const v1::AddToBatchRequest& request);
  BatchOr Prioritize(const Call& call, const v1::PrioritizeBatchRequest& request);
  BatchOr Undo(const Call& call, const v1::UndoBatchRequest& request);

  // Carries `change` out once, and answers with the batch as it is then.
  BatchOr Control(const Call& call, const std::string& batch,
                  const std::function<ViewOr()>& change);
  v1::Batch ToWire(const BatchView& view, BatchDetail detail) const;
  // As BatchManager::Watch, also of what holds its stores back.
  std::shared_ptr<void> WatchChanges(const std::string& id, const std::function<void()>& on_change);
  // The present state, for those who watch.
  absl::StatusOr<BatchBroadcast::Edition> Edit(const std::string& id) const;

  CallGate* const gate_;
  const ServiceParts parts_;
  BatchBroadcast broadcast_;
};

v1::Batch BatchServiceImpl::ToWire(const BatchView& view, BatchDetail detail) const {
  v1::Batch wire = reinstate::ToWire(view, detail);
  for (const v1::BatchStorePoint& point : wire.points()) {
    const auto store = parts_.stores->Record(point.store());
    wire.add_store_addresses(store.ok() ? store->address() : "");
    const auto why = parts_.restores->HoldingBack(point.store());
    if (why.has_value() && !HasEnded(view.record.state())) {
      wire.add_holding_back(absl::StrCat(point.store(), ": ", *why));
    }
  }
  if (!view.waiting.empty()) {
    wire.add_holding_back(view.waiting);
  }
  return wire;
}

std::shared_ptr<void> BatchServiceImpl::WatchChanges(const std::string& id,
                                                     const std::function<void()>& on_change) {
  auto guards = std::make_shared<std::vector<std::shared_ptr<void>>>();
  guards->push_back(parts_.batches->Watch(id, on_change));
  if (const ViewOr batch = parts_.batches->Get(id); batch.ok()) {
    for (const state::BatchStorePoint& point : batch->record.points()) {
      guards->push_back(parts_.restores->WatchHold(point.store(), on_change));
    }
  }
  return guards;
}

BatchServiceImpl::BatchOr BatchServiceImpl::Create(const Call& call,
                                                   const v1::CreateBatchRequest& request) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  state::BatchOrder order;
  std::vector<BatchLineOrder> lines;
  if (request.plan().empty()) {
    ASSIGN_OR_RETURN(order, OrderFromWire(request.spec()));
    ASSIGN_OR_RETURN(lines, LinesFromWire(request.lines()));
    order.set_dry_run(request.dry_run());
  } else if (request.lines_size() > 0 || request.dry_run()) {
    return FieldError("plan", "says what to do: no lines and no dry run beside it.");
  } else {
    v1::BatchSpec rest = request.spec();
    rest.clear_skip_invalid();
    rest.clear_accept_shrinking();
    if (rest.ByteSizeLong() > 0) {
      return FieldError("spec", "has only skip_invalid and accept_shrinking beside a plan.");
    }
    order.set_plan(request.plan());
    order.set_skip_invalid(request.spec().skip_invalid());
    order.set_accept_shrinking(request.spec().accept_shrinking());
    ASSIGN_OR_RETURN(*order.mutable_plan_digest(),
                     DigestFromWire("plan_digest", request.plan_digest()));
  }
  *order.mutable_actor() = call.actor;
  order.set_reason(request.reason());
  order.set_reference(request.reference());
  ASSIGN_OR_RETURN(
      const BatchView view,
      parts_.batches->CreateBatch(call.request, std::move(order), lines, request.validate_only()));
  return ToWire(view, BatchDetail::kFull);
}

BatchServiceImpl::BatchOr BatchServiceImpl::Get(const Call& /*call*/,
                                                const v1::GetBatchRequest& request) {
  ASSIGN_OR_RETURN(const BatchView view, parts_.batches->Get(request.batch()));
  return ToWire(view, BatchDetail::kFull);
}

absl::StatusOr<v1::ListBatchesResponse> BatchServiceImpl::List(
    const Call& /*call*/, const v1::ListBatchesRequest& request) {
  ASSIGN_OR_RETURN(const PageQuery page, PageQuery::Parse(request, 1));
  ASSIGN_OR_RETURN(
      const std::vector<BatchView> batches,
      parts_.batches->List(page.first() ? std::string() : page.position(0), page.size() + 1));
  v1::ListBatchesResponse response;
  for (const BatchView& batch : batches) {
    if (response.batches_size() == page.size()) {
      response.set_next_page_token(page.Token({response.batches().rbegin()->id()}));
      break;
    }
    *response.add_batches() = ToWire(batch, BatchDetail::kListed);
  }
  return response;
}

absl::StatusOr<v1::ListBatchLinesResponse> BatchServiceImpl::ListLines(
    const Call& /*call*/, const v1::ListBatchLinesRequest& request) {
  ASSIGN_OR_RETURN(const PageQuery page, PageQuery::Parse(request, 1));
  BatchLineFilter filter;
  filter.tenant = request.tenant();
  for (const int wanted : request.states()) {
    if (wanted == v1::BATCH_LINE_STATE_UNSPECIFIED || !v1::BatchLineState_IsValid(wanted)) {
      return FieldError("states", "has an entry that is none of the known states.");
    }
    filter.states.push_back(static_cast<BatchLineState>(wanted - 1));
  }
  int64_t from = 0;
  if (!page.first() && !absl::SimpleAtoi(page.position(0), &from)) {
    return FieldError("page_token", "is not one of this list.", Reason::kPageTokenInvalid);
  }
  ASSIGN_OR_RETURN(const std::vector<BatchLineView> lines,
                   parts_.batches->Lines(request.batch(), filter, from, page.size() + 1));
  v1::ListBatchLinesResponse response;
  for (const BatchLineView& line : lines) {
    if (response.lines_size() == page.size()) {
      response.set_next_page_token(page.Token({absl::StrCat(line.record.number())}));
      break;
    }
    *response.add_lines() = reinstate::ToWire(line);
  }
  return response;
}

absl::StatusOr<BatchBroadcast::Edition> BatchServiceImpl::Edit(const std::string& id) const {
  ASSIGN_OR_RETURN(const BatchView view, parts_.batches->Get(id));
  const state::BatchRecord& record = view.record;
  return BatchBroadcast::Edition{.stamp = {.state = record.state(), .revision = record.revision()},
                                 .message = ToWire(view, BatchDetail::kFull).SerializeAsString(),
                                 .final = HasEnded(record.state())};
}

BatchServiceImpl::BatchOr BatchServiceImpl::Control(const Call& call, const std::string& batch,
                                                    const std::function<ViewOr()>& change) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  RETURN_IF_ERROR(CheckPresent("batch", batch));
  RETURN_IF_ERROR(OnlyOnce(parts_.state, call.request, batch, [&] { return change().status(); }));
  ASSIGN_OR_RETURN(const BatchView view, parts_.batches->Get(batch));
  return ToWire(view, BatchDetail::kFull);
}

BatchServiceImpl::BatchOr BatchServiceImpl::Add(const Call& call,
                                                const v1::AddToBatchRequest& request) {
  ASSIGN_OR_RETURN(const auto lines, LinesFromWire(request.lines()));
  const auto add = [&] {
    return parts_.batches->Add(
        request.batch(), lines,
        {.skip_invalid = request.skip_invalid(), .validate_only = request.validate_only()},
        call.actor, request.reason());
  };
  if (request.validate_only()) {
    ASSIGN_OR_RETURN(const BatchView view, add());
    return ToWire(view, BatchDetail::kFull);
  }
  return Control(call, request.batch(), add);
}

BatchServiceImpl::BatchOr BatchServiceImpl::Prioritize(const Call& call,
                                                       const v1::PrioritizeBatchRequest& request) {
  const std::vector<std::string> tenants(request.tenants().begin(), request.tenants().end());
  return Control(call, request.batch(), [&] {
    return parts_.batches->Prioritize(request.batch(), tenants, request.priority(), call.actor,
                                      request.reason());
  });
}

BatchServiceImpl::BatchOr BatchServiceImpl::Undo(const Call& call,
                                                 const v1::UndoBatchRequest& request) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  RETURN_IF_ERROR(CheckPresent("batch", request.batch()));
  state::BatchOrder order;
  order.set_undo_of(request.batch());
  order.set_skip_undo_conflicts(request.skip_conflicts());
  *order.mutable_actor() = call.actor;
  order.set_reason(request.reason());
  order.set_reference(request.reference());
  ASSIGN_OR_RETURN(const BatchView view, parts_.batches->CreateUndo(call.request, std::move(order),
                                                                    request.validate_only()));
  return ToWire(view, BatchDetail::kFull);
}

}  // namespace

std::unique_ptr<grpc::Service> MakeBatchService(CallGate* gate, const ServiceParts& parts) {
  return std::make_unique<BatchServiceImpl>(gate, parts);
}

}  // namespace reinstate
