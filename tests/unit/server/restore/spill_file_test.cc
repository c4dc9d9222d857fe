#include "server/restore/spill_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/base/error.h"

namespace reinstate {
namespace {

std::vector<std::string> ReadAll(const SpillFile& file) {
  std::vector<std::string> items;
  SpillFile::Reader reader = file.Read();
  std::string_view item;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&item);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) {
      return items;
    }
    items.emplace_back(item);
  }
}

TEST(SpillFile, GivesBackItemsOfAnySizeInTheirOrderAnyNumberOfTimes) {
  SpillFile file(testing::TempDir(), /*block_bytes=*/1000);
  std::vector<std::string> written;
  for (int i = 0; i < 500; ++i) {
    written.push_back(std::string(i % 7 == 0 ? 2500 : i % 50, static_cast<char>(i)));
    ASSERT_TRUE(file.Append(written.back()).ok());
  }
  EXPECT_EQ(file.items(), 500);
  EXPECT_EQ(ReadAll(file), written);
  EXPECT_EQ(ReadAll(file), written);
}

TEST(SpillFile, GivesNothingWhenNothingWasWritten) {
  SpillFile file(testing::TempDir(), 1000);
  EXPECT_TRUE(ReadAll(file).empty());
}

TEST(SpillFile, StaysInMemoryBelowOneBlock) {
  SpillFile file("/there/is/no/such/folder", 1000);
  ASSERT_TRUE(file.Append("an item").ok());
  EXPECT_EQ(ReadAll(file), std::vector<std::string>{"an item"});
}

TEST(SpillFile, SaysWhenTheTemporaryFileCannotBeMade) {
  SpillFile file("/there/is/no/such/folder", 10);
  ASSERT_TRUE(file.Append("an item that is longer than a block").ok());
  EXPECT_TRUE(HasReason(file.Append("another"), Reason::kInternal));
}

}  // namespace
}  // namespace reinstate
