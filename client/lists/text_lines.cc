#include "client/lists/text_lines.h"

#include "absl/strings/str_cat.h"
#include "client/lists/cell_text.h"
#include "storage/base/error.h"

namespace reinstate {

bool TextLine::blank() const { return TrimmedCell(text).empty(); }

bool TextLine::comment() const {
  const std::string_view cell = TrimmedCell(text);
  return cell == "#" || cell.starts_with("# ") || cell.starts_with("#\t");
}

absl::StatusOr<std::vector<TextLine>> SplitLines(std::string_view text, const ListLimits& limits) {
  std::vector<TextLine> lines;
  while (!text.empty()) {
    const size_t end = text.find_first_of("\r\n");
    const std::string_view line = text.substr(0, end);
    size_t whole = line.size();
    if (end != std::string_view::npos) {
      whole += text.substr(end).starts_with("\r\n") ? 2 : 1;
    }
    const auto number = static_cast<int64_t>(lines.size()) + 1;
    if (number > limits.max_lines) {
      return MakeError(Reason::kInvalidArgument,
                       absl::StrCat("The list has more than ", limits.max_lines,
                                    " lines; split it, if it is a list of tenants at all."));
    }
    if (line.size() > limits.max_line_bytes) {
      return MakeError(
          Reason::kInvalidArgument,
          absl::StrCat("Line ", number, " of the list has ", line.size(), " bytes; at most ",
                       limits.max_line_bytes, " are taken for a line of a list."));
    }
    lines.push_back({.number = number, .text = line, .with_end = text.substr(0, whole)});
    text.remove_prefix(whole);
  }
  return lines;
}

}  // namespace reinstate
