#include "server/rpc/upload_reactor.h"

#include <google/protobuf/message.h>

#include <utility>

#include "server/rpc/call.h"
#include "server/rpc/grpc_status.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

UploadReactor* UploadReactor::Begin(RpcPool* pool, CallRegistry* registry, const Types& types,
                                    std::unique_ptr<MessageSink> sink, grpc::ByteBuffer* response) {
  // No make_shared: the constructor is private.
  std::shared_ptr<UploadReactor> reactor(
      new UploadReactor(pool, registry, types, std::move(sink), response));
  reactor->self_ = reactor;
  registry->Add(reactor);
  if (const absl::Status open = registry->CheckOpen(); !open.ok()) {
    reactor->EndOnce(open);
  } else {
    reactor->StartRead(&reactor->message_);
  }
  return reactor.get();
}

void UploadReactor::OnReadDone(bool ok) {
  {
    MutexLock lock(&mu_);
    if (finished_) {
      return;
    }
    working_ = true;
  }
  pool_->Continue([self = shared_from_this(), ok] { self->Step(ok); });
}

void UploadReactor::Step(bool has_message) {
  absl::Status status = has_message ? AcceptMessage() : Close();
  {
    MutexLock lock(&mu_);
    working_ = false;
    if (has_message && status.ok() && ending_.ok()) {
      // Under the lock, so that nobody finishes the call in between.
      StartRead(&message_);
      return;
    }
    status.Update(has_message ? ending_ : absl::OkStatus());
  }
  EndOnce(status);
}

absl::Status UploadReactor::AcceptMessage() {
  std::unique_ptr<google::protobuf::Message> message(types_.request->New());
  RETURN_IF_ERROR(DecodeRequest(message_, message.get()));
  message_.Clear();
  return sink_->Accept(std::move(message));
}

absl::Status UploadReactor::Close() {
  const std::unique_ptr<google::protobuf::Message> response(types_.response->New());
  RETURN_IF_ERROR(sink_->Close(response.get()));
  *response_ = EncodeResponse(*response);
  return absl::OkStatus();
}

void UploadReactor::AskToEnd(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    ending_ = status;
    if (working_) {
      return;
    }
  }
  EndOnce(status);
}

void UploadReactor::EndOnce(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    if (std::exchange(finished_, true)) {
      return;
    }
  }
  Finish(ToGrpcStatus(status));
}

void UploadReactor::Drain() { AskToEnd(ShuttingDown()); }

void UploadReactor::OnCancel() {
  AskToEnd(MakeError(Reason::kCancelled, "The client has ended the call."));
}

void UploadReactor::OnDone() {
  registry_->Remove(this);
  const std::shared_ptr<UploadReactor> last = std::move(self_);
}

}  // namespace reinstate
