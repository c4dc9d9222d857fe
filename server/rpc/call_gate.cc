#include "server/rpc/call_gate.h"

#include <grpcpp/server_context.h>
#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "server/rpc/grpc_status.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
grpc::ServerUnaryReactor* CallGate::RunUnary(grpc::CallbackServerContext* context,
                                             std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::Status status = registry_.CheckOpen();
  if (status.ok()) {
    status =
        pool_->Submit([reactor, work = std::move(work)] { reactor->Finish(ToGrpcStatus(work())); });
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

void CallGate::Log(const Call& call, const absl::Status& result) {
  const bool alarming =
      result.code() == absl::StatusCode::kInternal || result.code() == absl::StatusCode::kDataLoss;
  const auto level = alarming       ? spdlog::level::err
                     : call.changes ? spdlog::level::info
                                    : spdlog::level::debug;
  spdlog::log(level, "call method={} actor={} verified={} result={} {}", call.request.method,
              Printable(call.actor.name()), call.actor.verified(),
              result.ok() ? "OK" : ReasonOf(result), std::string(result.message()));
}

}  // namespace reinstate
