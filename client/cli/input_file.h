#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/console.h"

namespace reinstate {

// What a command reads: a file, or the standard input for "-".
class InputFile {
 public:
  // Borrows the console's stream. INVALID_ARGUMENT if the file cannot be read.
  static absl::StatusOr<std::unique_ptr<InputFile>> Open(const std::string& path,
                                                         const Console& console);

  std::istream& stream() { return *in_; }
  // As errors and progress call it.
  const std::string& name() const { return name_; }
  // Its size; 0 if that is not known.
  int64_t bytes() const { return bytes_; }

 private:
  InputFile() = default;

  std::ifstream file_;
  std::istream* in_ = nullptr;
  std::string name_;
  int64_t bytes_ = 0;
};

}  // namespace reinstate
