#pragma once

#include <memory>

#include "absl/status/status.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace reinstate {

// What a client-streaming call delivers to. Its functions may block and are called from threads of
// the pool, one at a time.
class MessageSink {
 public:
  virtual ~MessageSink() = default;

  // The next message, of the call's request type. An error ends the call.
  virtual absl::Status Accept(std::unique_ptr<google::protobuf::Message> message) = 0;

  // The client has sent everything: fills in the answer, which is of the call's response type.
  virtual absl::Status Close(google::protobuf::Message* response) = 0;
};

}  // namespace reinstate
