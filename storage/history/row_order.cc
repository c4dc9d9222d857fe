#include "storage/history/row_order.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

namespace reinstate {
namespace {

constexpr size_t kChunkBytes = 8;

// With fewer rows comparing them costs less than fetching their chunks.
constexpr size_t kFewRows = 8;

// The bytes of `group` from `depth` on as a number that compares as they do, zeros after its end.
uint64_t ChunkAt(std::string_view group, size_t depth) {
  uint64_t chunk = 0;
  if constexpr (std::endian::native == std::endian::little) {
    if (group.size() >= depth + kChunkBytes) {
      std::memcpy(&chunk, group.data() + depth, kChunkBytes);
      return __builtin_bswap64(chunk);
    }
  }
  for (size_t i = depth; i < depth + kChunkBytes; ++i) {
    chunk = chunk << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0);
  }
  return chunk;
}

void SortByComparing(std::string_view arena, std::span<ArenaRow> rows) {
  std::ranges::sort(rows, [arena](const ArenaRow& a, const ArenaRow& b) {
    return a.group(arena) < b.group(arena);
  });
}

// `rows` have their first `depth` bytes in common, with zeros after their ends.
void SortFrom(std::string_view arena, std::span<ArenaRow> rows, size_t depth) {
  const bool one_ends =
      std::ranges::any_of(rows, [depth](const ArenaRow& row) { return row.group_bytes < depth; });
  if (one_ends || rows.size() <= kFewRows) {
    SortByComparing(arena, rows);
    return;
  }
  for (ArenaRow& row : rows) {
    row.chunk = ChunkAt(row.group(arena), depth);
  }
  std::ranges::sort(rows, {}, &ArenaRow::chunk);
  while (!rows.empty()) {
    const auto same =
        std::ranges::upper_bound(rows, rows.front().chunk, {}, &ArenaRow::chunk) - rows.begin();
    SortFrom(arena, rows.first(static_cast<size_t>(same)), depth + kChunkBytes);
    rows = rows.subspan(static_cast<size_t>(same));
  }
}

}  // namespace

void SortByGroup(std::string_view arena, std::span<ArenaRow> rows) { SortFrom(arena, rows, 0); }

}  // namespace reinstate
