#pragma once

#include <string_view>

#include "absl/strings/string_view.h"

namespace reinstate {

// Debian's Abseil is built with a string_view class of its own that does not convert to or from the
// standard one. Our interfaces take std::string_view; these two bridge at the calls into Abseil.
// Neither copies.

inline absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

inline std::string_view Std(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace reinstate
