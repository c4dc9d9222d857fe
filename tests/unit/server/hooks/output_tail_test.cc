#include "server/hooks/output_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

std::string TailOf(std::string_view text) {
  OutputTail tail;
  tail.Append(text);
  return tail.Text();
}

TEST(OutputTail, IsOneLineWithoutSurroundingSpace) {
  EXPECT_EQ(TailOf("\n  one \r\n\ttwo\n"), "one two");
  EXPECT_EQ(TailOf(" \n"), "");
  EXPECT_EQ(TailOf(""), "");
}

TEST(OutputTail, KeepsTheEndHoweverItComes) {
  const std::string all = std::string(100'000, 'a') + " the end";
  for (const size_t step : {size_t{1}, size_t{7}, size_t{2048}, size_t{2049}, size_t{100'008}}) {
    OutputTail tail;
    for (size_t at = 0; at < all.size(); at += step) {
      tail.Append(std::string_view(all).substr(at, step));
    }
    EXPECT_EQ(tail.Text(), "…" + std::string(OutputTail::kMaxBytes - 8, 'a') + " the end") << step;
  }
}

TEST(OutputTail, KeepsAllOfWhatFits) {
  const std::string text(OutputTail::kMaxBytes, 'a');
  EXPECT_EQ(TailOf(text), text);
}

TEST(OutputTail, CutsNoCharacterInTwo) {
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text += "€";
  }
  for (const char* end : {"", "a", "ab"}) {
    const std::string tail = TailOf(text + end);
    EXPECT_TRUE(IsUtf8(tail));
    EXPECT_THAT(tail, testing::StartsWith("…€"));
  }
}

TEST(OutputTail, ReplacesWhatIsNoText) {
  const std::string tail = TailOf(std::string("a\x00\x1B\xFF z", 6));
  EXPECT_TRUE(IsUtf8(tail));
  EXPECT_THAT(tail, testing::StartsWith("a"));
  EXPECT_THAT(tail, testing::EndsWith("z"));
  EXPECT_EQ(tail.find('\x1B'), std::string::npos);
}

}  // namespace
}  // namespace reinstate
