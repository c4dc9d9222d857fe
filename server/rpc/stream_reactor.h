#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/call_registry.h"
#include "server/rpc/rpc_pool.h"
#include "server/rpc/stream_source.h"
#include "storage/base/mutex.h"

namespace reinstate {

// A server-streaming call: asks its source for a message on the pool, sends it, and asks again once
// it is on its way. So a slow client holds neither a thread nor more than one message.
//
// At any time at most one of these is under way, `busy_`: a step on the pool, a write, or a pause.
// Whoever holds it decides what comes next; the call is finished only by its holder, so that no
// step ever meets a finished call.
class StreamReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                            public OpenCall,
                            public std::enable_shared_from_this<StreamReactor> {
 public:
  // Decodes the request; may block.
  using MakeSource = std::function<absl::StatusOr<std::unique_ptr<StreamSource>>()>;

  // Begins a call, which owns itself until it is done. `response` is a prototype of its messages.
  static StreamReactor* Begin(RpcPool* pool, CallRegistry* registry,
                              const google::protobuf::Message* response, MakeSource make_source);

  void Drain() override;

 private:
  StreamReactor(RpcPool* pool, CallRegistry* registry, const google::protobuf::Message* response)
      : pool_(pool), registry_(registry), response_(response) {}

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // Of the holder of busy_, on the pool.
  void Open(const MakeSource& make_source);
  void Step();
  void Write(const grpc::ByteBuffer& message);
  void End(const absl::Status& status);

  // From any thread.
  void Wake();
  void AskToEnd(const absl::Status& status);
  void ContinueWithStep();
  void Pause(absl::Duration pause);

  RpcPool* const pool_;
  CallRegistry* const registry_;
  const google::protobuf::Message* const response_;
  std::shared_ptr<StreamReactor> self_;  // until OnDone

  // Of the holder of busy_.
  std::unique_ptr<StreamSource> source_;
  grpc::ByteBuffer message_;
  std::unique_ptr<grpc::Alarm> alarm_;

  Mutex mu_;
  bool busy_ ABSL_GUARDED_BY(mu_) = true;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> ending_ ABSL_GUARDED_BY(mu_);  // asked to end from outside
};

}  // namespace reinstate
