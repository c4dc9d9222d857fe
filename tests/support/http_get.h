#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace reinstate {

struct HttpAnswer {
  int code = 0;  // e.g. 200
  std::string content_type;
  std::string body;
};

// GET `path` from `address` (host:port, an IPv4 address in digits), by a socket and nothing else.
// UNAVAILABLE if nobody answers there within ten seconds; DATA_LOSS if the answer is no HTTP.
absl::StatusOr<HttpAnswer> HttpGet(const std::string& address, const std::string& path);

}  // namespace reinstate
