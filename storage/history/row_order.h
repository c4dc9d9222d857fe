#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace reinstate {

// A row whose group key and payload lie one after the other in an arena.
struct ArenaRow {
  uint64_t offset = 0;
  uint32_t group_bytes = 0;
  uint32_t payload_bytes = 0;
  uint64_t chunk = 0;  // of the group, while rows are being sorted

  std::string_view group(std::string_view arena) const { return arena.substr(offset, group_bytes); }
  std::string_view payload(std::string_view arena) const {
    return arena.substr(offset + group_bytes, payload_bytes);
  }
};

// Sorts `rows` by group, bytewise; which of two equal groups comes first is not specified.
//
// A radix sort by chunks of 8 bytes (the caching of Ng and Kakehi, "Cache Efficient Radix Sort for
// String Sorting", 2007): groups have long prefixes in common and lie far apart in the arena, so
// that comparing them one with the other is mostly waiting for memory.
void SortByGroup(std::string_view arena, std::span<ArenaRow> rows);

}  // namespace reinstate
