#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/status/status.h"
#include "server/rpc/call_registry.h"
#include "server/rpc/message_sink.h"
#include "server/rpc/rpc_pool.h"
#include "storage/base/mutex.h"

namespace reinstate {

// A client-streaming call: reads a message, hands it to its sink on the pool, and reads the next
// only then. So a fast client is held back by gRPC's flow control and no more than one message is
// in memory.
class UploadReactor final : public grpc::ServerReadReactor<grpc::ByteBuffer>,
                            public OpenCall,
                            public std::enable_shared_from_this<UploadReactor> {
 public:
  struct Types {
    const google::protobuf::Message* request;  // prototypes
    const google::protobuf::Message* response;
  };

  // Begins a call, which owns itself until it is done. `response` is where the answer goes.
  static UploadReactor* Begin(RpcPool* pool, CallRegistry* registry, const Types& types,
                              std::unique_ptr<MessageSink> sink, grpc::ByteBuffer* response);

  void Drain() override;

 private:
  UploadReactor(RpcPool* pool, CallRegistry* registry, const Types& types,
                std::unique_ptr<MessageSink> sink, grpc::ByteBuffer* response)
      : pool_(pool),
        registry_(registry),
        types_(types),
        sink_(std::move(sink)),
        response_(response) {}

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void Step(bool has_message);  // on the pool
  absl::Status AcceptMessage();
  absl::Status Close();
  void AskToEnd(const absl::Status& status);
  void EndOnce(const absl::Status& status);

  RpcPool* const pool_;
  CallRegistry* const registry_;
  const Types types_;
  const std::unique_ptr<MessageSink> sink_;  // used by the step on the pool
  grpc::ByteBuffer* const response_;
  grpc::ByteBuffer message_;
  std::shared_ptr<UploadReactor> self_;  // until OnDone

  Mutex mu_;
  bool working_ ABSL_GUARDED_BY(mu_) = false;  // a step is on the pool
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status ending_ ABSL_GUARDED_BY(mu_);  // asked to end from outside, if not OK
};

}  // namespace reinstate
