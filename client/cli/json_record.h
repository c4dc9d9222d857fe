#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "reinstate/v1/record_service.pb.h"

namespace reinstate {

// A record from a line of JSON, as `reinstate record load` reads it:
//
//   {"tenant": "1001", "table": "issue", "key": "17", "payload": {"title": "Broken"}}
//
// `payload` is a string, which is taken as it is, or any other JSON value, which is stored as
// compact JSON. Bytes that are no UTF-8 are given as `key_base64` and `payload_base64` instead.
// INVALID_ARGUMENT if the line is anything else, unknown fields included.
absl::StatusOr<v1::Record> RecordFromJson(const std::string& line);

}  // namespace reinstate
