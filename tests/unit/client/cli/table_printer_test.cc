#include "client/cli/table_printer.h"

#include "gtest/gtest.h"

namespace reinstate {
namespace {

TEST(TablePrinter, AlignsByWhatATerminalShows) {
  TablePrinter table({{"NAME"}, {"ROWS", Align::kRight}});
  table.AddRow({{"Müller"}, {"7"}});
  table.AddRow({{"株式会社"}, {"1,234"}});
  EXPECT_EQ(table.Render({}),
            "NAME       ROWS\n"
            "Müller        7\n"
            "株式会社  1,234\n");
}

TEST(TablePrinter, LeavesNoSpacesAtTheEndOfALine) {
  TablePrinter table({{"A"}, {"B"}, {"C"}});
  table.AddRow({{"long text"}, {""}, {""}});
  table.AddRow({{"x"}, {""}, {"y"}});
  table.AddRow({{""}, {"b"}, {""}});
  EXPECT_EQ(table.Render({}),
            "A          B  C\n"
            "long text\n"
            "x             y\n"
            "           b\n");
}

TEST(TablePrinter, LeavesOutColumnsThatAreEmpty) {
  TablePrinter table({{"A"}, {"NOTE"}, {"B", Align::kRight}});
  table.AddRow({{"a"}, {""}, {"1"}});
  table.AddRow({{"aa"}, {""}, {"22"}});
  EXPECT_EQ(table.Render({}),
            "A    B\n"
            "a    1\n"
            "aa  22\n");
}

TEST(TablePrinter, CutsToTheTerminalWhereAColumnMayShrink) {
  TablePrinter table({{"ID"}, {"PAYLOAD", Align::kLeft, /*may_shrink=*/true}, {"N"}});
  table.AddRow({{"1"}, {"abcdefghijklmnopqrstuvwxyz"}, {"5"}});
  EXPECT_EQ(table.Render({.width = 20}),
            "ID  PAYLOAD        N\n"
            "1   abcdefghijkl…  5\n");
  // Never below what is still of use.
  EXPECT_EQ(table.Render({.width = 3}),
            "ID  PAYLOAD   N\n"
            "1   abcdefg…  5\n");
}

TEST(TablePrinter, EscapesWhatWouldBreakTheTable) {
  TablePrinter table({{"A"}, {"B"}});
  table.AddRow({{"x\ny"}, {"\x1b[2J"}});
  EXPECT_EQ(table.Render({}),
            "A       B\n"
            "x\\x0ay  \\x1b[2J\n");
}

TEST(TablePrinter, DoesNotCountColours) {
  TablePrinter table({{"A"}, {"B"}});
  table.AddRow({{"bad", Style::kBad}, {"x"}});
  EXPECT_EQ(table.Render({.color = true}),
            "\x1b[1mA\x1b[0m    \x1b[1mB\x1b[0m\n"
            "\x1b[31mbad\x1b[0m  x\n");
}

}  // namespace
}  // namespace reinstate
