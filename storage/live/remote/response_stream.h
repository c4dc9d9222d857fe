#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/live/remote/call_group.h"
#include "storage/live/remote/wire_status.h"

namespace reinstate {

// The entries of a server-streaming call, one by one over its messages. Not thread-safe.
template <typename Response, typename Entry>
class ResponseStream {
 public:
  using Reader = std::unique_ptr<grpc::ClientReader<Response>>;
  using Entries = google::protobuf::RepeatedPtrField<Entry>* (*)(Response*);

  // `start` begins the call; `entries` are those of a message; `group` outlives this.
  ResponseStream(CallGroup* group, const std::function<Reader(grpc::ClientContext*)>& start,
                 Entries entries)
      : group_(group), entries_(entries), member_(group, &context_), reader_(start(&context_)) {}

  ~ResponseStream() {
    if (!outcome_.has_value()) {
      context_.TryCancel();
      reader_->Finish();
    }
  }
  ResponseStream(const ResponseStream&) = delete;
  ResponseStream& operator=(const ResponseStream&) = delete;

  // The next entry, which may be moved from, or nullptr at the end. Valid until the next call.
  absl::StatusOr<Entry*> Next() {
    while (!outcome_.has_value() && next_ == entries_(&response_)->size()) {
      next_ = 0;
      response_.Clear();
      if (!reader_->Read(&response_)) {
        response_.Clear();
        outcome_ = live_wire::FromGrpcStatus(reader_->Finish());
      }
    }
    if (next_ < entries_(&response_)->size()) {
      return entries_(&response_)->Mutable(next_++);
    }
    if (outcome_->ok()) {
      return nullptr;
    }
    // What was cancelled by us says why.
    const absl::Status ended = group_->ended();
    return ended.ok() ? *outcome_ : ended;
  }

 private:
  CallGroup* const group_;
  const Entries entries_;
  grpc::ClientContext context_;
  const CallGroup::Member member_;
  const Reader reader_;
  Response response_;
  int next_ = 0;
  std::optional<absl::Status> outcome_;  // of the call, once it has ended
};

}  // namespace reinstate
