#include "client/cli/dump_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "storage/base/error.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;

constexpr char kHeader[] =
    R"({"reinstate_dump":1,"store":"main","instant":"2026-04-05T07:38:00.25Z","tables":[)"
    R"({"table":"issue"},{"table":"public.person","columns":[)"
    R"({"name":"id","type":"integer","key":true},{"name":"name","type":"text"}]}]})";
constexpr char kRecord[] = R"({"tenant":"1001","table":"issue","key":"17","payload":"Broken"})";
constexpr char kRow[] =
    R"({"tenant":"1001","table":"public.person","key":["7"],"columns":{"id":"7","name":null}})";
constexpr char kLabels[] = R"({"tenant":"1001","labels":["Acme Corp","acme"]})";
constexpr char kEnd[] = R"({"end":true,"rows":{"issue":1,"public.person":1},"sum":"00ff"})";

absl::Status ParseBy(DumpLineParser* parser, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    if (absl::Status status = parser->Line(line); !status.ok()) {
      return status;
    }
  }
  return parser->Finish();
}

// Parses lines and writes again what came.
class DumpLines : public ::testing::Test {
 protected:
  DumpLines()
      : parser_({.header =
                     [this](const v1::DumpHeader& header) {
                       header_ = header;
                       written_.push_back(DumpHeaderLine(header));
                       return absl::OkStatus();
                     },
                 .labels =
                     [this](const v1::DumpLabels& labels) {
                       written_.push_back(DumpLabelsLine(labels));
                       return absl::OkStatus();
                     },
                 .row =
                     [this](const std::string& tenant, int table, const v1::DumpRow& row) {
                       written_.push_back(DumpRowLine(header_.tables(table), tenant, row));
                       return absl::OkStatus();
                     },
                 .end =
                     [this](const v1::DumpEnd& end) {
                       written_.push_back(DumpEndLine(header_, end));
                       return absl::OkStatus();
                     }}) {}

  absl::Status Parse(const std::vector<std::string>& lines) { return ParseBy(&parser_, lines); }

  v1::DumpHeader header_;
  std::vector<std::string> written_;
  DumpLineParser parser_;
};

TEST_F(DumpLines, WritesWhatItReads) {
  ASSERT_TRUE(Parse({kHeader, kLabels, kRecord, "", kRow, kEnd}).ok());
  // But for the sum, which an importer does not read.
  EXPECT_EQ(written_,
            std::vector<std::string>({kHeader, kLabels, kRecord, kRow,
                                      R"({"end":true,"rows":{"issue":1,"public.person":1}})"}));
}

TEST_F(DumpLines, KeepsBytesThatAreNoText) {
  const std::string record =
      R"({"tenant":"1001","table":"issue","key_base64":"/w==","payload_base64":"AP8="})";
  const std::string row =
      R"({"tenant":null,"table":"public.person","key":["7"],"columns":{"id":"7","name":)"
      R"({"base64":"/w=="}}})";
  ASSERT_TRUE(Parse({kHeader, record, row, kEnd}).ok());
  EXPECT_EQ(written_[1], record);
  EXPECT_EQ(written_[2], row);
}

TEST_F(DumpLines, TakesColumnsInAnyOrderAndWholeNumbersAsTheirText) {
  ASSERT_TRUE(
      Parse({kHeader, R"({"tenant":"1","table":"public.person","columns":{"name":"x","id":7}})",
             kEnd})
          .ok());
  EXPECT_THAT(written_[1], HasSubstr(R"("columns":{"id":"7","name":"x"})"));
}

TEST_F(DumpLines, RefusesADumpWithoutEnd) {
  const absl::Status status = Parse({kHeader, kRecord});
  EXPECT_TRUE(HasReason(status, Reason::kShortfall)) << status;
}

TEST_F(DumpLines, RefusesAnythingElse) {
  const std::vector<std::vector<std::string>> cases = {
      {kRecord},
      {"[]"},
      {R"({"reinstate_dump":1,"tables":[]})"},
      {R"({"reinstate_dump":1,"instant":"2026-04-05","tables":[]})"},
      {R"({"reinstate_dump":1,"instant":"2026-04-05T07:38:00Z","tabels":[],"tables":[]})"},
      {R"({"reinstate_dump":1,"instant":"2026-04-05T07:38:00Z","tables":[{"table":"a"},{"table":"a"}]})"},
      {kHeader, kHeader},
      {kHeader, "{"},
      {kHeader, R"({"tenant":"1","table":"other","key":"1","payload":""})"},
      {kHeader, R"({"tenant":"","table":"issue","key":"1","payload":""})"},
      {kHeader, R"({"table":"issue","key":"1","payload":""})"},
      {kHeader, R"({"tenant":"1","table":"issue","key":"1"})"},
      {kHeader, R"({"tenant":"1","table":"issue","key":"1","payload":{}})"},
      {kHeader, R"({"tenant":"1","table":"issue","key":"1","key_base64":"","payload":""})"},
      {kHeader, R"({"tenant":"1","table":"public.person","columns":{"id":"7"}})"},
      {kHeader, R"({"tenant":"1","table":"public.person","columns":{"id":"7","nome":"x"}})"},
      {kHeader, R"({"tenant":"1","table":"public.person","columns":{"id":"7","name":1.50}})"},
      {kHeader, R"({"tenant":"1","labels":"x"})"},
      {kHeader, R"({"end":true,"rows":{"other":1}})"},
      {kHeader, R"({"end":true,"rows":{"issue":-1}})"},
      {kHeader, R"({"end":true})"},
      {kHeader, kEnd, kRecord},
  };
  for (const auto& lines : cases) {
    DumpLineParser parser(
        {.header = [](const v1::DumpHeader&) { return absl::OkStatus(); },
         .labels = [](const v1::DumpLabels&) { return absl::OkStatus(); },
         .row = [](const std::string&, int, const v1::DumpRow&) { return absl::OkStatus(); },
         .end = [](const v1::DumpEnd&) { return absl::OkStatus(); }});
    const absl::Status status = ParseBy(&parser, lines);
    EXPECT_TRUE(HasReason(status, Reason::kInvalidArgument)) << lines.back() << ": " << status;
  }
}

}  // namespace
}  // namespace reinstate
