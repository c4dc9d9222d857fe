#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace reinstate {

// Every value of the history ends with a 32-bit checksum over its key and itself (XXH3-64, low
// half), so that a value that is damaged, or stands under a key that is not its own, is noticed.
inline constexpr size_t kSealBytes = 4;

// Appends the checksum to `*value`.
void Seal(std::string_view key, std::string* value);

// The value without its checksum, borrowed from `sealed`. CORRUPT if it does not fit the key.
absl::StatusOr<std::string_view> Unseal(std::string_view key, std::string_view sealed);

}  // namespace reinstate
