#include "client/cli/display_text.h"

#include <string>

#include "gtest/gtest.h"

namespace reinstate {
namespace {

TEST(Printable, LeavesTextOfAnyScriptAsItIs) {
  const std::string text = "Müller & Søn, 株式会社, Ελλάδα, 😀";
  EXPECT_EQ(Printable(text), text);
}

TEST(Printable, KeepsATerminalFromBeingDriven) {
  EXPECT_EQ(Printable("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(Printable("one\ntwo\ttab"), "one\\x0atwo\\x09tab");
  // Control sequence introducer of the C1 range, and the override of the text's direction.
  EXPECT_EQ(Printable("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(Printable("\u202etxt"), "\\xe2\\x80\\xaetxt");
}

TEST(Printable, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(Printable("\xff"), "\\xff");
  EXPECT_EQ(Printable("cut \xe6\xa0"), "cut \\xe6\\xa0");
  EXPECT_EQ(Printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(Printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth(""), 0);
  EXPECT_EQ(DisplayWidth("Müller"), 6);
  EXPECT_EQ(DisplayWidth("株式会社"), 8);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);  // a combining accent takes none
}

TEST(CutToWidth, KeepsWhatFits) {
  EXPECT_EQ(CutToWidth("12345", 5), "12345");
  EXPECT_EQ(CutToWidth("123456", 5), "1234…");
}

TEST(CutToWidth, DoesNotCutACharacterInTwo) {
  EXPECT_EQ(CutToWidth("株式会社", 6), "株式…");
  EXPECT_EQ(CutToWidth("株式会社", 1), "…");
  EXPECT_LE(DisplayWidth(CutToWidth("株式会社", 4)), 4);
}

}  // namespace
}  // namespace reinstate
