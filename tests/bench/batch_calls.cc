#include "tests/bench/batch_calls.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/api/client.h"
#include "client/api/status_from_wire.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate::bench {
namespace {

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

}  // namespace

bool HasEnded(const v1::Batch& batch) {
  return batch.state() == v1::BATCH_STATE_PLANNED || batch.state() == v1::BATCH_STATE_SUCCEEDED ||
         batch.state() == v1::BATCH_STATE_PARTLY_FAILED ||
         batch.state() == v1::BATCH_STATE_CANCELLED;
}

BatchCalls::BatchCalls(const std::string& address, std::string store)
    : store_(std::move(store)),
      batches_(v1::BatchService::NewStub(Connect(address))),
      restores_(v1::RestoreService::NewStub(Connect(address))),
      stores_(v1::StoreService::NewStub(Connect(address))),
      tenants_(v1::TenantService::NewStub(Connect(address))) {}

absl::StatusOr<std::vector<v1::BatchLineSpec>> BatchCalls::Resolve(
    const std::vector<std::string>& names) {
  v1::ResolveTenantsRequest request;
  request.set_store(store_);
  request.set_at("latest");
  for (const std::string& name : names) {
    v1::TenantInput* const input = request.add_inputs();
    input->set_line(request.inputs_size());
    input->set_text(name);
  }
  grpc::ClientContext context;
  const auto reader = tenants_->ResolveTenants(&context, request);
  std::vector<v1::BatchLineSpec> lines;
  bool all_found = true;
  for (v1::ResolveTenantsResponse response; reader->Read(&response);) {
    for (const v1::TenantResolution& found : response.resolutions()) {
      all_found = all_found && found.match() == v1::TENANT_RESOLUTION_KIND_EXACT;
      v1::BatchLineSpec& line = lines.emplace_back();
      line.set_line(found.line());
      line.set_input(found.input());
      line.set_tenant(found.ref().tenant());
    }
  }
  RETURN_IF_ERROR(StatusFromWire(reader->Finish()));
  if (!all_found || lines.size() != names.size()) {
    return MakeError(Reason::kTenantNotFound, "A name of the list is not that of one tenant.");
  }
  return lines;
}

absl::StatusOr<v1::Batch> BatchCalls::Create(const std::vector<v1::BatchLineSpec>& lines) {
  v1::CreateBatchRequest request;
  request.mutable_spec()->set_store(store_);
  request.mutable_spec()->set_at("latest");
  request.mutable_spec()->set_mode(v1::RESTORE_MODE_CREATE_MISSING);
  request.mutable_lines()->Assign(lines.begin(), lines.end());
  request.set_actor("bench");
  request.set_reason("the replay of an incident");
  request.set_request_id(NewRequestId());
  grpc::ClientContext context;
  v1::Batch batch;
  RETURN_IF_ERROR(StatusFromWire(batches_->CreateBatch(&context, request, &batch)));
  return batch;
}

v1::ControlBatchRequest BatchCalls::Order(const std::string& batch) {
  v1::ControlBatchRequest request;
  request.set_batch(batch);
  request.set_actor("bench");
  return request;
}

absl::StatusOr<v1::Batch> BatchCalls::Get(const std::string& batch) {
  v1::GetBatchRequest request;
  request.set_batch(batch);
  grpc::ClientContext context;
  v1::Batch found;
  RETURN_IF_ERROR(StatusFromWire(batches_->GetBatch(&context, request, &found)));
  return found;
}

absl::Status BatchCalls::Pause(const std::string& batch) {
  grpc::ClientContext context;
  v1::Batch answer;
  return StatusFromWire(batches_->PauseBatch(&context, Order(batch), &answer));
}

absl::Status BatchCalls::Resume(const std::string& batch) {
  grpc::ClientContext context;
  v1::Batch answer;
  return StatusFromWire(batches_->ResumeBatch(&context, Order(batch), &answer));
}

absl::Status BatchCalls::Cancel(const std::string& batch) {
  grpc::ClientContext context;
  v1::Batch answer;
  return StatusFromWire(batches_->CancelBatch(&context, Order(batch), &answer));
}

absl::StatusOr<v1::Batch> BatchCalls::Follow(
    const std::string& batch, const std::function<void(const v1::Batch&)>& on_update) {
  v1::WatchBatchRequest request;
  request.set_batch(batch);
  grpc::ClientContext context;
  const auto reader = batches_->WatchBatch(&context, request);
  v1::Batch state;
  while (reader->Read(&state)) {
    on_update(state);
    if (state.state() == v1::BATCH_STATE_WAITING_FOR_CONSENT) {
      context.TryCancel();
      return absl::AbortedError(absl::StrCat("the batch waits: ", state.state_message()));
    }
  }
  RETURN_IF_ERROR(StatusFromWire(reader->Finish()));
  if (!HasEnded(state)) {
    return MakeError(Reason::kInternal, "The watch ended before the batch.");
  }
  return state;
}

absl::StatusOr<std::vector<v1::BatchLine>> BatchCalls::Lines(const std::string& batch) {
  v1::ListBatchLinesRequest request;
  request.set_batch(batch);
  request.set_page_size(1000);
  std::vector<v1::BatchLine> lines;
  do {
    grpc::ClientContext context;
    v1::ListBatchLinesResponse response;
    RETURN_IF_ERROR(StatusFromWire(batches_->ListBatchLines(&context, request, &response)));
    lines.insert(lines.end(), response.lines().begin(), response.lines().end());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return lines;
}

absl::StatusOr<v1::Restore> BatchCalls::GetRestore(const std::string& restore) {
  v1::GetRestoreRequest request;
  request.set_restore(restore);
  grpc::ClientContext context;
  v1::Restore found;
  RETURN_IF_ERROR(StatusFromWire(restores_->GetRestore(&context, request, &found)));
  return found;
}

absl::Status BatchCalls::Throttle(const v1::Throttle& throttle) {
  v1::ThrottleStoreRequest request;
  request.set_store(store_);
  *request.mutable_throttle() = throttle;
  request.set_actor("bench");
  request.set_request_id(NewRequestId());
  grpc::ClientContext context;
  v1::Store store;
  return StatusFromWire(stores_->ThrottleStore(&context, request, &store));
}

}  // namespace reinstate::bench
