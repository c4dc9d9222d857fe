#include "client/cli/exit_code.h"

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "client/api/client.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

// The exit codes by reason of the table in proto/README.md.
std::map<std::string, int> ExitCodesOfTheTable() {
  std::ifstream file(REINSTATE_PROTO_README);
  std::map<std::string, int> codes;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells = absl::StrSplit(line, '|');
    for (std::string& cell : cells) {
      absl::StripAsciiWhitespace(&cell);
    }
    int code = 0;
    if (cells.size() == 7 && cells[2].size() > 2 && cells[2].front() == '`' &&
        absl::SimpleAtoi(cells[3], &code)) {
      codes[cells[2].substr(1, cells[2].size() - 2)] = code;
    }
  }
  return codes;
}

TEST(ExitCode, OfEachReasonIsThatOfTheTable) {
  const std::map<std::string, int> table = ExitCodesOfTheTable();
  for (const ReasonInfo& info : AllReasons()) {
    const auto entry = table.find(std::string(info.name));
    ASSERT_NE(entry, table.end()) << info.name;
    EXPECT_EQ(static_cast<int>(ExitCodeOf(MakeError(info.reason, "x"))), entry->second)
        << info.name;
  }
  EXPECT_EQ(table.size(), AllReasons().size());
}

TEST(ExitCode, OfAStatusWithoutReasonIsThatOfItsCode) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("")), ExitCode::kNotAllowed);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), ExitCode::kNotAllowed);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeOf(absl::OutOfRangeError("")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), ExitCode::kFailed);
}

TEST(ExitCode, OfWhatOnlyTheCommandLineKnows) {
  const auto exit_code_of = [](const char* reason) {
    return ExitCodeOf(MakeErrorFromName(absl::StatusCode::kUnknown, reason, "x"));
  };
  EXPECT_EQ(exit_code_of(kDeclinedReason), ExitCode::kDeclined);
  EXPECT_EQ(exit_code_of(kPartlyFailedReason), ExitCode::kPartlyFailed);
  EXPECT_EQ(exit_code_of(kInterruptedReason), ExitCode::kInterrupted);
}

}  // namespace
}  // namespace reinstate
