#include "client/lists/csv_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lists/cell_text.h"
#include "client/lists/csv_splitter.h"
#include "client/lists/list_columns.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct Separator {
  std::string_view name;
  char character;
  std::string_view format;  // for people
};

// Of several that fit alike the first is taken: tabs and semicolons are rarer within names.
constexpr std::array<Separator, 3> kSeparators = {{
    {"tab", '\t', "separated by tabs"},
    {"semicolon", ';', "separated by semicolons"},
    {"comma", ',', "separated by commas"},
}};

constexpr size_t kSampleRows = 200;

// Excel's way to say which separator follows.
constexpr std::string_view kSeparatorLine = "sep=";

// Goes over the lines that are not skipped, until `visit` has an error or `max_rows` were seen.
// `in_record` says whether a line belongs to a field in quotes, of which nothing is skipped.
template <typename InRecord, typename Visit>
absl::Status ForEachLine(const std::vector<TextLine>& lines, const InRecord& in_record,
                         const Visit& visit, ListTable* table) {
  for (const TextLine& line : lines) {
    if (!in_record() && line.blank()) {
      ++table->blank_lines;
    } else if (!in_record() && line.comment()) {
      ++table->comments;
    } else {
      RETURN_IF_ERROR(visit(line));
    }
  }
  return absl::OkStatus();
}

// How well a separator fits the first rows.
struct Fit {
  size_t columns = 0;
  size_t alike = 0;  // rows with so many columns
  bool fits = false;
};

Fit FitOf(const std::vector<TextLine>& lines, const Separator& separator,
          const ListLimits& limits) {
  CsvSplitter splitter(separator.character, limits.max_line_bytes);
  ListTable skipped;
  // What is malformed is told when the whole is read; up to there it is a sample.
  const absl::Status ignored = ForEachLine(
      lines, [&] { return splitter.in_record(); },
      [&](const TextLine& line) { return splitter.Add(line); }, &skipped);
  const std::vector<ListRow>& rows = splitter.rows();
  Fit fit;
  if (rows.empty()) {
    return fit;
  }
  fit.columns = rows.front().fields.size();
  fit.alike = static_cast<size_t>(std::count_if(rows.begin(), rows.end(), [&](const ListRow& row) {
    return row.fields.size() == fit.columns;
  }));
  const bool nearly_all = fit.alike * 10 >= rows.size() * 9;
  fit.fits = fit.columns > 1 && (nearly_all || HasKnownTitle(rows.front().fields));
  return fit;
}

// nullptr: none.
const Separator* FindSeparator(const std::vector<TextLine>& lines, const ListLimits& limits) {
  std::vector<TextLine> sample;
  for (const TextLine& line : lines) {
    if (sample.size() == kSampleRows) {
      break;
    }
    sample.push_back(line);
  }
  const Separator* best = nullptr;
  Fit best_fit;
  for (const Separator& separator : kSeparators) {
    const Fit fit = FitOf(sample, separator, limits);
    if (fit.fits &&
        std::pair(fit.alike, fit.columns) > std::pair(best_fit.alike, best_fit.columns)) {
      best = &separator;
      best_fit = fit;
    }
  }
  return best;
}

absl::StatusOr<const Separator*> SeparatorNamed(const std::string& name) {
  if (name == "none") {
    return nullptr;
  }
  for (const Separator& separator : kSeparators) {
    if (separator.name == name || std::string(1, separator.character) == name) {
      return &separator;
    }
  }
  return MakeError(
      Reason::kInvalidArgument,
      absl::StrCat("There is no separator '", name, "'; give comma, semicolon, tab or none."));
}

// The separator of the line "sep=;", if `line` is one.
const Separator* SeparatorOfLine(const TextLine& line) {
  const std::string_view text = TrimmedCell(line.text);
  for (const Separator& separator : kSeparators) {
    // A tab at the end is trimmed off.
    if (text.starts_with(kSeparatorLine) && line.text.size() > kSeparatorLine.size() &&
        line.text[kSeparatorLine.size()] == separator.character) {
      return &separator;
    }
  }
  return nullptr;
}

// A line that is in quotes as a whole, without them; else as it is.
absl::StatusOr<std::string> Unquoted(const TextLine& line) {
  const std::string_view text = TrimmedCell(line.text);
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
    return std::string(line.text);
  }
  CsvSplitter splitter('\x1f', text.size());
  if (!splitter.Add({.number = line.number, .text = text, .with_end = text}).ok() ||
      !splitter.Finish().ok() || splitter.rows().size() != 1 ||
      splitter.rows().front().fields.size() != 1) {
    return std::string(line.text);  // the quotes are part of the name
  }
  return std::move(splitter.rows().front().fields.front());
}

absl::Status ReadPlain(const std::vector<TextLine>& lines, ListTable* table) {
  table->format = "a tenant a line";
  return ForEachLine(
      lines, [] { return false; },
      [&](const TextLine& line) -> absl::Status {
        ASSIGN_OR_RETURN(std::string text, Unquoted(line));
        table->rows.push_back({.line = line.number, .fields = {std::move(text)}});
        return absl::OkStatus();
      },
      table);
}

absl::Status ReadSeparated(const std::vector<TextLine>& lines, const Separator& separator,
                           const ListLimits& limits, ListTable* table) {
  CsvSplitter splitter(separator.character, limits.max_line_bytes);
  RETURN_IF_ERROR(ForEachLine(
      lines, [&] { return splitter.in_record(); },
      [&](const TextLine& line) { return splitter.Add(line); }, table));
  RETURN_IF_ERROR(splitter.Finish());
  table->rows = std::move(splitter.rows());
  table->format = std::string(separator.format);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ListTable> ReadCsvTable(const std::vector<TextLine>& lines,
                                       const std::string& separator, const ListLimits& limits) {
  ListTable table;
  std::vector<TextLine> rest = lines;
  const Separator* chosen = rest.empty() ? nullptr : SeparatorOfLine(rest.front());
  if (chosen != nullptr) {
    rest.erase(rest.begin());
  }
  if (!separator.empty()) {
    ASSIGN_OR_RETURN(chosen, SeparatorNamed(separator));
  } else if (chosen == nullptr) {
    chosen = FindSeparator(rest, limits);
  }
  RETURN_IF_ERROR(chosen == nullptr ? ReadPlain(rest, &table)
                                    : ReadSeparated(rest, *chosen, limits, &table));
  return table;
}

}  // namespace reinstate
