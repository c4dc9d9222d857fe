#include "client/lists/tenant_list.h"

#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TenantList Read(const std::string& bytes, const ListOptions& options = {}) {
  const absl::StatusOr<TenantList> list = ParseTenantList(bytes, options);
  EXPECT_TRUE(list.ok()) << list.status();
  return list.value_or(TenantList());
}

std::string Refusal(const std::string& bytes, const ListOptions& options = {}) {
  const absl::Status status = ParseTenantList(bytes, options).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_ARGUMENT") << bytes;
  return std::string(status.message());
}

// "3=1001" for each tenant: its line and text.
std::vector<std::string> Texts(const TenantList& list) {
  std::vector<std::string> texts;
  for (const ListedTenant& tenant : list.tenants) {
    texts.push_back(absl::StrCat(tenant.line, "=", tenant.text));
  }
  return texts;
}

std::vector<std::string> Faults(const TenantList& list) {
  std::vector<std::string> faults;
  for (const ListFault& fault : list.faults) {
    faults.push_back(absl::StrCat(fault.line, ": ", fault.what));
  }
  return faults;
}

std::string Notices(const TenantList& list) { return absl::StrJoin(list.notices, "\n"); }

TEST(TenantList, ReadsPlainIdsAndSkipsCommentsAndEmptyLines) {
  const TenantList list = Read("# from INC-1234\r\n1001\r\n\r\n  1002  \r\n\t\r\n#\tx\r\n1003");
  EXPECT_THAT(Texts(list), ElementsAre("2=1001", "4=1002", "7=1003"));
  EXPECT_THAT(Notices(list), AllOf(HasSubstr("UTF-8, a tenant a line"),
                                   HasSubstr("Skipped 2 comments and 2 empty lines")));
}

TEST(TenantList, TakesANumberSignBeforeAWordAsPartOfTheName) {
  const TenantList list = Read("#1 Pizza\n#\n# a comment\n#Kaffee\n");
  EXPECT_THAT(Texts(list), ElementsAre("1=#1 Pizza", "4=#Kaffee"));
  EXPECT_THAT(Notices(list), HasSubstr("Skipped 2 comments."));
}

TEST(TenantList, ReadsPlainNamesWithCommasAndQuotesInThem) {
  const TenantList list = Read(
      "Acme, Inc.\nGlobex\n\"Initech, Ltd. \"\"North\"\"\"\n\"Best\" Corp\nUmbrella\nHooli\n"
      "Stark\nWayne\nWonka\nTyrell\nCyberdyne\nSoylent\n");
  EXPECT_EQ(list.tenants.size(), 12);
  EXPECT_EQ(list.tenants[0].text, "Acme, Inc.");
  EXPECT_EQ(list.tenants[2].text, "Initech, Ltd. \"North\"");
  EXPECT_EQ(list.tenants[3].text, "\"Best\" Corp");
}

TEST(TenantList, ReadsWhatASpreadsheetOfEuropeWrites) {
  // Semicolons, Windows-1252, CR LF, a no-break space, an empty cell.
  const TenantList list = Read(
      "Kunde;Ort;Site ID;Note\r\n\"Zo\xEB; S\xF6hne\";K\xF6ln;\xA0"
      "1001;dringend\r\nAcme;;1002;\r\n");
  EXPECT_THAT(Texts(list), ElementsAre("2=1001", "3=1002"));
  EXPECT_EQ(list.tenants[0].note, "dringend");
  EXPECT_THAT(Notices(list),
              AllOf(HasSubstr("WINDOWS-1252, separated by semicolons"),
                    HasSubstr("column 3, \"Site ID\", with the titles in line 1"),
                    HasSubstr("not UTF-8 in line 2"), HasSubstr("In line 2 no-break spaces")));
}

TEST(TenantList, TellsOnlyWhatItSkipped) {
  EXPECT_THAT(Notices(Read("1001\n\n")), HasSubstr("Skipped 1 empty line."));
  EXPECT_THAT(Notices(Read("# why\n# who\n1001\n")), HasSubstr("Skipped 2 comments."));
  EXPECT_THAT(Notices(Read("1001\n")), Not(HasSubstr("Skipped")));
}

TEST(TenantList, FindsTheColumnByItsTitle) {
  for (const char* title :
       {"id", "ID", "tenant", "Tenant-ID", "tenantId", "customer", "Customer ID", "site", "account",
        "name", "\xEF\xBB\xBFlabel", "\"Company Name\""}) {
    const TenantList list = Read(absl::StrCat(title, ",town\n1001,Rome\n"));
    EXPECT_THAT(Texts(list), ElementsAre("2=1001")) << title;
  }
}

TEST(TenantList, FindsTheColumnAmongTen) {
  EXPECT_THAT(Texts(Read("no,date,town,zip,phone,mail,plan,tenant_id,name,seats\n"
                         "1,2026,Rome,00100,39,a@b,gold,1001,\"Acme, Inc.\",5\n")),
              ElementsAre("2=1001"));
}

TEST(TenantList, PrefersIdsToNames) {
  EXPECT_THAT(Texts(Read("name\tid\nAcme\t1001\n")), ElementsAre("2=1001"));
  EXPECT_THAT(Texts(Read("label,customer\nx,1001\n")), ElementsAre("2=1001"));
  EXPECT_THAT(Texts(Read("id,tenant_id\n7,1001\n")), ElementsAre("2=1001"));
}

TEST(TenantList, RefusesToGuessTheColumnAndShowsWhichThereAre) {
  EXPECT_THAT(Refusal("Kunde,Ort\nAcme,Rom\n"),
              AllOf(HasSubstr("cannot be told"), HasSubstr("--column"),
                    HasSubstr("1 \"Kunde\", 2 \"Ort\"")));
  EXPECT_THAT(Refusal("id,customer_id\n1,2\n"), HasSubstr("Several columns"));
  EXPECT_THAT(Refusal("1001,Rome\n1002,Oslo\n"), HasSubstr("1 \"1001\", 2 \"Rome\""));
}

TEST(TenantList, TakesTheColumnThatIsAskedFor) {
  EXPECT_THAT(Texts(Read("Kunde,Ort\nAcme,Rom\n", {.column = "kunde"})), ElementsAre("2=Acme"));
  EXPECT_THAT(Texts(Read("id,ort\n1,Rom\n", {.column = "ort"})), ElementsAre("2=Rom"));
  EXPECT_THAT(Texts(Read("7,Acme\n8,Zeta\n", {.column = "2"})), ElementsAre("1=Acme", "2=Zeta"));
  EXPECT_THAT(Texts(Read("id,name\n7,Acme\n", {.column = "2"})), ElementsAre("2=Acme"));
}

TEST(TenantList, TellsThatANumberedColumnLeavesTheFirstLineATenantUnlessItHasKnownTitles) {
  const std::string list = "Nr;Kunde\n1;Acme\n2;Zeta\n";
  EXPECT_THAT(Refusal(list), HasSubstr("give --column with a title, or with a number where there "
                                       "are no titles: 1 \"Nr\", 2 \"Kunde\"."));
  const TenantList numbered = Read(list, {.column = "2"});
  EXPECT_THAT(Texts(numbered), ElementsAre("1=Kunde", "2=Acme", "3=Zeta"));
  EXPECT_THAT(Notices(numbered),
              HasSubstr("Line 1 is taken for the tenant \"Kunde\"; if that is a title, "
                        "give it to --column instead of 2."));
  const TenantList titled = Read(list, {.column = "Kunde"});
  EXPECT_THAT(Texts(titled), ElementsAre("2=Acme", "3=Zeta"));
  EXPECT_THAT(Notices(titled), Not(HasSubstr("is taken for")));
  EXPECT_THAT(Notices(Read("id,name\n7,Acme\n", {.column = "2"})), Not(HasSubstr("is taken for")));
  EXPECT_THAT(Notices(Read("Acme\nZeta\n")), Not(HasSubstr("is taken for")));
}

TEST(TenantList, RefusesAColumnThatThereIsNot) {
  for (const char* wrong : {"phone", "0", "3", "-1", "99999999999999999999"}) {
    EXPECT_THAT(Refusal("id,name\n7,Acme\n", {.column = wrong}),
                AllOf(HasSubstr(absl::StrCat("no column \"", wrong, "\"")),
                      HasSubstr("1 \"id\", 2 \"name\"")));
  }
  EXPECT_THAT(Refusal("id,x,X\n7,1,2\n", {.column = "x"}), HasSubstr("Several columns"));
}

TEST(TenantList, TakesTheSeparatorThatTheFirstLineOrTheCallerSays) {
  EXPECT_THAT(Texts(Read("sep=;\r\nid;name\r\n1001;a,b,c\r\n")), ElementsAre("3=1001"));
  EXPECT_THAT(Texts(Read("id,name\n1;2,a\n", {.separator = "comma"})), ElementsAre("2=1;2"));
  EXPECT_THAT(Texts(Read("Acme, Inc.\nZeta, Ltd.\n", {.separator = "none"})),
              ElementsAre("1=Acme, Inc.", "2=Zeta, Ltd."));
  EXPECT_THAT(Refusal("a\n", {.separator = "pipe"}), HasSubstr("comma, semicolon, tab or none"));
}

TEST(TenantList, CarriesStoreAndNote) {
  const TenantList list = Read("tenant\tstore\tnote\n1001\twiki\tcalls every hour\n1002\n");
  ASSERT_THAT(list.tenants, SizeIs(2));
  EXPECT_EQ(list.tenants[0].store, "wiki");
  EXPECT_EQ(list.tenants[0].note, "calls every hour");
  EXPECT_EQ(list.tenants[1].store, "");
}

TEST(TenantList, ReadsJsonLines) {
  const TenantList list = Read(
      "{\"name\": \"Acme\", \"id\": 1001, \"store\": \"wiki\"}\n\n"
      "{\"id\": \"zo\\u00eb\"}\n{\"name\": \"Zeta\"}\n{\"id\": 3\n");
  EXPECT_THAT(Texts(list), ElementsAre("1=1001", "3=zoë"));
  EXPECT_EQ(list.tenants[0].store, "wiki");
  EXPECT_THAT(Faults(list), ElementsAre(HasSubstr("4: It has nothing in column 2, \"id\""),
                                        HasSubstr("5: It is neither a JSON object nor")));
  EXPECT_THAT(Notices(list), HasSubstr("JSON lines"));
}

TEST(TenantList, ReadsJsonStrings) {
  EXPECT_THAT(Texts(Read("\"Zo\\u00eb\"\n\"Acme, Inc.\"\n")), ElementsAre("1=Zoë", "2=Acme, Inc."));
  EXPECT_THAT(Faults(Read("\"Zo\\u00eb\"\n{\"id\":1}\n\"a\\u0000b\"\n")),
              ElementsAre(HasSubstr("2: It is no JSON string"), HasSubstr("3: ")));
}

TEST(TenantList, RefusesOneJsonArray) {
  EXPECT_THAT(Refusal("[\n\"1001\"\n]\n"), HasSubstr("jq -c"));
}

TEST(TenantList, ReadsWhatBatchResolveWroteAndTellsTheLinesThatNeedAnId) {
  const TenantList list = Read(
      "line,input,match,id,label,rows_at_point,rows_live,candidates,store,note\r\n"
      "1,acme,normalised,1001,Acme Corp,12,,,main,\r\n"
      "2,Akme,similar,,,,,\"1001 \"\"Acme Corp\"\" 0.75\",main,\r\n");
  EXPECT_THAT(Texts(list), ElementsAre("2=1001"));
  EXPECT_EQ(list.tenants[0].store, "main");
  EXPECT_THAT(Faults(list), ElementsAre("3: It has nothing in column 4, \"id\"."));
  EXPECT_TRUE(list.resolved);
  // What the line of the first list said.
  EXPECT_EQ(list.tenants[0].input, "acme");
  EXPECT_EQ(list.faults[0].input, "Akme");
}

TEST(TenantList, TakesAListForResolvedOnlyByAllThatBatchResolveWrites) {
  const std::string resolved = "line,input,match,id,label,candidates\n1,acme,exact,1001,Acme,\n";
  EXPECT_TRUE(Read(resolved).resolved);
  EXPECT_FALSE(Read(resolved, {.column = "label"}).resolved);
  EXPECT_FALSE(Read("id,input,match\n1001,acme,exact\n").resolved);
  EXPECT_FALSE(Read("1001\n").resolved);
}

TEST(TenantList, TakesTheColumnForNotesThatItIsTold) {
  const TenantList titled = Read("id,note,why\n1001,a,b\n", {.note = "Why"});
  EXPECT_EQ(titled.tenants[0].note, "b");
  const TenantList numbered = Read("1001;x\n1002;y\n", {.column = "1", .note = "2"});
  EXPECT_THAT(Texts(numbered), ElementsAre("1=1001", "2=1002"));
  EXPECT_EQ(numbered.tenants[1].note, "y");
  EXPECT_EQ(Read("id,note\n1001,a\n").tenants[0].note, "a");
  EXPECT_THAT(Refusal("id,name\n7,Acme\n", {.note = "why"}), HasSubstr("no column \"why\""));
}

TEST(TenantList, TellsLinesWithOtherColumnsThanTheFirst) {
  const TenantList list =
      Read("town,id,name\nRome,1001,Acme, Inc.\nOslo\nOslo,1002,Zeta,,\nOslo,1003\n");
  EXPECT_THAT(Texts(list), ElementsAre("4=1002", "5=1003"));
  EXPECT_THAT(Faults(list), ElementsAre(HasSubstr("2: It has 4 columns where the first line has 3"),
                                        HasSubstr("3: It has 1 of 3 columns")));
}

TEST(TenantList, TellsATenantThatIsThereTwice) {
  const TenantList list = Read("id,store\n1001,a\n1002,a\n1001,b\n 1001 ,a\n");
  EXPECT_THAT(list.tenants, SizeIs(4));
  ASSERT_THAT(list.repeats, SizeIs(1));
  EXPECT_EQ(list.repeats[0].line, 5);
  EXPECT_EQ(list.repeats[0].first, 2);
}

TEST(TenantList, TellsTextsThatGoOverSeveralLines) {
  const TenantList list = Read("id,x\n\"1001\n1002\",y\n1003,z\n");
  EXPECT_THAT(Texts(list), ElementsAre("2=1001\n1002", "4=1003"));
  EXPECT_THAT(Notices(list), HasSubstr("In line 2 the tenant's text goes over several lines"));
}

TEST(TenantList, RefusesQuotesThatSwallowTheRest) {
  EXPECT_THAT(Refusal("id,name\n1001,\"Acme\n1002,Zeta\n"),
              HasSubstr("begins in line 2 is not closed"));
}

TEST(TenantList, RefusesAnEmptyList) {
  for (const char* empty : {"", "\n\n", "# only this\n", "id,name\n", "\xEF\xBB\xBF"}) {
    EXPECT_THAT(Refusal(empty), HasSubstr("empty")) << empty;
  }
}

TEST(TenantList, RefusesALineThatIsTooLongWithItsNumber) {
  EXPECT_THAT(Refusal("1001\n" + std::string((64 << 10) + 1, 'x') + "\n"),
              HasSubstr("Line 2 of the list has 65537 bytes"));
  EXPECT_THAT(Faults(Read("1001\n" + std::string(64 << 10, 'x') + "\n")),
              ElementsAre(HasSubstr("2: What names the tenant has 65536 bytes")));
}

TEST(TenantList, RefusesMoreLinesAndBytesThanTheLimits) {
  ListOptions options;
  options.limits.max_lines = 3;
  EXPECT_THAT(Refusal("1\n2\n3\n4\n", options), HasSubstr("more than 3 lines"));
  EXPECT_THAT(Texts(Read("1\n2\n3\n", options)), SizeIs(3));
  options.limits.max_file_bytes = 1 << 20;
  std::istringstream endless(std::string((1 << 20) + 1, '\n'));
  EXPECT_THAT(std::string(ReadTenantList(endless, options).status().message()),
              HasSubstr("more than 1 MiB"));
}

TEST(TenantList, ReadsAHundredThousandLines) {
  std::string bytes = "id;name;note\r\n";
  for (int i = 0; i < 100'000; ++i) {
    absl::StrAppend(&bytes, i, ";\"Customer; number ", i, "\";\r\n");
  }
  std::istringstream in(bytes);
  const absl::StatusOr<TenantList> list = ReadTenantList(in, {});
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_THAT(list->tenants, SizeIs(100'000));
  EXPECT_EQ(list->tenants.back().line, 100'001);
  EXPECT_EQ(list->tenants.back().text, "99999");
  EXPECT_THAT(list->faults, IsEmpty());
}

TEST(TenantList, NamesLinesBriefly) {
  EXPECT_EQ(LineNumbers({3}), "line 3");
  EXPECT_EQ(LineNumbers({3, 5}), "lines 3 and 5");
  EXPECT_EQ(LineNumbers({3, 4, 5, 6}), "lines 3-6");
  EXPECT_EQ(LineNumbers({1, 3, 4, 5, 9, 10, 12}), "lines 1, 3-5, 9, 10 and 12");
  EXPECT_EQ(LineNumbers({1, 3, 5, 7, 9, 11, 13, 15, 17, 20, 21, 22, 24}),
            "lines 1, 3, 5, 7, 9, 11, 13, 15, 17, 20-22 and 1 more");
  EXPECT_EQ(LineNumbers({1, 3, 5, 6, 7, 9}, 2), "lines 1, 3 and 4 more");
}

}  // namespace
}  // namespace reinstate
