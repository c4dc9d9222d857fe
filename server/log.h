#pragma once

#include "absl/status/status.h"
#include "server/config/daemon_config.h"

namespace reinstate {

// Sets up the process's log: level, destination, and lines as text or as JSON objects with time,
// level and message. Messages of protobuf's own go there too. UNAVAILABLE if the file cannot be
// written. Once, before threads.
absl::Status SetUpLog(const LogConfig& config);

}  // namespace reinstate
