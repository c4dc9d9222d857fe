#include "client/cli/csv_writer.h"

#include "gtest/gtest.h"

namespace reinstate {
namespace {

TEST(CsvLine, LeavesPlainFieldsAsTheyAre) { EXPECT_EQ(CsvLine({"a", "", "1 2"}), "a,,1 2\r\n"); }

TEST(CsvLine, QuotesCommasQuotesAndLineBreaks) {
  EXPECT_EQ(CsvLine({"a,b", "say \"hi\"", "two\nlines", "cr\r"}),
            "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"cr\r\"\r\n");
}

}  // namespace
}  // namespace reinstate
