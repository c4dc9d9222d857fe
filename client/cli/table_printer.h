#pragma once

#include <string>
#include <vector>

namespace reinstate {

enum class Align { kLeft, kRight };

// How a text stands out, where colours are on.
enum class Style { kPlain, kBold, kGood, kBad, kWarning, kFaint };

// `text` with the terminal's codes for `style`, or as it is without `color`.
std::string Styled(const std::string& text, Style style, bool color);

// A table for people: columns aligned by what a terminal shows, two spaces between them. A column
// that is empty in all rows is left out.
class TablePrinter {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
    bool may_shrink = false;  // cut first where the table is too wide
  };

  struct Cell {
    std::string text;  // anything; made Printable
    Style style = Style::kPlain;
  };

  struct Format {
    bool color = false;
    int width = 0;  // of the terminal, to which tables are cut; 0: unlimited
  };

  explicit TablePrinter(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell a column.
  void AddRow(std::vector<Cell> cells);

  // The titles and the rows, a line each, without trailing spaces.
  std::string Render(const Format& format) const;

 private:
  // The width of each column; 0 for one that is left out.
  std::vector<int> WidthsWithin(int width) const;
  std::string RenderRow(const std::vector<Cell>& cells, const std::vector<int>& widths,
                        bool color) const;

  const std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace reinstate
