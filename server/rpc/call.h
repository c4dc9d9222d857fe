#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/state/state.pb.h"
#include "storage/state/state_store.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace grpc {
class ByteBuffer;
class ServerContextBase;
}  // namespace grpc

namespace reinstate {

// Larger requests are refused as TOO_LARGE.
inline constexpr size_t kMaxRequestBytes = 4 << 20;

// What a handler knows of a call besides its request. A value.
struct Call {
  state::Actor actor;
  RequestKey request;    // its id is empty if the call is not to be idempotent
  std::string reason;    // the field `reason`, if the request has one
  bool changes = false;  // the request has a field `actor`: it is to change something
};

// Parses a request as it was received. INVALID_ARGUMENT if it is malformed (texts that are not
// UTF-8 included); TOO_LARGE.
absl::Status DecodeRequest(const grpc::ByteBuffer& bytes, google::protobuf::Message* request);

// What goes over the wire for `response`.
grpc::ByteBuffer EncodeResponse(const google::protobuf::Message& response);

// Reads the fields that mean the same in every request: `actor`, `request_id`, `reason`,
// `reference`. INVALID_ARGUMENT if one is too long.
//
// The actor is the subject of the client's certificate if it has one. Otherwise it is what the
// client says, in the request or else in the metadata `reinstate-actor`, marked as not verified.
absl::StatusOr<Call> ReadCall(const grpc::ServerContextBase& context,
                              const google::protobuf::Message& request);

}  // namespace reinstate
