#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reinstate {

// What a terminal shows of what a program writes to it: text, which wraps at the last column, CR,
// LF, and the sequences by which our programs redraw: cursor up and erase below. Colours are left
// out. Every character is a column wide. Not thread-safe.
class TerminalScreen {
 public:
  TerminalScreen(int columns, int rows);

  void Write(std::string_view text);

  // Gives it another width, as people do by pulling at a window: what was written to a line wraps
  // anew, as most terminals do it, and the cursor stays behind the character that it was behind.
  void Resize(int columns, int rows);

  // All lines, what has scrolled off included, without spaces at their ends, up to the cursor's. A
  // line that was wrapped is one.
  std::vector<std::string> Lines() const;
  // The same, each with its newline.
  std::string Text() const;

  int cursor_column() const { return column_; }

  // Sequences that it does not know.
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  // A row as it is shown. `wrapped`: goes on in the next one.
  struct Row {
    std::vector<std::string> cells;  // a character each
    bool wrapped = false;
  };

  void Put(std::string character);
  void LineFeed();
  void Escape(std::string_view sequence);
  int FirstVisible() const;

  int columns_;
  int rows_;
  std::vector<Row> lines_ = {Row()};
  int line_ = 0;  // of the cursor, in lines_
  int column_ = 0;
  std::string pending_;  // the beginning of a sequence or character
  std::vector<std::string> unknown_;
};

}  // namespace reinstate
