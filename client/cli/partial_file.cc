#include "client/cli/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

std::string PartialName(const std::string& path) { return absl::StrCat(path, ".partial"); }

absl::Status WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) {
      return absl::UnknownError("");
    }
    text.remove_prefix(written > 0 ? static_cast<size_t>(written) : 0);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PartialFile>> PartialFile::Create(const std::string& path) {
  std::unique_ptr<PartialFile> file(new PartialFile(path));
  file->fd_ = open(PartialName(path).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                   S_IRUSR | S_IWUSR);
  if (file->fd_ < 0) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("The file ", PartialName(path), " cannot be made: ",
                                  std::generic_category().message(errno), "."));
  }
  return file;
}

PartialFile::~PartialFile() {
  if (fd_ >= 0) {
    close(fd_);
    if (!completed_) {
      unlink(PartialName(path_).c_str());
    }
  }
}

absl::Status PartialFile::Failed() const {
  return MakeError(Reason::kNoSpace,
                   absl::StrCat("The file ", PartialName(path_), " cannot be written: ",
                                std::generic_category().message(errno), "."));
}

absl::Status PartialFile::Write(std::string_view text) {
  buffer_.append(text);
  if (buffer_.size() < kBufferBytes) {
    return absl::OkStatus();
  }
  if (!WriteAll(fd_, buffer_).ok()) {
    return Failed();
  }
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status PartialFile::Complete() {
  if (!WriteAll(fd_, buffer_).ok() || fsync(fd_) != 0) {
    return Failed();
  }
  if (rename(PartialName(path_).c_str(), path_.c_str()) != 0) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("The file ", path_, " cannot be put there: ",
                                  std::generic_category().message(errno), "."));
  }
  completed_ = true;
  return absl::OkStatus();
}

absl::Status CheckMayWrite(const std::string& path, bool force) {
  struct stat found = {};
  if (force || stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode) || found.st_size == 0) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kInvalidArgument,
      absl::StrCat("The file ", path,
                   " is there already; name another one, or overwrite it with --force."));
}

}  // namespace reinstate
