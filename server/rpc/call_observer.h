#pragma once

#include <string>

#include "absl/time/time.h"

namespace reinstate {

// A call that has got its status.
struct EndedCall {
  std::string method;      // e.g. "reinstate.v1.StoreService/GetStore"; "other" if nobody serves it
  std::string code;        // gRPC's name of it, e.g. "NOT_FOUND"
  bool streaming = false;  // in either direction
  absl::Duration duration;  // since it arrived
};

// Is told of each call, e.g. to count it. Implementations are thread-safe and quick: gRPC's own
// threads call it.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  virtual void CallEnded(const EndedCall& call) = 0;
};

}  // namespace reinstate
