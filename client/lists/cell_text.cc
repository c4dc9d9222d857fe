#include "client/lists/cell_text.h"

#include <algorithm>
#include <array>

namespace reinstate {
namespace {

constexpr std::string_view kPlainSpaces = " \t\r\n\v\f";

// Spaces between words that do not break there, or have a width of their own.
constexpr std::array<std::string_view, 4> kOddSpaces = {
    "\u00A0",  // no-break space
    "\u2007",  // figure space
    "\u202F",  // narrow no-break space
    "\u3000",  // ideographic space
};

// What is not seen at all.
constexpr std::array<std::string_view, 5> kInvisible = {
    "\u200B",  // zero-width space
    "\u200E",  // left-to-right mark
    "\u200F",  // right-to-left mark
    "\u2060",  // word joiner
    "\uFEFF",  // zero-width no-break space
};

// Bytes of the white space that `text` begins with, or, with `at_end`, ends with; 0 if none.
size_t SpaceBytes(std::string_view text, bool at_end) {
  if (text.empty()) {
    return 0;
  }
  if (kPlainSpaces.find(at_end ? text.back() : text.front()) != std::string_view::npos) {
    return 1;
  }
  const auto found = [&](std::string_view space) {
    return at_end ? text.ends_with(space) : text.starts_with(space);
  };
  const auto odd = std::find_if(kOddSpaces.begin(), kOddSpaces.end(), found);
  if (odd != kOddSpaces.end()) {
    return odd->size();
  }
  const auto invisible = std::find_if(kInvisible.begin(), kInvisible.end(), found);
  return invisible != kInvisible.end() ? invisible->size() : 0;
}

std::string_view PlainlyTrimmed(std::string_view cell) {
  const size_t first = cell.find_first_not_of(kPlainSpaces);
  if (first == std::string_view::npos) {
    return {};
  }
  return cell.substr(first, cell.find_last_not_of(kPlainSpaces) + 1 - first);
}

}  // namespace

std::string_view TrimmedCell(std::string_view cell) {
  for (size_t bytes = SpaceBytes(cell, false); bytes > 0; bytes = SpaceBytes(cell, false)) {
    cell.remove_prefix(bytes);
  }
  for (size_t bytes = SpaceBytes(cell, true); bytes > 0; bytes = SpaceBytes(cell, true)) {
    cell.remove_suffix(bytes);
  }
  return cell;
}

std::string CleanCell(std::string_view cell, bool* altered) {
  std::string clean(TrimmedCell(cell));
  for (const std::string_view space : kOddSpaces) {
    for (size_t at = clean.find(space); at != std::string::npos; at = clean.find(space, at + 1)) {
      clean.replace(at, space.size(), " ");
    }
  }
  *altered = *altered || clean != PlainlyTrimmed(cell);
  return clean;
}

}  // namespace reinstate
