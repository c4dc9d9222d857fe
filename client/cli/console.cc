#include "client/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace reinstate {
namespace {

constexpr int kUsualWidth = 80;
constexpr int kUsualHeight = 24;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets any
  return value == nullptr ? "" : value;
}

// As the C library decides it: the first of the three that is set.
bool LocaleIsUtf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = Environment(name);
    if (!value.empty()) {
      return value.find("UTF-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
  }
  return false;
}

winsize TerminalSize() {
  winsize size = {};
  for (const int fd : {STDERR_FILENO, STDOUT_FILENO}) {
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
      return size;
    }
  }
  size.ws_col = kUsualWidth;
  size.ws_row = kUsualHeight;
  return size;
}

}  // namespace

Console Console::OfProcess() {
  Console console;
  console.in = &std::cin;
  console.out = &std::cout;
  console.err = &std::cerr;
  console.in_is_terminal = isatty(STDIN_FILENO) == 1;
  console.out_is_terminal = isatty(STDOUT_FILENO) == 1;
  console.err_is_terminal = isatty(STDERR_FILENO) == 1;
  const std::string terminal = Environment("TERM");
  console.color = Environment("NO_COLOR").empty() && !terminal.empty() && terminal != "dumb";
  console.unicode = LocaleIsUtf8();
  console.width = [] { return static_cast<int>(TerminalSize().ws_col); };
  console.height = [] { return static_cast<int>(TerminalSize().ws_row); };
  return console;
}

void Console::Say(std::string_view line) const { *err << line << '\n' << std::flush; }

std::optional<std::string> Console::Ask(std::string_view question) const {
  *err << question << std::flush;
  std::string line;
  if (!std::getline(*in, line)) {
    *err << '\n';
    return std::nullopt;
  }
  if (!line.empty() && line.back() == '\r') {
    line.pop_back();
  }
  return line;
}

}  // namespace reinstate
