#include "server/snapshot/label_text.h"

#include <gtest/gtest.h>

namespace reinstate {
namespace {

double Similarity(std::string_view query, std::string_view text) {
  return LabelSimilarity(NormalisedLabel(query), NormalisedLabel(text));
}

TEST(NormalisedLabel, IgnoresCaseInAnyScript) {
  EXPECT_EQ(NormalisedLabel("ACME GmbH"), NormalisedLabel("acme gmbh"));
  EXPECT_EQ(NormalisedLabel("ΣΊΣΥΦΟΣ"), NormalisedLabel("σίσυφος"));
  EXPECT_EQ(NormalisedLabel("Straße"), NormalisedLabel("STRASSE"));
}

TEST(NormalisedLabel, IgnoresAccentsHoweverTheyAreEncoded) {
  EXPECT_EQ(NormalisedLabel("Café"), NormalisedLabel("Cafe\u0301"));
  EXPECT_EQ(NormalisedLabel("Café"), NormalisedLabel("cafe"));
}

TEST(NormalisedLabel, KeepsMarksThatCarryVowels) {
  EXPECT_NE(NormalisedLabel("कि"), NormalisedLabel("क"));
}

TEST(NormalisedLabel, TakesCompatibleFormsAsTheSame) {
  EXPECT_EQ(NormalisedLabel("Ｆｕｊｉ ①"), NormalisedLabel("fuji 1"));
}

TEST(NormalisedLabel, DropsPunctuationAndCollapsesWhiteSpace) {
  EXPECT_EQ(NormalisedLabel("  O'Brien,\t& Sons\u00a0Inc. "), NormalisedLabel("obrien sons inc"));
  EXPECT_EQ(NormalisedLabel("big-corp_eu"), NormalisedLabel("Big Corp EU"));
}

TEST(NormalisedLabel, OfPunctuationAloneIsEmpty) {
  EXPECT_TRUE(NormalisedLabel("-- !?").empty());
  EXPECT_TRUE(NormalisedLabel("").empty());
}

TEST(NormalisedLabel, ReadsInvalidBytesAsReplacementCharacters) {
  EXPECT_EQ(NormalisedLabel("a\xff"), U"a\ufffd");
}

TEST(LabelSimilarity, CountsCharactersAndNotBytes) {
  EXPECT_DOUBLE_EQ(Similarity("東京都", "東京部"), 1 - 1.0 / 3);
}

TEST(LabelSimilarity, AllowsAThirdOfTheLongerText) {
  EXPECT_DOUBLE_EQ(Similarity("atlasian", "atlassian"), 1 - 1.0 / 9);
  EXPECT_DOUBLE_EQ(Similarity("abcxyf", "abcdef"), 1 - 2.0 / 6);
  EXPECT_EQ(Similarity("abcxyz", "abcdef"), 0);
}

TEST(LabelSimilarity, FindsAPartOfAName) {
  EXPECT_DOUBLE_EQ(Similarity("acme", "the acme company of the north"), 4.0 / 29);
  EXPECT_EQ(Similarity("the acme company of the north", "acme"), 0);
}

TEST(LabelSimilarity, OfNothingIsNothing) {
  EXPECT_EQ(Similarity("", "acme"), 0);
  EXPECT_EQ(Similarity("acme", "!!"), 0);
  EXPECT_EQ(Similarity("", ""), 0);
}

}  // namespace
}  // namespace reinstate
