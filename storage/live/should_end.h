#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace reinstate {

// Asked by a call again and again while it waits, from any one thread at a time and never after the
// call has returned: once it gives an error, the call gives up and ends with that error. Empty: the
// call waits for as long as it would. Must be quick, and must not use the store.
using ShouldEnd = std::function<absl::Status()>;

// How long a call may go on waiting at most before it asks again.
inline constexpr absl::Duration kAskShouldEndEvery = absl::Milliseconds(100);

inline absl::Status AskShouldEnd(const ShouldEnd& should_end) {
  return should_end ? should_end() : absl::OkStatus();
}

}  // namespace reinstate
