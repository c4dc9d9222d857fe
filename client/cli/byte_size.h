#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace reinstate {

// The number of bytes that `text` means: "4096", "512KiB", "20 MiB", "1GiB", "2TiB".
// INVALID_ARGUMENT, which names `flag`, for anything else, decimal units ("20MB") included.
absl::StatusOr<int64_t> ParseByteSize(std::string_view flag, const std::string& text);

}  // namespace reinstate
