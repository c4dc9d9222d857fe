#include "server/rpc/call_gate.h"

#include <grpcpp/server_context.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "server/rpc/grpc_status.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// What nobody foresaw and what says that data is damaged must not only be seen by the client.
void LogFailure(const absl::Status& status) {
  const bool alarming =
      status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kDataLoss;
  if (!status.ok()) {
    spdlog::log(alarming ? spdlog::level::err : spdlog::level::debug, "call failed: {}: {}",
                ReasonOf(status), std::string(status.message()));
  }
}

}  // namespace

grpc::ServerUnaryReactor* CallGate::RunUnary(grpc::CallbackServerContext* context,
                                             std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::Status status = registry_.CheckOpen();
  if (status.ok()) {
    status = pool_->Submit([reactor, work = std::move(work)] {
      const absl::Status result = work();
      LogFailure(result);
      reactor->Finish(ToGrpcStatus(result));
    });
  }
  if (!status.ok()) {
    reactor->Finish(ToGrpcStatus(status));
  }
  return reactor;
}

absl::StatusOr<Call> CallGate::Admit(const grpc::ServerContextBase& context,
                                     const grpc::ByteBuffer& bytes,
                                     google::protobuf::Message* request) {
  RETURN_IF_ERROR(DecodeRequest(bytes, request));
  return ReadCall(context, *request);
}

}  // namespace reinstate
