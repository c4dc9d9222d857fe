#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reinstate {

// A sequence of byte strings that is written once and then read in order, any number of times. What
// exceeds one block goes to an unnamed temporary file, which the system removes even if the process
// is killed. Not thread-safe.
class SpillFile {
 public:
  // `folder` must exist; `block_bytes` is about how much memory writing takes, and reading again.
  SpillFile(std::string folder, size_t block_bytes);
  ~SpillFile();
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  SpillFile(SpillFile&& other) noexcept;
  SpillFile& operator=(SpillFile&&) = delete;

  // NO_SPACE if the disk is full, INTERNAL for other errors of the file system; the file is then
  // useless. Not after Read.
  absl::Status Append(std::string_view item);

  int64_t items() const { return items_; }

  // Reads a SpillFile from its start. To be destroyed before it.
  class Reader {
   public:
    // Points `*item` to the next item, until the next call; false at the end. CORRUPT if the file
    // does not hold what was written.
    absl::StatusOr<bool> Next(std::string_view* item);

   private:
    friend class SpillFile;
    explicit Reader(const SpillFile* file) : file_(file) {}

    absl::StatusOr<bool> NextBlock();

    const SpillFile* const file_;
    int64_t offset_ = 0;      // of the next block in the file
    bool in_memory_ = false;  // the last block, which never went to the file, is being read
    std::string block_;
    std::string_view rest_;  // of the present block
    int64_t items_ = 0;
  };

  Reader Read() const { return Reader(this); }

 private:
  absl::Status WriteBlock();

  const std::string folder_;
  const size_t block_bytes_;
  int fd_ = -1;  // -1 until a block had to be written
  int64_t file_bytes_ = 0;
  std::string block_;
  int64_t items_ = 0;
};

}  // namespace reinstate
