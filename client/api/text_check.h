#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace reinstate {

// Whether `text` is well-formed UTF-8.
bool IsWellFormedUtf8(std::string_view text);

// INVALID_ARGUMENT with the name of the field if a text anywhere in `request` is not UTF-8. Such a
// message could be sent, but the other side could not read any of it, and not say why.
absl::Status CheckTexts(const google::protobuf::Message& request);

}  // namespace reinstate
