#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/client/cli/batch_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

using BatchResolveTest = BatchSite;

std::vector<std::string> ResolveOf(const std::string& file) {
  return {"batch", "resolve", "-f", file, "--at", "2h"};
}

TEST_F(BatchResolveTest, WritesCsvWithWhatEachLineMeans) {
  const std::string file = File("list", "1001\nacme corp\nAkme\nTwin\nNobody\n");
  EXPECT_EQ(Run(ResolveOf(file)), 3);
  EXPECT_EQ(out_.str(),
            "line,input,match,id,label,rows_at_point,rows_live,candidates,note\r\n"
            "1,1001,exact,1001,Acme Corp,1200,0,,\r\n"
            "2,acme corp,normalised,1001,Acme Corp,1200,0,,\r\n"
            "3,Akme,similar,,,,,\"1001 \"\"Acme Corp\"\" 0.75\",\r\n"
            "4,Twin,ambiguous,,,,,\"1003 \"\"Twin\"\" 1.00; 1004 \"\"Twin\"\" 1.00\",\r\n"
            "5,Nobody,none,,,,,,\r\n");
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("5 lines: 1 exact, 1 normalised, 1 similar, 1 ambiguous, 1 none.\n"),
                    HasSubstr("3 of 5 lines need a person"), HasSubstr("[PARTLY_FAILED]")));
  ASSERT_THAT(resolved_, SizeIs(1));
  EXPECT_TRUE(resolved_[0].count_live());
  EXPECT_EQ(resolved_[0].at(), "2h");
}

TEST_F(BatchResolveTest, EndsWith0WhereEveryLineMeansOneTenant) {
  EXPECT_EQ(Run(ResolveOf(File("list", "1001\nacme corp\nZeta\n"))), 0);
  EXPECT_THAT(err_.str(), HasSubstr("3 lines: 2 exact, 1 normalised.\n"));
}

TEST_F(BatchResolveTest, ReadsTheStandardInputAndTheColumnAndEncodingThatItIsTold) {
  const std::string list = "Kunde;Ort\nCaf\xe9;Rom\n1001;Oslo\n";
  EXPECT_EQ(RunWithInput({"batch", "resolve", "-f", "-", "--column", "kunde", "--encoding",
                          "windows-1252", "--at", "2h", "-o", "json"},
                         list),
            3);
  ASSERT_THAT(resolved_, SizeIs(1));
  EXPECT_EQ(resolved_[0].inputs(0).text(), "Café");
  EXPECT_EQ(resolved_[0].inputs(1).line(), 3);
  EXPECT_THAT(out_.str(), HasSubstr("\"match\": \"TENANT_RESOLUTION_KIND_EXACT\""));
}

TEST_F(BatchResolveTest, SaysOfOneLineWhatItSaysOfSeveral) {
  EXPECT_EQ(Run(ResolveOf(File("list", "1001\n1001\nAkme\n"))), 3);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("An earlier line says the same as line 2.\n"),
                                HasSubstr("1 of 3 lines needs a person: ")));
}

TEST_F(BatchResolveTest, KeepsLinesThatCannotBeRead) {
  EXPECT_EQ(Run(ResolveOf(File("list.csv", "id,name\n1001,a\n,b\n"))), 3);
  EXPECT_THAT(out_.str(), HasSubstr("\r\n3,,none,,,,,,\r\n"));
  EXPECT_THAT(err_.str(), HasSubstr("Line 3: It has nothing in column 1, \"id\"."));
}

TEST_F(BatchResolveTest, TellsLinesOfAnotherStore) {
  EXPECT_EQ(Run(ResolveOf(File("list.csv", "id,store\n1001,main\n1002,wiki\n"))), 3);
  EXPECT_THAT(out_.str(), HasSubstr("\r\n3,1002,none,,,"));
  EXPECT_THAT(err_.str(), HasSubstr("Line 3: The list says that it is in the store wiki, and this "
                                    "is about main."));
}

TEST_F(BatchResolveTest, ResolvesALongListBySeveralCallsForOnePoint) {
  std::string list;
  for (int i = 0; i < 100'000; ++i) {
    absl::StrAppend(&list, i == 99'999 ? "1001" : absl::StrCat("nobody-", i), "\n");
  }
  EXPECT_EQ(Run(ResolveOf(File("list", list))), 3);
  ASSERT_GE(resolved_.size(), 2);
  int inputs = 0;
  for (const v1::ResolveTenantsRequest& request : resolved_) {
    EXPECT_LE(request.inputs_size(), 50'000);
    EXPECT_LT(request.ByteSizeLong(), 2 << 20);
    EXPECT_EQ(request.at(), &request == &resolved_[0] ? "2h" : "snap-1-12");
    inputs += request.inputs_size();
  }
  EXPECT_EQ(inputs, 100'000);
  EXPECT_THAT(out_.str(), HasSubstr("\r\n100000,1001,exact,1001,Acme Corp,1200,0,,\r\n"));
  EXPECT_THAT(err_.str(), HasSubstr("100,000 lines: 1 exact, 99,999 none."));
}

TEST_F(BatchResolveTest, NeverLosesALineThatTheDaemonLeftOut) {
  answers_.resolve_tenants = [](const auto& /*request*/, auto* /*context*/, const auto& send) {
    v1::ResolveTenantsResponse response;
    response.add_resolutions()->set_line(1);
    response.mutable_resolutions(0)->set_match(v1::TENANT_RESOLUTION_KIND_NONE);
    send(response);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run(ResolveOf(File("list", "1001\n1002\n"))), 1);
  EXPECT_EQ(out_.str(), "");
}

TEST_F(BatchResolveTest, EndsAsTheDaemonOrTheListSays) {
  EXPECT_EQ(Run(ResolveOf(dir_.path() + "/missing")), 2);
  EXPECT_THAT(err_.str(), HasSubstr("missing cannot be opened"));
  EXPECT_EQ(Run(ResolveOf(File("empty", "\n"))), 2);
  answers_.resolve_tenants = [](const auto& /*request*/, auto* /*context*/, const auto& /*send*/) {
    return WireError(Reason::kPointBeforeFirstSnapshot, "No snapshot is as old.");
  };
  EXPECT_EQ(Run(ResolveOf(File("list", "1001\n"))), 5);
  EXPECT_THAT(err_.str(), HasSubstr("No snapshot is as old. [POINT_BEFORE_FIRST_SNAPSHOT]"));
}

TEST_F(BatchResolveTest, EscapesTextsInTables) {
  EXPECT_EQ(
      Run({"batch", "resolve", "-f", File("list", "\x1b[2Jevil\n"), "--at", "2h", "-o", "table"}),
      3);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("\\x1b[2Jevil"), Not(HasSubstr("\x1b"))));
}

TEST_F(BatchResolveTest, WhatItWroteGoesIntoABatchOnceAPersonHasFilledInTheIds) {
  EXPECT_EQ(Run(ResolveOf(File("list.csv", "name,note\nacme corp,vip\nAkme,\n"))), 3);
  std::string csv = out_.str();
  const std::vector<std::string> create = {
      "batch", "create", "-f", File("resolved.csv", csv), "--at", "2h", "--confirm", "1"};
  // As it is, the line that is only similar is refused.
  EXPECT_EQ(Run(create), 6);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("line 3, \"Akme\": It has nothing in column 4, \"id\"."),
                    HasSubstr("  Next: fill in the column id of these lines in " + create[3] +
                              ", and give that file again.\n"),
                    Not(HasSubstr("batch resolve")), HasSubstr("[BATCH_LINES_INVALID]")));
  EXPECT_THAT(created_, SizeIs(0));

  const std::string open = "Akme,similar,,";
  csv.replace(csv.find(open), open.size(), "Akme,similar,1002,");
  std::vector<std::string> corrected = create;
  corrected[3] = File("corrected.csv", csv);
  corrected.back() = "2";
  EXPECT_EQ(Run(corrected), 0) << err_.str();
  ASSERT_THAT(created_, SizeIs(1));
  ASSERT_EQ(created_[0].lines_size(), 2);
  EXPECT_EQ(created_[0].lines(0).tenant(), "1001");
  EXPECT_EQ(created_[0].lines(0).input(), "acme corp");
  EXPECT_EQ(created_[0].lines(0).note(), "vip");
  EXPECT_EQ(created_[0].lines(1).tenant(), "1002");
  EXPECT_EQ(created_[0].lines(1).input(), "Akme");
}

using TenantCompareListTest = BatchSite;

TEST_F(TenantCompareListTest, SetsTheListBesideTheData) {
  const std::string file = File("list", "1001\nZeta\nAkme\n");
  EXPECT_EQ(Run({"tenant", "compare", "-f", file, "--at", "2h", "-o", "csv"}), 0) << err_.str();
  EXPECT_EQ(out_.str(),
            "finding,loss,line,input,match,id,label,rows_at_point,rows_live,candidates,note\r\n"
            "unresolved,,3,Akme,similar,,,,,\"1001 \"\"Acme Corp\"\" 0.75\",\r\n"
            "not-gone,,2,Zeta,exact,1002,Zeta,1200,0,,\r\n"
            "not-listed,gone,,,,1003,Twin,1200,0,,\r\n"
            "gone,gone,1,1001,exact,1001,Acme Corp,1200,0,,\r\n");
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("1 means nobody for sure.\n"),
                                HasSubstr("1 is on the list and not gone.\n"),
                                HasSubstr("1 is gone and not on the list.\n"),
                                HasSubstr("1 is on the list and gone.\n")));
}

TEST_F(TenantCompareListTest, CountsWhoIsNamedByAnyOfSeveralCalls) {
  std::string list = "1001\n";
  for (int i = 0; i < 60'000; ++i) {
    absl::StrAppend(&list, "nobody-", i, "\n");
  }
  EXPECT_EQ(Run({"tenant", "compare", "-f", File("list", list), "--at", "2h", "-o", "csv"}), 0);
  ASSERT_THAT(resolved_, SizeIs(2));
  EXPECT_FALSE(resolved_[0].with_lost());
  EXPECT_TRUE(resolved_[1].with_lost());
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("60,000 mean nobody for sure.\n"),
                                HasSubstr("1 is gone and not on the list.\n"),
                                HasSubstr("1 is on the list and gone.\n")));
}

TEST_F(TenantCompareListTest, SaysHowMuchMustBeLeft) {
  const std::string file = File("list", "1001\n");
  EXPECT_EQ(Run({"tenant", "compare", "-f", file, "--at", "2h"}), 0) << err_.str();
  EXPECT_EQ(Run({"tenant", "compare", "-f", file, "--at", "2h", "--fraction", "0.9"}), 0);
  ASSERT_THAT(resolved_, SizeIs(2));
  EXPECT_EQ(resolved_[0].lost_fraction(), 0);
  EXPECT_EQ(resolved_[1].lost_fraction(), 0.9);
  EXPECT_EQ(Run({"tenant", "compare", "1001", "--at", "2h", "--fraction", "0.9"}), 2);
}

TEST_F(TenantCompareListTest, NeedsATenantOrAList) {
  EXPECT_EQ(Run({"tenant", "compare", "--at", "2h"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("or give a list of tenants with -f"));
}

}  // namespace
}  // namespace reinstate
