#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace reinstate {

// The streams of the process and what is at their ends. Tests put string streams here. Borrows the
// streams.
struct Console {
  std::istream* in = nullptr;
  std::ostream* out = nullptr;  // data
  std::ostream* err = nullptr;  // everything else: progress, questions, hints, errors

  bool in_is_terminal = false;
  bool out_is_terminal = false;
  bool err_is_terminal = false;

  bool color = false;    // whether colours are wanted, where there is a terminal
  bool unicode = false;  // whether the terminal shows more than ASCII

  // Columns and lines of the terminal now; asked at every redraw.
  std::function<int()> width = [] { return 80; };
  std::function<int()> height = [] { return 24; };

  // The streams of this process; colours as NO_COLOR and TERM say.
  static Console OfProcess();

  // Writes a line to `err`.
  void Say(std::string_view line) const;

  // Asks for a line; none at the end of the input.
  std::optional<std::string> Ask(std::string_view question) const;

  bool color_out() const { return color && out_is_terminal; }
  bool color_err() const { return color && err_is_terminal; }
};

}  // namespace reinstate
