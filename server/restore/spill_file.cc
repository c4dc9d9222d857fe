#include "server/restore/spill_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/key_parts.h"
#include "storage/model/sum.h"

namespace reinstate {
namespace {

// A block in the file: length (8 bytes), hash of the contents (16 bytes), contents.
constexpr size_t kHeaderBytes = 24;

absl::Status FileError(std::string_view what) {
  const int error = errno;
  return MakeError(error == ENOSPC ? Reason::kNoSpace : Reason::kInternal,
                   absl::StrCat("temporary file of a restore: ", std::string(what), ": ",
                                std::generic_category().message(error)));
}

std::string BlockHash(std::string_view block) {
  return Uint128ToBytes(RecordHasher(0).Hash(0, std::string_view(), block));
}

absl::Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return FileError("write");
    }
    bytes.remove_prefix(written > 0 ? static_cast<size_t>(written) : 0);
  }
  return absl::OkStatus();
}

absl::Status ReadAll(int fd, int64_t offset, size_t size, char* out) {
  while (size > 0) {
    const ssize_t got = pread(fd, out, size, offset);
    if (got == 0) {
      return MakeError(Reason::kCorrupt,
                       "temporary file of a restore: it is shorter than what was written");
    }
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      return FileError("read");
    }
    out += got;
    offset += got;
    size -= static_cast<size_t>(got);
  }
  return absl::OkStatus();
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
      return FileError("open");
    }
  }
  std::string header;
  AppendKeyPart64(block_.size(), &header);
  header += BlockHash(block_);
  RETURN_IF_ERROR(WriteAll(fd_, header));
  RETURN_IF_ERROR(WriteAll(fd_, block_));
  file_bytes_ += static_cast<int64_t>(header.size() + block_.size());
  block_.clear();
  return absl::OkStatus();
}

absl::StatusOr<bool> SpillFile::Reader::NextBlock() {
  if (offset_ < file_->file_bytes_) {
    std::array<char, kHeaderBytes> header{};
    RETURN_IF_ERROR(ReadAll(file_->fd_, offset_, header.size(), header.data()));
    std::string_view fields(header.data(), header.size());
    uint64_t size = 0;
    ConsumeKeyPart64(&fields, &size);
    offset_ += kHeaderBytes;
    if (size > static_cast<uint64_t>(file_->file_bytes_ - offset_)) {
      return MakeError(Reason::kCorrupt, "temporary file of a restore: a block's length is wrong");
    }
    block_.resize(size);
    RETURN_IF_ERROR(ReadAll(file_->fd_, offset_, size, block_.data()));
    offset_ += static_cast<int64_t>(size);
    if (BlockHash(block_) != fields) {
      return MakeError(Reason::kCorrupt,
                       "temporary file of a restore: a block's checksum is wrong");
    }
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
