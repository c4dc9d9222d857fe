#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf
namespace grpc {
class ByteBuffer;
}  // namespace grpc

namespace reinstate {

enum class Produced {
  kMessage,     // there is one
  kNothingYet,  // ask again after the next wake
  kEnd,         // the stream ends with OK
};

// What a server-streaming call sends. Its functions may block and are called from threads of the
// pool, one at a time. Destroyed when the call has ended, from any thread.
class StreamSource {
 public:
  virtual ~StreamSource() = default;

  // Once, before the first Next. Keeps `wake`, to be called from any thread when there may be
  // something after kNothingYet. An error ends the call.
  virtual absl::Status Start(std::function<void()> wake) = 0;

  // The next message is left in `*message`, which is of the call's response type and clear.
  virtual absl::StatusOr<Produced> Next(google::protobuf::Message* message) = 0;

  // The message that the last Next left, where many share one that is encoded already: `*message`
  // is not looked at then. Null: it is to be encoded.
  virtual const grpc::ByteBuffer* Encoded() const { return nullptr; }

  // The shortest time between two messages: for states of which only the latest counts.
  virtual absl::Duration MinInterval() const { return absl::ZeroDuration(); }
};

}  // namespace reinstate
