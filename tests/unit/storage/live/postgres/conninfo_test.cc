#include "storage/live/postgres/conninfo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Conninfo, HasWhatIsSaidAndLeavesTheRestToLibpq) {
  EXPECT_EQ(*MakeConninfo({}), "");
  EXPECT_EQ(*MakeConninfo({.host = "db.example", .port = 5433, .database = "app", .user = "me"}),
            "dbname='app' host='db.example' port='5433' user='me'");
  EXPECT_EQ(*MakeConninfo(
                {.conninfo = "postgresql://db.example/app?sslmode=require", .database = "other"}),
            "dbname='other' host='db.example' sslmode='require'");
}

TEST(Conninfo, QuotesHostileValues) {
  EXPECT_EQ(*MakeConninfo({.database = R"(a' host='evil\)"}), R"(dbname='a\' host=\'evil\\')");
}

TEST(Conninfo, RefusesPasswordsAndShowsNone) {
  for (const char* const conninfo :
       {"password=hunter2", "postgresql://me:hunter2@db/app", "sslpassword=hunter2",
        "host=db password='hunter2", "hunter2 = = ="}) {
    const absl::Status status = MakeConninfo({.conninfo = conninfo}).status();
    EXPECT_THAT(status, FailsWith(Reason::kConfigInvalid)) << conninfo;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
  }
}

TEST(Conninfo, TakesAPasswordFileThatOthersCannotReadOnly) {
  const TempDir dir;
  const std::string path = dir.path() + "/pg pass";
  EXPECT_THAT(MakeConninfo({.password_file = path}), FailsWith(Reason::kConfigInvalid));
  std::ofstream(path) << "*:*:*:*:hunter2\n";
  chmod(path.c_str(), 0644);
  EXPECT_THAT(MakeConninfo({.password_file = path}), FailsWith(Reason::kConfigInvalid));
  chmod(path.c_str(), 0600);
  EXPECT_EQ(*MakeConninfo({.password_file = path}), "passfile='" + path + "'");
}

}  // namespace
}  // namespace reinstate
