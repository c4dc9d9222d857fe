#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reinstate {

// A file that has its name only once it is complete: until then it is called "<path>.partial", and
// goes away with this. For its owner only. Not thread-safe.
class PartialFile {
 public:
  // INVALID_ARGUMENT, with why, if it cannot be made.
  static absl::StatusOr<std::unique_ptr<PartialFile>> Create(const std::string& path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  // NO_SPACE if it cannot be written.
  absl::Status Write(std::string_view text);

  // Gives it its name, in place of a file that has it. After that nothing may be written. NO_SPACE;
  // INVALID_ARGUMENT if its name cannot be had.
  absl::Status Complete();

 private:
  explicit PartialFile(std::string path) : path_(std::move(path)) {}

  absl::Status Failed() const;

  const std::string path_;
  int fd_ = -1;
  bool completed_ = false;
  std::string buffer_;
};

// INVALID_ARGUMENT if there is a file at `path` that is not empty, unless `force` says that it may
// be overwritten. What is no regular file, e.g. /dev/stdout, holds nothing that would be lost.
absl::Status CheckMayWrite(const std::string& path, bool force);

}  // namespace reinstate
