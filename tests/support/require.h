#pragma once

#include <grpcpp/support/status.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace reinstate {

// What a test takes for granted of the programs that it runs: it ends with `what` if that does not
// hold.
inline void Require(bool holds, const std::string& what) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
  }
}

inline void Require(const grpc::Status& status, const std::string& what) {
  Require(status.ok(), what + ": " + status.error_message());
}

}  // namespace reinstate
