#include "client/cli/byte_size.h"

#include "gtest/gtest.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

TEST(ByteSize, IsANumberWithABinaryUnitOrWithout) {
  EXPECT_EQ(*ParseByteSize("--size", "0"), 0);
  EXPECT_EQ(*ParseByteSize("--size", "4096"), 4096);
  EXPECT_EQ(*ParseByteSize("--size", "512KiB"), 512 << 10);
  EXPECT_EQ(*ParseByteSize("--size", "20 MiB"), 20 << 20);
  EXPECT_EQ(*ParseByteSize("--size", "1GiB"), 1LL << 30);
  EXPECT_EQ(*ParseByteSize("--size", "2TiB"), 2LL << 40);
}

TEST(ByteSize, RefusesEverythingElseByTheNameOfTheFlag) {
  for (const char* text : {"", "MiB", "-1", "+1", "1.5MiB", "20MB", "20mib", "1 000", " 1", "0x10",
                           "9223372036854775808", "9007199254740992KiB"}) {
    const auto parsed = ParseByteSize("--size", text);
    EXPECT_TRUE(HasReason(parsed.status(), Reason::kInvalidArgument)) << text;
    EXPECT_NE(parsed.status().message().find("--size"), absl::string_view::npos);
  }
}

}  // namespace
}  // namespace reinstate
