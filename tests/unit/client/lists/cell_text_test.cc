#include "client/lists/cell_text.h"

#include <gtest/gtest.h>

#include <string>

namespace reinstate {
namespace {

std::string Clean(std::string_view cell, bool expect_altered) {
  bool altered = false;
  std::string clean = CleanCell(cell, &altered);
  EXPECT_EQ(altered, expect_altered) << cell;
  return clean;
}

TEST(CellText, DropsPlainSpacesAroundACellSilently) {
  EXPECT_EQ(Clean(" \tAcme Corp\r\n", false), "Acme Corp");
  EXPECT_EQ(Clean(" \t ", false), "");
  EXPECT_EQ(Clean("", false), "");
}

TEST(CellText, TakesNoBreakSpacesForSpacesAndTells) {
  EXPECT_EQ(Clean("\u00A0Acme\u00A0Corp\u202F", true), "Acme Corp");
  EXPECT_EQ(Clean("Acme\u2007Corp", true), "Acme Corp");
}

TEST(CellText, DropsWhatIsNotSeenAroundACell) {
  EXPECT_EQ(Clean("\uFEFF\u200B1001\u200E", true), "1001");
  EXPECT_EQ(TrimmedCell(" \u200B "), "");
}

TEST(CellText, LeavesEverythingElse) {
  EXPECT_EQ(Clean("Zo\u00EB  &  S\u00F6hne", false), "Zo\u00EB  &  S\u00F6hne");
}

}  // namespace
}  // namespace reinstate
