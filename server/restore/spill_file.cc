#include "server/restore/spill_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/block_file.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

BlockFile FileOf(int fd) {
  return {.fd = fd,
          .what = "The temporary file of a restore",
          .remedy = "look at the disk of the daemon's folder, then try again"};
}

}  // namespace

SpillFile::SpillFile(std::string folder, size_t block_bytes)
    : folder_(std::move(folder)), block_bytes_(block_bytes) {}

SpillFile::SpillFile(SpillFile&& other) noexcept
    : folder_(other.folder_),
      block_bytes_(other.block_bytes_),
      fd_(std::exchange(other.fd_, -1)),
      file_bytes_(other.file_bytes_),
      block_(std::move(other.block_)),
      items_(other.items_) {}

SpillFile::~SpillFile() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

absl::Status SpillFile::Append(std::string_view item) {
  if (!block_.empty() && block_.size() + item.size() > block_bytes_) {
    RETURN_IF_ERROR(WriteBlock());
  }
  AppendKeyPart64(item.size(), &block_);
  block_.append(item);
  ++items_;
  return absl::OkStatus();
}

absl::Status SpillFile::WriteBlock() {
  if (fd_ < 0) {
    fd_ = open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ < 0) {
      return FileOf(fd_).Failed("open");
    }
  }
  RETURN_IF_ERROR(FileOf(fd_).WriteBlock(block_, &file_bytes_));
  block_.clear();
  return absl::OkStatus();
}

absl::StatusOr<bool> SpillFile::Reader::NextBlock() {
  if (offset_ < file_->file_bytes_) {
    RETURN_IF_ERROR(FileOf(file_->fd_).ReadBlock(&offset_, file_->file_bytes_, &block_));
    rest_ = block_;
    return true;
  }
  if (!in_memory_) {
    in_memory_ = true;
    rest_ = file_->block_;
    return !rest_.empty();
  }
  return false;
}

absl::StatusOr<bool> SpillFile::Reader::Next(std::string_view* item) {
  if (rest_.empty()) {
    ASSIGN_OR_RETURN(const bool more, NextBlock());
    if (!more) {
      if (items_ != file_->items_) {
        return MakeError(Reason::kCorrupt, "temporary file of a restore: items are missing");
      }
      return false;
    }
  }
  uint64_t size = 0;
  if (!ConsumeKeyPart64(&rest_, &size) || size > rest_.size()) {
    return MakeError(Reason::kCorrupt, "temporary file of a restore: an item's length is wrong");
  }
  *item = rest_.substr(0, size);
  rest_.remove_prefix(size);
  ++items_;
  return true;
}

}  // namespace reinstate
