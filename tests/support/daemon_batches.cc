#include "tests/support/daemon_batches.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/require.h"

namespace reinstate {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(120);

// The answer; nothing if the daemon ended before it came.
std::optional<v1::Batch> Answer(const grpc::Status& status, const v1::Batch& batch,
                                const std::string& what) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return std::nullopt;
  }
  Require(status, what);
  return batch;
}

}  // namespace

v1::CreateBatchRequest MirrorBatch(const std::vector<std::string>& tenants, v1::BatchSpec where,
                                   const std::string& request_id) {
  v1::CreateBatchRequest request;
  *request.mutable_spec() = std::move(where);
  request.mutable_spec()->set_at("latest");
  request.mutable_spec()->set_mode(v1::RESTORE_MODE_MIRROR);
  request.mutable_spec()->set_accept_shrinking(true);
  for (const std::string& tenant : tenants) {
    request.add_lines()->set_tenant(tenant);
  }
  request.set_request_id(request_id);
  return request;
}

bool HasEnded(const v1::Batch& batch) {
  return batch.state() == v1::BATCH_STATE_SUCCEEDED ||
         batch.state() == v1::BATCH_STATE_PARTLY_FAILED ||
         batch.state() == v1::BATCH_STATE_CANCELLED || batch.state() == v1::BATCH_STATE_PLANNED;
}

std::optional<v1::Batch> DaemonBatches::Create(const v1::CreateBatchRequest& request) {
  grpc::ClientContext context;
  v1::Batch batch;
  return Answer(Stub()->CreateBatch(&context, request, &batch), batch, "create batch");
}

std::optional<v1::Batch> DaemonBatches::Undo(const std::string& undone,
                                             const std::string& request_id) {
  grpc::ClientContext context;
  v1::UndoBatchRequest request;
  request.set_batch(undone);
  request.set_request_id(request_id);
  v1::Batch batch;
  return Answer(Stub()->UndoBatch(&context, request, &batch), batch, "undo batch");
}

std::optional<v1::Batch> DaemonBatches::TryGet(const std::string& id) {
  grpc::ClientContext context;
  v1::GetBatchRequest request;
  request.set_batch(id);
  v1::Batch batch;
  return Answer(Stub()->GetBatch(&context, request, &batch), batch, "get batch");
}

v1::Batch DaemonBatches::Get(const std::string& id) {
  const std::optional<v1::Batch> batch = TryGet(id);
  Require(batch.has_value(), "get batch: the daemon has ended: " + world_->Output());
  return *batch;
}

v1::Batch DaemonBatches::Call(Control control, const std::string& id, const char* what) {
  grpc::ClientContext context;
  v1::ControlBatchRequest request;
  request.set_batch(id);
  v1::Batch batch;
  const auto stub = Stub();
  Require((stub.get()->*control)(&context, request, &batch), what);
  return batch;
}

v1::Batch DaemonBatches::Pause(const std::string& batch) {
  return Call(&v1::BatchService::Stub::PauseBatch, batch, "pause batch");
}

v1::Batch DaemonBatches::Resume(const std::string& batch) {
  return Call(&v1::BatchService::Stub::ResumeBatch, batch, "resume batch");
}

v1::Batch DaemonBatches::Cancel(const std::string& batch) {
  return Call(&v1::BatchService::Stub::CancelBatch, batch, "cancel batch");
}

v1::Batch DaemonBatches::Retry(const std::string& batch) {
  return Call(&v1::BatchService::Stub::RetryBatch, batch, "retry batch");
}

v1::Batch DaemonBatches::Await(const std::string& id,
                               const std::function<bool(const v1::Batch&)>& holds,
                               absl::Duration poll) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (true) {
    v1::Batch batch = Get(id);
    if (holds(batch)) {
      return batch;
    }
    Require(absl::Now() < deadline,
            absl::StrCat("the batch stays as it is: ", batch.DebugString(), world_->Output()));
    absl::SleepFor(poll);
  }
}

std::vector<v1::BatchLine> DaemonBatches::Lines(const std::string& batch) {
  grpc::ClientContext context;
  v1::ListBatchLinesRequest request;
  request.set_batch(batch);
  request.set_page_size(1000);
  v1::ListBatchLinesResponse page;
  Require(Stub()->ListBatchLines(&context, request, &page), "list batch lines");
  return {page.lines().begin(), page.lines().end()};
}

std::vector<v1::Restore> DaemonBatches::Restores() {
  const auto service = v1::RestoreService::NewStub(world_->channel());
  std::vector<v1::Restore> restores;
  v1::ListRestoresResponse page;
  do {
    grpc::ClientContext context;
    v1::ListRestoresRequest request;
    request.set_page_size(1000);
    request.set_page_token(page.next_page_token());
    Require(service->ListRestores(&context, request, &page), "list restores");
    restores.insert(restores.end(), page.restores().begin(), page.restores().end());
  } while (!page.next_page_token().empty());
  return restores;
}

}  // namespace reinstate
