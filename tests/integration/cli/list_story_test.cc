#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ListStory : public CliSite {
 protected:
  void SetUp() override {
    StartDaemon();
    LoadAndSnapshot(/*rows=*/50);
    DeleteTenant("1001");
  }
};

TEST_F(ListStory, FindsTheTenantsOfAListAsPeopleHaveIt) {
  const std::string list =
      "sep=;\r\nKunde;Notiz\r\nacme\xa0"
      "corp;vip\r\nGlobx;\r\nCaf\xe9;\r\n";
  const ProgramResult resolved = Run({"batch", "resolve", "-f", "-", "--column", "Kunde",
                                      "--note-column", "notiz", "--at", "latest"},
                                     list);
  EXPECT_EQ(resolved.exit_code, 3) << resolved.err;
  EXPECT_THAT(resolved.out,
              AllOf(HasSubstr("\r\n3,acme corp,normalised,1001,Acme Corp,51,0,,vip\r\n"),
                    HasSubstr("\r\n4,Globx,similar,,,,,\"1002 \"\"Globex\"\" "),
                    HasSubstr("\r\n5,Café,none,,,,,,\r\n")));
  EXPECT_THAT(resolved.err, AllOf(HasSubstr("As of snap-1-1"), HasSubstr("WINDOWS-1252"),
                                  HasSubstr("3 lines: 1 normalised, 1 similar, 1 none.")));
}

TEST_F(ListStory, ReadsWhatItHasWrittenOnceAPersonHasFilledItIn) {
  std::string csv =
      Run({"batch", "resolve", "-f", "-", "--at", "latest"}, "name\nAcme Corp\nGlobx\n").out;
  const std::string open = "Globx,similar,,";
  ASSERT_THAT(csv, HasSubstr(open));
  csv.replace(csv.find(open), open.size(), "Globx,similar,1002,");
  const ProgramResult again = Run({"batch", "resolve", "-f", "-", "--at", "latest"}, csv);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, AllOf(HasSubstr(",Acme Corp,exact,1001,Acme Corp,51,0,"),
                               HasSubstr(",Globx,exact,1002,Globex,51,51,")));
}

TEST_F(ListStory, TellsWhoIsGoneAndNotOnTheList) {
  const ProgramResult compared =
      Run({"tenant", "compare", "-f", "-", "--at", "latest", "-o", "csv"}, "1002\n");
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
  EXPECT_THAT(compared.out, AllOf(HasSubstr("not-gone,,1,1002,exact,1002,Globex,51,51,"),
                                  HasSubstr("not-listed,gone,,,,1001,Acme Corp,51,0,")));
  EXPECT_THAT(compared.err, HasSubstr("1 is gone and not on the list."));
  const ProgramResult complete =
      Run({"tenant", "compare", "-f", "-", "--at", "latest", "-o", "csv"}, "1001\n1002\n");
  EXPECT_THAT(complete.out, AllOf(HasSubstr("gone,gone,1,1001,"), Not(HasSubstr("not-listed"))));
}

TEST_F(ListStory, AMirrorThatIsConfirmedBeforehandShowsWhatItDestroysAndDoesExactlyThat) {
  ASSERT_EQ(Run({"record", "put", "1002", "issue", "newer", "written since"}).exit_code, 0);
  const std::vector<std::string> create = {"batch",
                                           "create",
                                           "-f",
                                           "-",
                                           "--at",
                                           "latest",
                                           "--mode",
                                           "mirror",
                                           "--confirm",
                                           "2",
                                           "--accept-shrinking",
                                           "--request-id",
                                           "once",
                                           "--wait"};
  const ProgramResult created = Run(create, "1001\n1002\n");
  EXPECT_EQ(created.exit_code, 0) << created.err;
  EXPECT_THAT(created.err, AllOf(HasSubstr("51 inserted, 0 replaced, 1 deleted"),
                                 HasSubstr("of 1002 \"Globex\": 0 replaced, 1 deleted")));
  // The same command once more is the same batch, and not another dry run.
  const ProgramResult repeated = Run(create, "1001\n1002\n");
  EXPECT_EQ(repeated.exit_code, 0) << repeated.err;
  const nlohmann::json batches = Json({"batch", "list"});
  ASSERT_EQ(batches.size(), 2);
  EXPECT_EQ(batches[1]["dryRun"], true);
  EXPECT_EQ(batches[0]["plan"], batches[1]["id"]);
  EXPECT_EQ(Issues("1001"), 50);
  EXPECT_EQ(Issues("1002"), 50);
}

}  // namespace
}  // namespace reinstate
