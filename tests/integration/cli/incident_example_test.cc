#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class IncidentExample : public CliSite {
 protected:
  void SetUp() override {
    StartDaemon();
    LoadAndSnapshot(/*rows=*/50);
    DeleteTenant("1001");
  }
};

TEST_F(IncidentExample, PutsTenantsBackAndProvesIt) {
  const ProgramResult run = RunExample({"--incident", "INC-77", "--at", "snap-1-1", "1001"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("1001: 51 rows to insert"),
                             HasSubstr("1001: back and proved by rst-")));
  EXPECT_EQ(Issues("1001"), 50);
  const nlohmann::json restores = Json({"restore", "list"});
  ASSERT_EQ(restores.size(), 1);
  EXPECT_EQ(restores[0]["reference"], "INC-77");
}

TEST_F(IncidentExample, CreatesNothingTwiceWhenItIsRunAgain) {
  const std::vector<std::string> words = {"--incident", "INC-77", "--at", "snap-1-1", "1001"};
  const ProgramResult first = RunExample(words);
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_EQ(RunExample(words).out, first.out);
  EXPECT_EQ(Json({"restore", "list"}).size(), 1);
}

TEST_F(IncidentExample, GoesOnWithTheOthersWhereOneCannotBePutBack) {
  const ProgramResult run =
      RunExample({"--incident", "INC-77", "--at", "snap-1-1", "nobody", "1001"});
  EXPECT_EQ(run.exit_code, 3) << run.out << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("nobody: NOT BACK: "), HasSubstr("[TENANT_NOT_AT_POINT]"),
                             HasSubstr("1001: back and proved")));
}

}  // namespace
}  // namespace reinstate
