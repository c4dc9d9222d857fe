#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace reinstate {

// A text in UTF-8, and what it was before.
struct DecodedText {
  std::string text;      // well-formed, without a byte order mark
  std::string encoding;  // "UTF-8", "UTF-16LE", "WINDOWS-1252", or as it was asked for
  std::string notice;    // why this encoding was taken, where one may doubt it; else empty
};

// Decodes `bytes` from `encoding`, or if that is empty from the one that they are in: by the byte
// order mark; UTF-16 without one by its zero bytes; UTF-8 if all is well-formed; else Windows-1252,
// unless other parts are UTF-8, as no encoding would be right for the whole then.
//
// INVALID_ARGUMENT, with line numbers, for what is not of the encoding or has zero bytes; if iconv
// does not know the encoding; for workbooks and archives.
absl::StatusOr<DecodedText> DecodeText(std::string_view bytes, const std::string& encoding);

}  // namespace reinstate
