#include "storage/history/row_order.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace reinstate {
namespace {

// Groups in an arena, each with its number as payload.
struct Arena {
  explicit Arena(const std::vector<std::string>& groups) {
    for (const std::string& group : groups) {
      const std::string payload = std::to_string(rows.size());
      rows.push_back({.offset = bytes.size(),
                      .group_bytes = static_cast<uint32_t>(group.size()),
                      .payload_bytes = static_cast<uint32_t>(payload.size())});
      bytes += group + payload;
    }
  }

  std::string bytes;
  std::vector<ArenaRow> rows;
};

// Long common prefixes, zeros and all bits set, ends in the middle of a chunk, equal groups.
rc::Gen<std::vector<std::string>> Groups() {
  const auto byte = rc::gen::element('\0', '\1', 'a', '\x7f', '\x80', '\xff');
  const auto tail = rc::gen::resize(24, rc::gen::container<std::string>(byte));
  const auto prefix = rc::gen::element<std::string>("", "prefix", std::string(8, '\0'),
                                                    std::string(20, '\xff'), "tenant-1/table-2");
  return rc::gen::container<std::vector<std::string>>(rc::gen::apply(
      [](std::string a, const std::string& b) { return std::move(a) + b; }, prefix, tail));
}

RC_GTEST_PROP(RowOrder, IsThatOfTheBytesOfTheGroups, ()) {
  const std::vector<std::string> groups = *Groups();
  Arena arena(groups);
  SortByGroup(arena.bytes, arena.rows);
  std::vector<std::string> sorted = groups;
  std::ranges::sort(sorted);
  RC_ASSERT(arena.rows.size() == sorted.size());
  for (size_t i = 0; i < sorted.size(); ++i) {
    RC_ASSERT(arena.rows[i].group(arena.bytes) == sorted[i]);
    const size_t number = std::stoul(std::string(arena.rows[i].payload(arena.bytes)));
    RC_ASSERT(groups[number] == sorted[i]);
  }
}

TEST(RowOrder, TakesManyEqualGroups) {
  Arena arena(std::vector<std::string>(100, std::string(8, '\0')));
  SortByGroup(arena.bytes, arena.rows);
  EXPECT_EQ(arena.rows.size(), 100U);
  EXPECT_TRUE(std::ranges::all_of(arena.rows, [&](const ArenaRow& row) {
    return row.group(arena.bytes) == std::string_view("\0\0\0\0\0\0\0\0", 8);
  }));
}

}  // namespace
}  // namespace reinstate
