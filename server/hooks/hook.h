#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace reinstate {

// What is run before or after each restore and undo: a command or an HTTP endpoint that gets the
// event as JSON. One [[hook]] of the configuration.
struct Hook {
  enum class When { kBefore, kAfter };

  std::string name;  // unlike that of any other hook
  When when = When::kAfter;
  std::vector<std::string> command;  // the path of the program and its arguments; empty: `url`
  std::string url;                   // http:// or https://
  std::vector<std::string> stores;   // only for restores of these; all if empty
  absl::Duration timeout = absl::Seconds(30);  // of one attempt
  int64_t retries = 2;                         // after the first attempt
  bool required = false;  // before: without it the restore fails; after: it is shown as a failure
};

// CANCELLED or SHUTTING_DOWN once a running hook is to end, otherwise OK. Asked often; quick.
using ShouldEnd = std::function<absl::Status()>;

}  // namespace reinstate
