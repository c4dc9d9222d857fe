#include "client/cli/batch_problems.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"
#include "storage/base/missing_rows.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

v1::BatchLine Line(int64_t number, const std::string& tenant, std::string_view reason) {
  v1::BatchLine line;
  line.set_line(number);
  line.set_input("line " + std::to_string(number));
  line.mutable_tenant()->set_tenant(tenant);
  line.mutable_problem()->set_reason(std::string(reason));
  line.mutable_problem()->set_message("What is wrong.");
  return line;
}

// A batch that was created.
std::optional<v1::Batch> Begun() {
  v1::Batch batch;
  batch.set_id("bat-1");
  return batch;
}

TEST(BatchProblems, AreGroupedByReasonWithMostLinesFirst) {
  EXPECT_EQ(RenderProblems({Line(3, "", "TENANT_NOT_FOUND"), Line(4, "1009", "TENANT_NOT_AT_POINT"),
                            Line(9, "1008", "TENANT_NOT_AT_POINT")},
                           {.file = "my list.csv", .at = "2h", .batch = std::nullopt}),
            "TENANT_NOT_AT_POINT, 2 lines: lines 4 and 9\n"
            "  line 4, 1009 (\"line 4\"): What is wrong.\n"
            "  line 9, 1008 (\"line 9\"): What is wrong.\n"
            "  Next: reinstate tenant show 1009 --versions says when it was there; choose another "
            "--at.\n"
            "TENANT_NOT_FOUND, 1 line: line 3\n"
            "  line 3, \"line 3\": What is wrong.\n"
            "  Next: reinstate batch resolve -f 'my list.csv' --at 2h > 'my list-resolved.csv', "
            "fill in its column id, and give that file.\n");
}

TEST(BatchProblems, NeverNameTheListAsTheFileThatTheNextCommandWrites) {
  for (const auto& [file, resolved] : std::vector<std::pair<std::string, std::string>>{
           {"resolved.csv", "resolved-resolved.csv"},
           {"lists/resolved.csv", "resolved-resolved.csv"},
           {"resolved", "resolved-resolved.csv"},
           {"-", "resolved.csv"}}) {
    EXPECT_THAT(NextStepFor(Line(3, "", "TENANT_NOT_FOUND"),
                            {.file = file, .at = "2h", .batch = std::nullopt}),
                HasSubstr("-f " + file + " --at 2h > " + resolved + ", "));
  }
}

TEST(BatchProblems, SayThatARetryRunsOnlyTheHookWhereTheRestoreHasSucceeded) {
  v1::BatchLine line = Line(3, "1001", "HOOK_FAILED");
  line.set_state(v1::BATCH_LINE_STATE_FAILED);
  const ProblemContext context = {.file = "", .at = "2h", .batch = Begun()};
  v1::BatchLineRestore& restore = *line.add_restores();
  restore.set_state(v1::RESTORE_STATE_FAILED);
  EXPECT_TRUE(RetryMayHelp(line)) << "of a hook before it";
  EXPECT_EQ(NextStepFor(line, context), "mend the hook, then reinstate batch retry bat-1");
  restore.set_state(v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_TRUE(RetryMayHelp(line));
  EXPECT_EQ(NextStepFor(line, context),
            "mend the hook; then reinstate batch retry bat-1 runs it again, and not the restore.");
}

TEST(BatchProblems, TellWhatWasCancelledWithTheBatchFromWhatWasByItself) {
  std::vector<v1::BatchLine> lines;
  for (const bool with_batch : {true, false}) {
    v1::BatchLine& line = lines.emplace_back(Line(with_batch ? 3 : 4, "1001", "CANCELLED"));
    line.set_state(v1::BATCH_LINE_STATE_CANCELLED);
    line.mutable_problem()->set_retryable(with_batch);
    EXPECT_EQ(RetryMayHelp(line), with_batch);
  }
  ProblemContext context = {.file = "", .at = "2h", .batch = Begun()};
  context.batch->mutable_spec()->set_store("main");
  context.batch->mutable_spec()->set_at("2h");
  EXPECT_THAT(
      RenderProblems(lines, context),
      AllOf(
          HasSubstr("CANCELLED, 1 line: line 3\n"),
          HasSubstr("  Next: reinstate batch retry bat-1\n"),
          HasSubstr("CANCELLED, 1 line: line 4\n"),
          HasSubstr("  Next: a retry leaves out what somebody cancelled by itself; to do it after "
                    "all: reinstate batch get bat-1 --lines --state cancelled -o csv > again.csv "
                    "&& reinstate batch create -f again.csv --store main --at 2h --mode ")));
  context.batch->set_kind(v1::RESTORE_KIND_UNDO);
  context.batch->set_undo_of("bat-0");
  EXPECT_THAT(NextStepFor(lines[1], context), HasSubstr("after all: reinstate batch undo bat-0"));
}

// Those with even numbers but 38 and 40, and all from 61 to 65.
std::vector<v1::BatchLine> ManyLines(std::string_view reason) {
  std::vector<v1::BatchLine> lines;
  for (int i = 2; i <= 60; i += i == 36 ? 6 : 2) {
    lines.push_back(Line(i, "1001", reason));
  }
  for (int i = 61; i <= 65; ++i) {
    lines.push_back(Line(i, "1001", reason));
  }
  return lines;
}

TEST(BatchProblems, NameAllLinesOfManyAndTellTheFirst) {
  EXPECT_THAT(
      RenderProblems(ManyLines("TENANT_NOT_AT_POINT"),
                     {.file = "", .at = "2h", .batch = std::nullopt}),
      AllOf(HasSubstr("TENANT_NOT_AT_POINT, 33 lines: lines 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, "
                      "22, 24, 26, 28, 30, 32, 34, 36, 42, 44, 46, 48, 50, 52, 54, 56, 58 and "
                      "60-65\n"),
            HasSubstr("  line 20, "), Not(HasSubstr("  line 22, ")),
            HasSubstr("  … and 23 more; -o csv and -o json write all\n  Next: ")));
}

TEST(BatchProblems, SayWhereAllLinesAreToldOnceThereIsABatch) {
  const std::vector<v1::BatchLine> lines = ManyLines("TENANT_BUSY");
  EXPECT_THAT(RenderProblems(lines, {.file = "", .at = "2h", .batch = Begun()}),
              AllOf(HasSubstr("  … and 23 more; reinstate batch summary bat-1 has all\n"),
                    HasSubstr("  Next: reinstate batch retry bat-1\n")));
  EXPECT_THAT(
      RenderProblems(lines, {.file = "", .at = "2h", .batch = std::nullopt, .left_out = true}),
      HasSubstr("  … and 23 more; reinstate batch summary has all\n"));
}

TEST(BatchProblems, AreOfBoundedLengthWhereNearlyAllOfAHundredThousandLinesAreWrong) {
  std::vector<v1::BatchLine> lines;
  for (int i = 1; i <= 200'000; i += 2) {
    lines.push_back(Line(i, "1001", "TENANT_NOT_AT_POINT"));
  }
  const std::string text = RenderProblems(lines, {.file = "", .at = "2h", .batch = std::nullopt});
  EXPECT_LT(text.size(), 10'000);
  EXPECT_THAT(text, AllOf(HasSubstr("100,000 lines: lines 1, 3, "), HasSubstr(" and 99000 more\n"),
                          HasSubstr("  … and 99,990 more; -o csv and -o json write all\n")));
}

// A line whose rows refer to missing ones, as the daemon says it of one alone, with `more`.
v1::BatchLine LineThatLacksRows(int64_t number, const std::string& tenant,
                                std::string_view more = "") {
  v1::BatchLine line = Line(number, tenant, "KEY_CONFLICT");
  line.set_state(v1::BATCH_LINE_STATE_FAILED);
  line.mutable_problem()->set_message(MissingRowsText("links", 10, "issues") + " (foreign key k)" +
                                      std::string(more));
  v1::BatchLineRestore& restore = *line.add_restores();
  restore.set_store("main");
  restore.set_tenant(tenant);
  return line;
}

TEST(BatchProblems, WhereRowsReferToMissingOnesRestoreAllButTheirTableAndRetry) {
  v1::Batch batch = *Begun();
  batch.mutable_spec()->set_store("main");
  batch.add_points()->set_store("main");
  batch.mutable_points(0)->mutable_point()->set_snapshot("snap-1-12");
  const std::string command =
      "reinstate restore create 1001 --store main --at snap-1-12 --mode create-missing ";
  const v1::BatchLine line = LineThatLacksRows(2, "1001", kIfOfEachOther);
  EXPECT_TRUE(RetryMayHelp(line));
  EXPECT_EQ(NextStepFor(line, {.batch = batch}),
            command + "--without-table links --wait, then reinstate batch retry bat-1");
  // Of one that is limited to tables, of these.
  batch.mutable_spec()->add_tables("links");
  batch.mutable_spec()->add_tables("issues");
  EXPECT_EQ(NextStepFor(line, {.batch = batch}),
            command + "--table issues --wait, then reinstate batch retry bat-1");
  // An undo restores nothing.
  batch.set_kind(v1::RESTORE_KIND_UNDO);
  EXPECT_THAT(NextStepFor(line, {.batch = batch}), Not(HasSubstr("restore create")));
}

TEST(BatchProblems, NeverRestoreAllTablesInPlaceOfNone) {
  v1::Batch batch = *Begun();
  batch.mutable_spec()->set_mode(v1::RESTORE_MODE_MIRROR);
  batch.mutable_spec()->add_tables("links");
  const v1::BatchLine line = LineThatLacksRows(2, "1001", kIfOfEachOther);
  EXPECT_EQ(NextStepFor(line, {.batch = batch}),
            "put back the rows that are missing, then reinstate batch retry bat-1");
  batch.mutable_spec()->add_tables("tenant");
  EXPECT_THAT(NextStepFor(line, {.batch = batch}), HasSubstr(" --mode mirror --table tenant "));
}

TEST(BatchProblems, LeaveNoTableOutForRowsThatNoOtherOfTheBatchBringsBack) {
  const std::string put_back =
      "put back the rows that are missing, then reinstate batch retry bat-1";
  EXPECT_EQ(NextStepFor(LineThatLacksRows(2, "1001"), {.batch = Begun()}), put_back);
  EXPECT_EQ(NextStepFor(LineThatLacksRows(2, "1001", kRowsOfNobody), {.batch = Begun()}), put_back);
}

TEST(BatchProblems, KeepApartWhatHasAnotherNextStepForTheSameReason) {
  EXPECT_THAT(
      RenderProblems({Line(2, "1001", "KEY_CONFLICT"), LineThatLacksRows(3, "1002", kIfOfEachOther),
                      LineThatLacksRows(4, "1003", kIfOfEachOther)},
                     {.batch = Begun()}),
      AllOf(HasSubstr("KEY_CONFLICT, 2 lines: lines 3 and 4\n"),
            HasSubstr("  Next: reinstate restore create 1002 "),
            HasSubstr("KEY_CONFLICT, 1 line: line 2\n"), HasSubstr("lists the keys")));
}

TEST(BatchProblems, HaveANextStepForEveryReasonBeforeAndAfterTheStart) {
  for (const ReasonInfo& info : AllReasons()) {
    for (const std::optional<v1::Batch>& batch : {std::optional<v1::Batch>(), Begun()}) {
      const std::string step =
          NextStepFor(Line(3, "1001", info.name), {.file = "list.csv", .at = "2h", .batch = batch});
      EXPECT_GT(step.size(), 10) << info.name;
      EXPECT_FALSE(absl::StrContains(step, "$")) << step;
      EXPECT_FALSE(absl::EndsWith(step, ", ")) << step;
    }
  }
}

TEST(BatchProblems, AskForAPersonWhereAnOutcomeIsInDoubt) {
  v1::BatchLine line = Line(3, "1001", "");
  line.clear_problem();
  line.set_state(v1::BATCH_LINE_STATE_IN_DOUBT);
  EXPECT_THAT(RenderProblems({line}, {.file = "", .at = "", .batch = Begun()}),
              AllOf(HasSubstr("TENANT_IN_DOUBT, 1 line"), HasSubstr("reinstate restore resolve")));
}

TEST(BatchProblems, EscapeWhatOthersWrote) {
  v1::BatchLine line = Line(3, "$(rm)\x1b", "TENANT_NOT_AT_POINT");
  line.mutable_problem()->set_message("\x1b[2J");
  const std::string text = RenderProblems({line}, {.file = "", .at = "2h", .batch = std::nullopt});
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), HasSubstr("show '$(rm)\\x1b' --versions")));
}

}  // namespace
}  // namespace reinstate
