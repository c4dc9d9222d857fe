#include "storage/live/rocksdb/acknowledged_counts.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

struct Cell {
  uint64_t count;
  uint64_t hash;
};
static_assert(sizeof(Cell) == 16);

uint64_t HashOf(uint32_t shard, uint64_t count) {
  return XXH3_64bits_withSeed(&count, 8, shard + 1);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AcknowledgedCounts>> AcknowledgedCounts::Open(
    const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0) {
    return MakeError(
        errno == ENOSPC ? Reason::kNoSpace : Reason::kUnavailable,
        absl::StrCat("cannot open ", path, ": ", std::generic_category().message(errno)));
  }
  auto counts = std::unique_ptr<AcknowledgedCounts>(new AcknowledgedCounts(file));
  std::array<Cell, kShards> cells = {};
  const ssize_t size = pread(file, cells.data(), sizeof(cells), 0);
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    const bool is_there = size >= static_cast<ssize_t>((shard + 1) * sizeof(Cell));
    if (is_there && cells[shard].hash == HashOf(shard, cells[shard].count)) {
      counts->at_open_[shard] = cells[shard].count;
    }
  }
  return counts;
}

AcknowledgedCounts::~AcknowledgedCounts() { close(file_); }

bool AcknowledgedCounts::AnyAtOpen() const {
  return std::any_of(at_open_.begin(), at_open_.end(), [](uint64_t count) { return count > 0; });
}

void AcknowledgedCounts::Set(uint32_t shard, uint64_t count) {
  const Cell cell{.count = count, .hash = HashOf(shard, count)};
  [[maybe_unused]] const ssize_t written =
      pwrite(file_, &cell, sizeof(cell), static_cast<off_t>(shard * sizeof(Cell)));
}

}  // namespace reinstate
