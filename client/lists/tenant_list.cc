#include "client/lists/tenant_list.h"

#include <algorithm>
#include <istream>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/lists/cell_text.h"
#include "client/lists/csv_table.h"
#include "client/lists/json_table.h"
#include "client/lists/list_columns.h"
#include "client/lists/text_decoder.h"
#include "client/lists/text_lines.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kReadBytes = 1 << 16;

absl::Status TooLarge(const ListLimits& limits) {
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("The list has more than ", limits.max_file_bytes >> 20,
                                " MiB; split it, if it is a list of tenants at all."));
}

// Makes tenants of rows.
class Assembler {
 public:
  Assembler(const ListTable& table, const ListColumns& columns, const ListLimits& limits)
      : columns_(columns),
        limits_(limits),
        width_(table.titles.empty() ? table.rows.front().fields.size() : table.titles.size()) {}

  void Add(const ListRow& row) {
    if (std::string what = WhatIsWrong(row); !what.empty()) {
      list_.faults.push_back({.line = row.line, .what = std::move(what)});
      return;
    }
    ListedTenant tenant{.line = row.line, .text = Cell(row, columns_.tenant)};
    tenant.input = Cell(row, columns_.input);
    if (std::string what = WhatIsWrongWith(tenant.text); !what.empty()) {
      list_.faults.push_back(
          {.line = row.line, .what = std::move(what), .input = std::move(tenant.input)});
      return;
    }
    tenant.store = Cell(row, columns_.store);
    tenant.note = Cell(row, columns_.note);
    NoteRepeat(tenant);
    if (tenant.text.find_first_of("\r\n") != std::string::npos) {
      broken_.push_back(row.line);
    }
    list_.tenants.push_back(std::move(tenant));
  }

  // After the last row.
  TenantList Finish() {
    if (!altered_.empty()) {
      list_.notices.push_back(absl::StrCat("In ", LineNumbers(altered_),
                                           " no-break spaces, or such that are not seen, were "
                                           "taken as plain ones."));
    }
    if (!broken_.empty()) {
      list_.notices.push_back(absl::StrCat("In ", LineNumbers(broken_),
                                           " the tenant's text goes over several lines: is a quote "
                                           "missing?"));
    }
    return std::move(list_);
  }

 private:
  // Empty if the tenant can be read.
  std::string WhatIsWrong(const ListRow& row) const {
    const auto past_width =
        row.fields.begin() + static_cast<std::ptrdiff_t>(std::min(width_, row.fields.size()));
    const bool wider = std::any_of(past_width, row.fields.end(), [](const std::string& field) {
      return !TrimmedCell(field).empty();
    });
    if (wider) {
      return absl::StrCat("It has ", row.fields.size(), " columns where the first line has ",
                          width_, ": is a field with the separator in it not in quotes?");
    }
    if (row.fields.size() <= columns_.tenant && width_ > 1) {
      return absl::StrCat("It has ", row.fields.size(), " of ", width_, " columns, and not ",
                          columns_.description, ".");
    }
    return "";
  }

  // Empty if a tenant can have this id or label.
  std::string WhatIsWrongWith(const std::string& text) const {
    if (text.empty()) {
      return absl::StrCat("It has nothing in ", columns_.description, ".");
    }
    if (text.size() > limits_.max_text_bytes) {
      return absl::StrCat("What names the tenant has ", text.size(), " bytes, more than the ",
                          limits_.max_text_bytes, " of any id.");
    }
    return text.find('\0') == std::string::npos ? "" : "What names the tenant has a zero byte.";
  }

  std::string Cell(const ListRow& row, std::optional<size_t> column) {
    if (!column.has_value() || *column >= row.fields.size()) {
      return "";
    }
    bool altered = false;
    std::string cell = CleanCell(row.fields[*column], &altered);
    if (altered && (altered_.empty() || altered_.back() != row.line)) {
      altered_.push_back(row.line);
    }
    return cell;
  }

  void NoteRepeat(const ListedTenant& tenant) {
    // No field has a line feed at its ends, and no store has one.
    const auto [first, added] =
        first_lines_.try_emplace(absl::StrCat(tenant.store, "\n", tenant.text), tenant.line);
    if (!added) {
      list_.repeats.push_back({.line = tenant.line, .first = first->second});
    }
  }

  const ListColumns& columns_;
  const ListLimits& limits_;
  const size_t width_;  // columns of the first line
  TenantList list_;
  std::vector<int64_t> altered_;
  std::vector<int64_t> broken_;
  std::unordered_map<std::string, int64_t> first_lines_;  // by store and text
};

// What was left out, as a sentence; empty if nothing was.
std::string SkippedText(const ListTable& table) {
  std::vector<std::string> skipped;
  for (const auto& [count, noun] :
       {std::pair(table.comments, "comment"), std::pair(table.blank_lines, "empty line")}) {
    if (count > 0) {
      skipped.push_back(absl::StrCat(count, " ", noun, count == 1 ? "" : "s"));
    }
  }
  return skipped.empty() ? "" : absl::StrCat("Skipped ", absl::StrJoin(skipped, " and "), ".");
}

// What was taken for what, and what was left out.
std::vector<std::string> ReadingNotices(const DecodedText& decoded, const ListTable& table,
                                        const ListColumns& columns) {
  std::vector<std::string> notices;
  std::string how = absl::StrCat("The list is ", decoded.encoding, ", ", table.format);
  const bool several = table.titles.size() + table.rows.front().fields.size() > 1;
  if (several || columns.titles_in_first_row) {
    absl::StrAppend(&how, "; the tenants are in ", columns.description,
                    columns.titles_in_first_row
                        ? absl::StrCat(", with the titles in line ", table.rows.front().line)
                        : "");
  }
  notices.push_back(absl::StrCat(how, "."));
  if (!decoded.notice.empty()) {
    notices.push_back(decoded.notice);
  }
  if (!columns.notice.empty()) {
    notices.push_back(columns.notice);
  }
  if (std::string skipped = SkippedText(table); !skipped.empty()) {
    notices.push_back(std::move(skipped));
  }
  return notices;
}

absl::StatusOr<ListTable> ReadTable(const DecodedText& decoded, const ListOptions& options) {
  if (decoded.text.size() > options.limits.max_file_bytes) {
    return TooLarge(options.limits);
  }
  ASSIGN_OR_RETURN(const std::vector<TextLine> lines, SplitLines(decoded.text, options.limits));
  if (options.separator.empty() && LooksLikeJson(lines)) {
    return ReadJsonTable(lines);
  }
  return ReadCsvTable(lines, options.separator, options.limits);
}

}  // namespace

std::string LineNumbers(const std::vector<int64_t>& lines, size_t most) {
  constexpr size_t kShortestRange = 3;
  std::vector<std::string> numbers;
  size_t told = 0;
  while (told < lines.size() && numbers.size() < most) {
    size_t end = told + 1;
    while (end < lines.size() && lines[end] == lines[end - 1] + 1) {
      ++end;
    }
    const bool range = end - told >= kShortestRange;
    numbers.push_back(range ? absl::StrCat(lines[told], "-", lines[end - 1])
                            : absl::StrCat(lines[told]));
    told = range ? end : told + 1;
  }
  if (lines.size() > told) {
    numbers.push_back(absl::StrCat(lines.size() - told, " more"));
  }
  const std::string last = std::move(numbers.back());
  numbers.pop_back();
  return numbers.empty() ? absl::StrCat(lines.size() > 1 ? "lines " : "line ", last)
                         : absl::StrCat("lines ", absl::StrJoin(numbers, ", "), " and ", last);
}

absl::StatusOr<TenantList> ParseTenantList(std::string_view bytes, const ListOptions& options) {
  if (bytes.size() > options.limits.max_file_bytes) {
    return TooLarge(options.limits);
  }
  ASSIGN_OR_RETURN(const DecodedText decoded, DecodeText(bytes, options.encoding));
  ASSIGN_OR_RETURN(const ListTable table, ReadTable(decoded, options));
  if (table.rows.empty() && !table.faults.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("No line of the list is a tenant; line ",
                                  table.faults.front().line, ": ", table.faults.front().what));
  }
  ListColumns columns;
  if (!table.rows.empty()) {
    ASSIGN_OR_RETURN(columns, ChooseColumns(table, options));
  }
  if (table.rows.size() <= (columns.titles_in_first_row ? 1 : 0)) {
    return MakeError(Reason::kInvalidArgument, "The list is empty: no line of it is a tenant.");
  }
  Assembler assembler(table, columns, options.limits);
  for (size_t i = columns.titles_in_first_row ? 1 : 0; i < table.rows.size(); ++i) {
    assembler.Add(table.rows[i]);
  }
  TenantList list = assembler.Finish();
  list.resolved = columns.resolved;
  std::vector<std::string> notices = ReadingNotices(decoded, table, columns);
  list.notices.insert(list.notices.begin(), notices.begin(), notices.end());
  list.faults.insert(list.faults.end(), table.faults.begin(), table.faults.end());
  std::sort(list.faults.begin(), list.faults.end(),
            [](const ListFault& a, const ListFault& b) { return a.line < b.line; });
  return list;
}

absl::StatusOr<TenantList> ReadTenantList(std::istream& in, const ListOptions& options) {
  std::string bytes;
  std::string chunk(kReadBytes, '\0');
  while (in.read(chunk.data(), static_cast<std::streamsize>(chunk.size())) || in.gcount() > 0) {
    bytes.append(chunk, 0, static_cast<size_t>(in.gcount()));
    if (bytes.size() > options.limits.max_file_bytes) {
      return TooLarge(options.limits);
    }
  }
  if (in.bad()) {
    return MakeError(Reason::kInvalidArgument, "The list cannot be read to its end.");
  }
  return ParseTenantList(bytes, options);
}

}  // namespace reinstate
