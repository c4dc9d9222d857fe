#include "storage/model/block_file.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/key_parts.h"
#include "storage/model/sum.h"

namespace reinstate {
namespace {

constexpr int64_t kHeaderBytes = 24;

std::string HashOf(std::string_view contents) {
  return Uint128ToBytes(RecordHasher(0).Hash(0, std::string_view(), contents));
}

}  // namespace

absl::Status BlockFile::Failed(std::string_view doing) const {
  const int error = errno;
  return MakeError(error == ENOSPC ? Reason::kNoSpace : Reason::kInternal,
                   absl::StrCat(std::string(what), ": ", std::string(doing), ": ",
                                std::generic_category().message(error), "."));
}

absl::Status BlockFile::Damaged() const {
  return MakeError(Reason::kCorrupt,
                   absl::StrCat(std::string(what), " is damaged; ", std::string(remedy), "."));
}

absl::Status BlockFile::Write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return Failed("write");
    }
    bytes.remove_prefix(written > 0 ? static_cast<size_t>(written) : 0);
  }
  return absl::OkStatus();
}

absl::Status BlockFile::Read(int64_t offset, size_t size, std::string* bytes) const {
  bytes->resize(size);
  size_t done = 0;
  while (done < size) {
    const ssize_t got =
        pread(fd, bytes->data() + done, size - done, offset + static_cast<int64_t>(done));
    if (got < 0 && errno != EINTR) {
      return Failed("read");
    }
    if (got == 0) {
      return Damaged();
    }
    done += got > 0 ? static_cast<size_t>(got) : 0;
  }
  return absl::OkStatus();
}

absl::Status BlockFile::WriteBlock(std::string_view contents, int64_t* file_bytes) const {
  std::string header;
  AppendKeyPart64(contents.size(), &header);
  header.append(HashOf(contents));
  RETURN_IF_ERROR(Write(header));
  RETURN_IF_ERROR(Write(contents));
  *file_bytes += kHeaderBytes + static_cast<int64_t>(contents.size());
  return absl::OkStatus();
}

absl::Status BlockFile::ReadBlock(int64_t* offset, int64_t end, std::string* contents) const {
  if (end - *offset < kHeaderBytes) {
    return Damaged();
  }
  std::string header;
  RETURN_IF_ERROR(Read(*offset, kHeaderBytes, &header));
  std::string_view hash = header;
  uint64_t size = 0;
  ConsumeKeyPart64(&hash, &size);
  *offset += kHeaderBytes;
  if (size == 0 || size > static_cast<uint64_t>(end - *offset)) {
    return Damaged();
  }
  RETURN_IF_ERROR(Read(*offset, size, contents));
  *offset += static_cast<int64_t>(size);
  return hash == HashOf(*contents) ? absl::OkStatus() : Damaged();
}

}  // namespace reinstate
