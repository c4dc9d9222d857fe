#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/config/daemon_config.h"

namespace reinstate {

// Reads a TOML file strictly: CONFIG_INVALID, a line for each thing that is wrong (unknown keys
// included) with file and line. What the file does not say keeps its default; Complete is left to
// the caller.
absl::StatusOr<DaemonConfig> ReadConfigFile(const std::string& path);

}  // namespace reinstate
