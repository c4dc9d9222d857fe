#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/call.h"
#include "server/rpc/call_registry.h"
#include "server/rpc/message_sink.h"
#include "server/rpc/rpc_pool.h"
#include "server/rpc/stream_reactor.h"
#include "server/rpc/stream_source.h"
#include "server/rpc/upload_reactor.h"
#include "storage/base/status_macros.h"

namespace reinstate {

// Through which every call goes: refuses when the daemon drains or is overloaded, decodes, finds
// out who asks, runs the handler on the pool, and converts its status. gRPC's own threads never
// block in here.
//
// Services are registered with their raw methods, which hand over the bytes: the generated ones
// answer a malformed message with UNIMPLEMENTED and no word.
//
// Thread-safe. Borrows the pool and outlives all calls.
class CallGate {
 public:
  explicit CallGate(RpcPool* pool) : pool_(pool) {}
  ~CallGate() = default;
  CallGate(const CallGate&) = delete;
  CallGate& operator=(const CallGate&) = delete;

  // Runs `(service->*handler)(call, request)` and answers with its result.
  template <typename Service, typename Request, typename Response>
  grpc::ServerUnaryReactor* Unary(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes, grpc::ByteBuffer* answer,
      Service* service, absl::StatusOr<Response> (Service::*handler)(const Call&, const Request&)) {
    return RunUnary(context, [=]() -> absl::Status {
      Request request;
      ASSIGN_OR_RETURN(const Call call, Admit(*context, *bytes, &request));
      const absl::StatusOr<Response> response = (service->*handler)(call, request);
      if (response.ok()) {
        *answer = EncodeResponse(*response);
      }
      Log(call, response.status());
      return response.status();
    });
  }

  // Streams what the source that `(service->*handler)(call, request)` returns produces.
  template <typename Response, typename Service, typename Request>
  grpc::ServerWriteReactor<grpc::ByteBuffer>* ServerStream(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes, Service* service,
      absl::StatusOr<std::unique_ptr<StreamSource>> (Service::*handler)(const Call&,
                                                                        const Request&)) {
    return StreamReactor::Begin(pool_, &registry_, &Response::default_instance(),
                                [=]() -> absl::StatusOr<std::unique_ptr<StreamSource>> {
                                  Request request;
                                  ASSIGN_OR_RETURN(const Call call,
                                                   Admit(*context, *bytes, &request));
                                  return (service->*handler)(call, request);
                                });
  }

  // Delivers what the client streams to `sink`.
  template <typename Request, typename Response>
  grpc::ServerReadReactor<grpc::ByteBuffer>* ClientStream(grpc::ByteBuffer* answer,
                                                          std::unique_ptr<MessageSink> sink) {
    return UploadReactor::Begin(pool_, &registry_,
                                {&Request::default_instance(), &Response::default_instance()},
                                std::move(sink), answer);
  }

  // Refuses new calls and ends the open streams as SHUTTING_DOWN. Unary calls under way end by
  // themselves.
  void Drain() { registry_.Drain(); }

 private:
  grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context,
                                     std::function<absl::Status()> work);

  // Decodes, and says who asks.
  static absl::StatusOr<Call> Admit(const grpc::ServerContextBase& context,
                                    const grpc::ByteBuffer& bytes,
                                    google::protobuf::Message* request);

  // What changes something is logged with who asked; so is what nobody foresaw, and what says that
  // data is damaged.
  static void Log(const Call& call, const absl::Status& result);

  RpcPool* const pool_;
  CallRegistry registry_;
};

// The generated service with each of `Methods` raw.
template <typename Base, template <typename> typename... Methods>
struct RawServiceChain;

template <typename Base>
struct RawServiceChain<Base> {
  using Type = Base;
};

template <typename Base, template <typename> typename First, template <typename> typename... Rest>
struct RawServiceChain<Base, First, Rest...> {
  using Type = First<typename RawServiceChain<Base, Rest...>::Type>;
};

template <typename Base, template <typename> typename... Methods>
using RawService = typename RawServiceChain<Base, Methods...>::Type;

}  // namespace reinstate
