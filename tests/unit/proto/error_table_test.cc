#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

struct Row {
  std::string status;
  std::string reason;
  std::string exit_code;
  std::string meaning;
};

// The rows of the table in proto/README.md, told apart from other tables by a reason in backquotes
// in the second of five columns.
std::vector<Row> ReadTable() {
  std::ifstream file(REINSTATE_PROTO_README);
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    for (std::string& cell : cells) {
      absl::StripAsciiWhitespace(&cell);
    }
    if (cells.size() == 7 && cells[2].size() > 2 && cells[2].front() == '`') {
      rows.push_back({cells[1], cells[2].substr(1, cells[2].size() - 2), cells[3], cells[4]});
    }
  }
  return rows;
}

TEST(ErrorTable, HasEachReasonOfTheCodeOnceAndInItsOrder) {
  std::vector<std::string> in_table;
  for (const Row& row : ReadTable()) {
    in_table.push_back(row.reason);
  }
  std::vector<std::string> in_code;
  for (const ReasonInfo& info : AllReasons()) {
    in_code.emplace_back(info.name);
  }
  EXPECT_EQ(in_table, in_code);
}

TEST(ErrorTable, GivesTheStatusThatTheCodeGives) {
  std::map<std::string, std::string> in_code;
  for (const ReasonInfo& info : AllReasons()) {
    in_code[std::string(info.name)] = absl::StatusCodeToString(info.code);
  }
  const std::vector<Row> rows = ReadTable();
  ASSERT_FALSE(rows.empty());
  for (const Row& row : rows) {
    EXPECT_EQ(row.status, in_code[row.reason]) << row.reason;
  }
}

TEST(ErrorTable, ExplainsEachReasonAndGivesItAnExitCodeOfTheDesign) {
  const std::set<std::string> exit_codes = {"1", "2", "4", "5", "6", "7", "8", "9"};
  const std::vector<Row> rows = ReadTable();
  ASSERT_FALSE(rows.empty());
  for (const Row& row : rows) {
    EXPECT_TRUE(exit_codes.contains(row.exit_code)) << row.reason;
    EXPECT_FALSE(row.meaning.empty()) << row.reason;
  }
}

}  // namespace
}  // namespace reinstate
