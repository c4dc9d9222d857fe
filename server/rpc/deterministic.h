#pragma once

#include <string>

namespace google::protobuf {
class MessageLite;
}  // namespace google::protobuf

namespace reinstate {

// The message's bytes with maps in order: equal messages give equal bytes within one build.
std::string SerializeDeterministically(const google::protobuf::MessageLite& message);

}  // namespace reinstate
