#include "client/cli/output.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/restore_views.h"
#include "gtest/gtest.h"
#include "reinstate/v1/snapshot_service.pb.h"

namespace reinstate {
namespace {

class OutputTest : public testing::Test {
 protected:
  OutputTest() {
    console_.out = &out_;
    console_.err = &err_;
  }

  Output With(OutputFormat format) { return Output(&console_, format); }

  static std::vector<v1::Snapshot> TwoSnapshots() {
    std::vector<v1::Snapshot> snapshots(2);
    snapshots[0].set_id("snap-1-2");
    snapshots[0].mutable_counts()->set_rows(1'234'567);
    snapshots[1].set_id("snap-1-1");
    return snapshots;
  }

  static Fields<v1::Snapshot> SomeFields() {
    return {{"SNAPSHOT", [](const v1::Snapshot& s) { return TextValue(s.id()); }},
            {"ROWS IN ALL", [](const v1::Snapshot& s) { return CountValue(s.counts().rows()); },
             Align::kRight}};
  }

  std::ostringstream out_;
  std::ostringstream err_;
  Console console_;
};

TEST_F(OutputTest, WritesListsForPeopleWithThousandsSeparated) {
  ASSERT_TRUE(With(OutputFormat::kTable).List(TwoSnapshots(), SomeFields(), "none").ok());
  EXPECT_EQ(out_.str(),
            "SNAPSHOT  ROWS IN ALL\n"
            "snap-1-2    1,234,567\n"
            "snap-1-1            0\n");
}

TEST_F(OutputTest, WritesListsForSpreadsheetsWithPlainNumbers) {
  ASSERT_TRUE(With(OutputFormat::kCsv).List(TwoSnapshots(), SomeFields(), "none").ok());
  EXPECT_EQ(out_.str(),
            "snapshot,rows_in_all\r\n"
            "snap-1-2,1234567\r\n"
            "snap-1-1,0\r\n");
}

TEST_F(OutputTest, KeepsTheBytesOfTextsInCsvUnlessATerminalShowsThem) {
  std::vector<v1::Snapshot> snapshots(1);
  snapshots[0].set_id("\x1b[2J");
  ASSERT_TRUE(With(OutputFormat::kCsv).List(snapshots, SomeFields(), "").ok());
  EXPECT_EQ(out_.str(), "snapshot,rows_in_all\r\n\x1b[2J,0\r\n");
  out_.str("");
  console_.out_is_terminal = true;
  ASSERT_TRUE(With(OutputFormat::kCsv).List(snapshots, SomeFields(), "").ok());
  EXPECT_EQ(out_.str(), "snapshot,rows_in_all\r\n\\x1b[2J,0\r\n");
}

TEST_F(OutputTest, WritesOneThingAsOneLineOfJson) {
  ASSERT_TRUE(With(OutputFormat::kTable).JsonLine(TwoSnapshots()[0]).ok());
  const std::string line = out_.str();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(nlohmann::json::parse(line)["id"], "snap-1-2");
}

TEST_F(OutputTest, WritesListsAsOneJsonArrayWithDefaultsIncluded) {
  ASSERT_TRUE(With(OutputFormat::kJson).List(TwoSnapshots(), SomeFields(), "none").ok());
  const auto json = nlohmann::json::parse(out_.str());
  ASSERT_EQ(json.size(), 2);
  EXPECT_EQ(json[0]["id"], "snap-1-2");
  EXPECT_EQ(json[0]["counts"]["rows"], "1234567");
  EXPECT_EQ(json[1]["held"], false);
}

TEST_F(OutputTest, KeepsStdoutForDataWhereThereIsNothing) {
  const std::vector<v1::Snapshot> none;
  ASSERT_TRUE(With(OutputFormat::kTable).List(none, SomeFields(), "There are none.").ok());
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(), "There are none.\n");
  ASSERT_TRUE(With(OutputFormat::kJson).List(none, SomeFields(), "There are none.").ok());
  EXPECT_EQ(out_.str(), "[]\n");
}

TEST_F(OutputTest, WritesOneThingAsLinesWithoutThoseThatAreEmpty) {
  v1::Snapshot snapshot;
  snapshot.mutable_counts()->set_rows(5);
  ASSERT_TRUE(With(OutputFormat::kTable).One(snapshot, SomeFields()).ok());
  EXPECT_EQ(out_.str(), "ROWS IN ALL  5\n");
}

TEST_F(OutputTest, WritesOneThingAsOneObject) {
  ASSERT_TRUE(With(OutputFormat::kJson).One(TwoSnapshots()[0], SomeFields()).ok());
  EXPECT_EQ(nlohmann::json::parse(out_.str())["id"], "snap-1-2");
}

TEST(ShellWord, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(ShellWord("1001"), "1001");
  EXPECT_EQ(ShellWord("a b"), "'a b'");
  EXPECT_EQ(ShellWord("it's; rm -rf $HOME"), "'it'\\''s; rm -rf $HOME'");
  EXPECT_EQ(ShellWord(""), "''");
}

TEST(PointSentence, SaysWhatAPointResolvedToAndHowFarThatIs) {
  const absl::Time now = absl::FromUnixSeconds(1'795'354'091);
  v1::Point point;
  point.set_snapshot("snap-1-12");
  point.mutable_instant()->set_seconds(absl::ToUnixSeconds(now - absl::Minutes(125)));
  EXPECT_EQ(PointSentence(point, now), "As of snap-1-12, 2026-11-22 11:23:11Z, 2 h ago.");
  point.mutable_requested_time()->set_seconds(absl::ToUnixSeconds(now - absl::Hours(2)));
  point.mutable_gap()->set_seconds(300);
  EXPECT_EQ(PointSentence(point, now),
            "As of snap-1-12, 2026-11-22 11:23:11Z, 2 h ago: 5 min before what was asked for "
            "(2026-11-22 11:28:11Z).");
}

}  // namespace
}  // namespace reinstate
