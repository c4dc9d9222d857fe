#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace reinstate::bench {

// What the benchmark asks of the machine that it runs on.

// The size of all files below a folder.
int64_t FolderBytes(const std::string& folder);

// Runs a program with its output discarded. INTERNAL if it does not exit with 0.
absl::Status RunQuietly(std::vector<std::string> words);

// The time that a process has spent on processors, in clock ticks; 0 if it is gone.
int64_t ProcessorTicks(pid_t pid);

}  // namespace reinstate::bench
