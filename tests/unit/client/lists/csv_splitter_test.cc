#include "client/lists/csv_splitter.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr size_t kMaxRecordBytes = 100;

absl::StatusOr<std::vector<ListRow>> Split(const std::string& text, char separator = ',') {
  const auto lines = SplitLines(text, ListLimits());
  EXPECT_TRUE(lines.ok()) << lines.status();
  CsvSplitter splitter(separator, kMaxRecordBytes);
  for (const TextLine& line : *lines) {
    if (absl::Status status = splitter.Add(line); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = splitter.Finish(); !status.ok()) {
    return status;
  }
  return splitter.rows();
}

std::vector<std::string> OnlyRow(const std::string& text, char separator = ',') {
  const auto rows = Split(text, separator);
  EXPECT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(*rows, SizeIs(1));
  return rows->at(0).fields;
}

TEST(CsvSplitter, SplitsFieldsAndDropsSpacesAroundThem) {
  EXPECT_THAT(OnlyRow("a, b ,,d\r\n"), ElementsAre("a", "b", "", "d"));
  EXPECT_THAT(OnlyRow("a\tb c\t\td", '\t'), ElementsAre("a", "b c", "", "d"));
}

TEST(CsvSplitter, TakesWhatIsInQuotesAsItIs) {
  EXPECT_THAT(OnlyRow("\"Acme, \"\"The\"\" Corp\",\" 1 \",\"\"\n"),
              ElementsAre("Acme, \"The\" Corp", " 1 ", ""));
}

TEST(CsvSplitter, TakesAQuoteWithinAFieldWithoutQuotesForACharacter) {
  EXPECT_THAT(OnlyRow("Pipes 5\" and 7\",x\n"), ElementsAre("Pipes 5\" and 7\"", "x"));
}

TEST(CsvSplitter, CountsLinesThroughFieldsWithLineEnds) {
  const auto rows = Split("a,\"x\r\ny\"\r\nb,z\rc,\"\n\"\nd,w");
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_THAT(*rows, SizeIs(4));
  EXPECT_EQ(rows->at(0).fields[1], "x\r\ny");
  EXPECT_EQ(rows->at(1).line, 3);
  EXPECT_EQ(rows->at(2).line, 4);
  EXPECT_EQ(rows->at(3).line, 6);
}

TEST(CsvSplitter, RefusesQuotesThatAreNotClosed) {
  EXPECT_THAT(std::string(Split("a\nb,\"c\nd\n").status().message()),
              HasSubstr("begins in line 2 is not closed by the end"));
  EXPECT_THAT(
      std::string(Split("a\n\"" + std::string(90, 'b') + "\nc\nddddddddd\ne").status().message()),
      HasSubstr("begins in line 2 is not closed by line 4"));
}

TEST(CsvSplitter, RefusesAFieldThatGoesOnAfterItsQuote) {
  EXPECT_THAT(std::string(Split("a\n\"Best\" Corp,1\n").status().message()),
              HasSubstr("In line 2 of the list a field goes on after its closing quote"));
}

}  // namespace
}  // namespace reinstate
