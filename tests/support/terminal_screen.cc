#include "tests/support/terminal_screen.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

namespace reinstate {
namespace {

constexpr char kEscape = '\x1b';

// The length of a UTF-8 character by its first byte.
size_t LengthOf(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// The length of the control sequence that `text` begins with; 0 if it has not all come.
size_t SequenceLength(std::string_view text) {
  if (text.size() < 2) {
    return 0;
  }
  if (text[1] != '[') {
    return 2;
  }
  const size_t end = text.find_first_not_of("0123456789;?", 2);
  return end == std::string_view::npos ? 0 : end + 1;
}

}  // namespace

TerminalScreen::TerminalScreen(int columns, int rows) : columns_(columns), rows_(rows) {}

int TerminalScreen::FirstVisible() const {
  return std::max(0, static_cast<int>(lines_.size()) - rows_);
}

void TerminalScreen::Write(std::string_view text) {
  pending_.append(text);
  size_t at = 0;
  while (at < pending_.size()) {
    const std::string_view rest = std::string_view(pending_).substr(at);
    const size_t length = rest[0] == kEscape ? SequenceLength(rest) : LengthOf(rest[0]);
    if (length == 0 || length > rest.size()) {
      break;
    }
    if (rest[0] == kEscape) {
      Escape(rest.substr(0, length));
    } else if (rest[0] == '\r') {
      column_ = 0;
    } else if (rest[0] == '\n') {
      LineFeed();
    } else {
      Put(std::string(rest.substr(0, length)));
    }
    at += length;
  }
  pending_.erase(0, at);
}

void TerminalScreen::Put(std::string character) {
  if (column_ == columns_) {
    lines_[line_].wrapped = true;
    LineFeed();
    column_ = 0;
  }
  std::vector<std::string>& cells = lines_[line_].cells;
  cells.resize(std::max<size_t>(cells.size(), column_ + 1), " ");
  cells[column_++] = std::move(character);
}

void TerminalScreen::LineFeed() {
  if (++line_ == static_cast<int>(lines_.size())) {
    lines_.emplace_back();
  }
}

void TerminalScreen::Escape(std::string_view sequence) {
  if (sequence == "\x1b[J") {
    lines_.resize(line_ + 1);
    lines_[line_].cells.resize(std::min<size_t>(lines_[line_].cells.size(), column_));
    lines_[line_].wrapped = false;
  } else if (sequence.size() > 3 && sequence.back() == 'A') {
    const int up = std::atoi(std::string(sequence.substr(2)).c_str());
    line_ = std::max(FirstVisible(), line_ - up);
  } else if (sequence.back() != 'm') {  // colours change nothing of the text
    unknown_.emplace_back(sequence.substr(1));
  }
}

void TerminalScreen::Resize(int columns, int rows) {
  const std::vector<Row> before = std::exchange(lines_, {Row()});
  const int cursor_line = std::exchange(line_, 0);
  const int cursor_column = std::exchange(column_, 0);
  columns_ = columns;
  rows_ = rows;
  for (int i = 0; i < static_cast<int>(before.size()); ++i) {
    const Row& row = before[i];
    const int end = i == cursor_line ? cursor_column : static_cast<int>(row.cells.size());
    for (int cell = 0; cell < end; ++cell) {
      Put(cell < static_cast<int>(row.cells.size()) ? row.cells[cell] : " ");
    }
    if (i == cursor_line) {
      return;  // our programs leave nothing below and after it
    }
    if (!row.wrapped) {
      LineFeed();
      column_ = 0;
    }
  }
}

std::vector<std::string> TerminalScreen::Lines() const {
  std::vector<std::string> lines;
  std::string line;
  for (const Row& row : lines_) {
    for (const std::string& cell : row.cells) {
      line += cell;
    }
    if (!row.wrapped) {
      line.erase(line.find_last_not_of(' ') + 1);
      lines.push_back(std::exchange(line, ""));
    }
  }
  return lines;
}

std::string TerminalScreen::Text() const {
  std::string text;
  for (const std::string& line : Lines()) {
    text += line + "\n";
  }
  return text;
}

}  // namespace reinstate
