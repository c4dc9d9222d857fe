#include "client/cli/table_printer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/display_text.h"

namespace reinstate {
namespace {

constexpr int kGap = 2;
constexpr int kNarrowest = 8;  // a column is not cut below this

const char* CodeOf(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kBold:
      return "1";
    case Style::kGood:
      return "32";
    case Style::kBad:
      return "31";
    case Style::kWarning:
      return "33";
    case Style::kFaint:
      return "2";
  }
  return "";
}

}  // namespace

std::string Styled(const std::string& text, Style style, bool color) {
  if (!color || style == Style::kPlain || text.empty()) {
    return text;
  }
  return absl::StrCat("\x1b[", CodeOf(style), "m", text, "\x1b[0m");
}

void TablePrinter::AddRow(std::vector<Cell> cells) {
  for (Cell& cell : cells) {
    cell.text = Printable(cell.text);
  }
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TablePrinter::Render(const Format& format) const {
  const std::vector<int> widths = WidthsWithin(format.width);
  std::vector<Cell> titles;
  for (const Column& column : columns_) {
    titles.push_back({column.title, Style::kBold});
  }
  std::string text = RenderRow(titles, widths, format.color);
  for (const std::vector<Cell>& row : rows_) {
    text += RenderRow(row, widths, format.color);
  }
  return text;
}

std::vector<int> TablePrinter::WidthsWithin(int width) const {
  std::vector<int> widths(columns_.size(), 0);
  for (const std::vector<Cell>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i].text));
    }
  }
  int excess = -kGap - width;
  for (size_t i = 0; i < widths.size(); ++i) {
    if (widths[i] > 0) {
      widths[i] = std::max(widths[i], DisplayWidth(columns_[i].title));
      excess += widths[i] + kGap;
    }
  }
  for (size_t i = columns_.size(); width > 0 && excess > 0 && i-- > 0;) {
    if (columns_[i].may_shrink) {
      const int cut = std::clamp(widths[i] - kNarrowest, 0, excess);
      widths[i] -= cut;
      excess -= cut;
    }
  }
  return widths;
}

std::string TablePrinter::RenderRow(const std::vector<Cell>& cells, const std::vector<int>& widths,
                                    bool color) const {
  std::string line;
  std::string pending;  // spaces that are written only if something follows
  for (size_t i = 0; i < cells.size(); ++i) {
    if (widths[i] == 0) {
      continue;
    }
    const std::string text = CutToWidth(cells[i].text, widths[i]);
    const std::string padding(widths[i] - DisplayWidth(text), ' ');
    const bool right = columns_[i].align == Align::kRight;
    if (!text.empty()) {
      absl::StrAppend(&line, pending, right ? padding : "", Styled(text, cells[i].style, color));
      pending = right ? "" : padding;
    } else {
      pending += padding;
    }
    pending.append(kGap, ' ');
  }
  return line + "\n";
}

}  // namespace reinstate
