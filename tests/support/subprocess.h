#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reinstate {

// A program that runs beside the test. Ended with this object. Not thread-safe.
class Subprocess {
 public:
  static constexpr int kColumns = 100;
  static constexpr int kRows = 40;

  struct Options {
    std::vector<std::string> environment;  // "NAME=value", besides that of the test
    std::string input;                     // its standard input; not with `terminal`
    bool terminal = false;                 // its three streams are a terminal of kColumns
  };

  // `words[0]` is the path of the program.
  static absl::StatusOr<std::unique_ptr<Subprocess>> Start(const std::vector<std::string>& words,
                                                           const Options& options);

  ~Subprocess();
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;

  void Signal(int number) const;

  // Types into its terminal.
  void Type(std::string_view text) const;

  // Gives its terminal another size, of which it is told.
  void Resize(int columns, int rows) const;

  // How its terminal takes input and shows output, as text that is the same if it is the same.
  std::string TerminalModes() const;

  // Waits until what it has written (on a terminal: shown) holds `text`. False if that does not
  // happen in time or it ends before.
  bool WaitForText(std::string_view text, absl::Duration timeout = absl::Seconds(60));

  // Waits for its end. The exit code; 128 + the signal that ended it; -1 if it did not end in time.
  int WaitForEnd(absl::Duration timeout = absl::Seconds(60));

  // What it has written so far. On a terminal both are one, in `out`.
  std::string Out();
  std::string Err();

 private:
  Subprocess() = default;

  static absl::StatusOr<std::unique_ptr<Subprocess>> StartOnTerminal(
      std::vector<char*> argv, std::vector<char*> environment);
  void ReadTerminal();

  pid_t pid_ = 0;
  int exit_code_ = -1;
  bool ended_ = false;
  std::string folder_;  // holds in, out and err
  int terminal_ = -1;   // our end of it
  std::string shown_;   // what it has written to it
};

}  // namespace reinstate
