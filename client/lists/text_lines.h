#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/lists/tenant_list.h"

namespace reinstate {

// A line of a text that somebody else owns.
struct TextLine {
  int64_t number = 0;         // from 1
  std::string_view text;      // without its end
  std::string_view with_end;  // with CR LF, LF or CR; the last line may have none

  // Nothing but white space.
  bool blank() const;
  // Begins with # and white space, or is only that: "#1 Pizza" is a name.
  bool comment() const;
};

// The lines of `text`. INVALID_ARGUMENT if there are too many, or for the first that is too long,
// with its number.
absl::StatusOr<std::vector<TextLine>> SplitLines(std::string_view text, const ListLimits& limits);

}  // namespace reinstate
