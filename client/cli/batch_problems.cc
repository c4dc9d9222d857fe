#include "client/cli/batch_problems.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/batch_views.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "client/lists/tenant_list.h"
#include "google/protobuf/struct.pb.h"
#include "storage/base/missing_rows.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

// Of a reason. A list of some hundreds of customers has never more ranges of lines.
constexpr size_t kLinesTold = 10;
constexpr size_t kRangesTold = 1'000;

struct NextStep {
  std::string_view reason;
  // $LIST, $RESOLVED, $FILE, $AT, $BATCH, $TENANT and $RESTORE: what it is about. $PLAN_ONE, $PLAN,
  // $ANEW, $UNDO and $ALL_BUT: commands that plan the restore or the batch anew, that do what was
  // cancelled, that undo what is left, and that restore all but the table whose rows refer to
  // missing ones.
  std::string_view step;
};

constexpr std::string_view kResolve =
    "reinstate batch resolve -f $LIST --at $AT > $RESOLVED, fill in its column id, and give that "
    "file.";
constexpr std::string_view kFillIn =
    "fill in the column id of these lines in $FILE, and give that file again.";
constexpr std::string_view kHookAgain =
    "mend the hook; then reinstate batch retry $BATCH runs it again, and not the restore.";
// A new order of somebody, since the retry keeps to the decision.
constexpr std::string_view kCancelledAlone =
    "a retry leaves out what somebody cancelled by itself; to do it after all: $ANEW";
constexpr std::string_view kRestoreAllBut = "$ALL_BUT, ";
constexpr std::string_view kPutBack = "put back the rows that are missing, ";
constexpr std::string_view kRetry = "then reinstate batch retry $BATCH";

constexpr std::array<NextStep, 19> kNextSteps = {{
    {"TENANT_NOT_FOUND", kResolve},
    {"INVALID_ARGUMENT", kResolve},
    {"TENANT_ID_INVALID", kResolve},
    {"TENANT_NOT_AT_POINT",
     "reinstate tenant show $TENANT --versions says when it was there; choose another --at."},
    {"TENANT_TWICE", "leave one of the lines out, or go on without them: --skip-invalid"},
    {"POINT_SHRUNKEN",
     "reinstate tenant show $TENANT --versions; choose an earlier --at, or --accept-shrunken."},
    {"TABLES_UNCOVERED", "choose another --at, or keep these tables: --accept-uncovered-tables"},
    {"TABLE_NOT_FOUND", "reinstate store discover lists the tables."},
    {"TABLE_UNRESOLVED", "reinstate store discover says what the configuration has to declare."},
    {"TENANT_IN_DOUBT",
     "reinstate restore list --state in-doubt; look at the store, then reinstate restore resolve."},
    {"COMMIT_UNKNOWN", "look at the store, then reinstate restore resolve $RESTORE"},
    {"KEY_CONFLICT", "$PLAN_ONE lists the keys; free them, "},
    {"PLAN_CHANGED", "look at a new plan: $PLAN"},
    {"UNDO_CONFLICT",
     "reinstate restore get $RESTORE lists these rows; to leave them as they are: $UNDO"},
    {"STORE_BEFORE_FAILED", "mend what failed in the store before, "},
    {"HOOK_FAILED", "mend the hook, "},
    {"NOT_UNDOABLE", "reinstate restore get $RESTORE says why."},
    {"CORRUPT", "choose another --at: this snapshot is damaged."},
    {"SHORTFALL", "choose another --at: this snapshot is damaged."},
}};

// The step for `reason`, empty if there is none of its own.
std::string_view StepOf(std::string_view reason) {
  const auto* found = std::find_if(kNextSteps.begin(), kNextSteps.end(),
                                   [&](const NextStep& step) { return step.reason == reason; });
  return found == kNextSteps.end() ? std::string_view() : found->step;
}

// Whether all restores of the line have succeeded, so that only what follows them has failed.
bool RowsAreBack(const v1::BatchLine& line) {
  return line.restores_size() > 0 &&
         std::ranges::all_of(line.restores(), [](const v1::BatchLineRestore& restore) {
           return restore.state() == v1::RESTORE_STATE_SUCCEEDED;
         });
}

// Whether somebody cancelled a restore of the line by itself, not its batch.
bool WasCancelledAlone(const v1::BatchLine& line) {
  return line.state() == v1::BATCH_LINE_STATE_CANCELLED && !line.problem().retryable();
}

// The restore of the line that failed, or else its first one; nothing in it if there is none.
v1::BatchLineRestore RestoreOf(const v1::BatchLine& line) {
  for (const v1::BatchLineRestore& restore : line.restores()) {
    if (restore.has_failure()) {
      return restore;
    }
  }
  return line.restores_size() > 0 ? line.restores(0) : v1::BatchLineRestore();
}

std::string OrElse(const std::string& text, const char* otherwise) {
  return text.empty() ? otherwise : ShellWord(text);
}

// The file for what `batch resolve` makes of the list `file`: never the list itself, which the
// shell would empty first.
std::string ResolvedFile(const std::string& file) {
  if (file.empty() || file == "-") {
    return "resolved.csv";
  }
  return ShellWord(absl::StrCat(std::filesystem::path(file).stem().string(), "-resolved.csv"));
}

// The list with the options that it is read with.
std::string ListWords(const ProblemContext& context) {
  return absl::StrCat(OrElse(context.file, "FILE"), context.list_options.empty() ? "" : " ",
                      context.list_options);
}

std::string ReasonOf(const v1::BatchLine& line) {
  if (line.has_problem()) {
    return line.problem().reason();
  }
  return line.state() == v1::BATCH_LINE_STATE_IN_DOUBT ? "TENANT_IN_DOUBT" : "CANCELLED";
}

bool IsUndo(const ProblemContext& context) {
  return context.batch.has_value() && context.batch->kind() == v1::RESTORE_KIND_UNDO;
}

bool CanRetry(const ProblemContext& context) {
  return context.batch.has_value() && !context.batch->dry_run();
}

// Whether rows of the line's tenant refer to rows that are not there, so that there is nothing to
// free.
bool LacksRows(const v1::BatchLine& line) {
  return ReasonOf(line) == "KEY_CONFLICT" && !ReferringTable(line.problem().message()).empty();
}

// Whether the order of `batch` has other tables than this one.
bool HasTablesBut(const std::string& table, const v1::BatchSpec& spec) {
  return spec.tables().empty() ||
         std::ranges::any_of(spec.tables(), [&](const auto& name) { return name != table; });
}

// Whether the line LacksRows as others of the batch do, so that they may be rows of a tenant that
// needs rows of this one in turn, and it can come first with its other tables.
bool MayComeFirst(const v1::BatchLine& line, const ProblemContext& context) {
  const std::string& message = line.problem().message();
  return LacksRows(line) && CanRetry(context) && !IsUndo(context) &&
         absl::StrContains(message, Absl(kIfOfEachOther)) &&
         HasTablesBut(ReferringTable(message), context.batch->spec());
}

// The step for `line`, before what it is about is filled in; empty if there is none of its own.
std::string_view StepFor(const v1::BatchLine& line, const ProblemContext& context) {
  const std::string_view step = StepOf(ReasonOf(line));
  if (step == kResolve && context.list_resolved) {
    return kFillIn;
  }
  if (RowsAreBack(line)) {
    return kHookAgain;
  }
  if (WasCancelledAlone(line) && CanRetry(context)) {
    return kCancelledAlone;
  }
  if (LacksRows(line)) {
    return MayComeFirst(line, context) ? kRestoreAllBut : kPutBack;
  }
  return step;
}

struct Group {
  std::string reason;
  std::vector<const v1::BatchLine*> lines;
};

// In the order in which people are told.
std::vector<Group> GroupsOf(const std::vector<v1::BatchLine>& lines,
                            const ProblemContext& context) {
  std::map<std::pair<std::string, std::string_view>, Group> by_step;
  for (const v1::BatchLine& line : lines) {
    Group& group = by_step[{ReasonOf(line), StepFor(line, context)}];
    group.reason = ReasonOf(line);
    group.lines.push_back(&line);
  }
  std::vector<Group> groups;
  groups.reserve(by_step.size());
  for (auto& [step, group] : by_step) {
    groups.push_back(std::move(group));
  }
  std::stable_sort(groups.begin(), groups.end(),
                   [](const Group& a, const Group& b) { return a.lines.size() > b.lines.size(); });
  return groups;
}

std::string UndoAgain(const ProblemContext& context) {
  if (!IsUndo(context)) {
    return "reinstate batch undo BATCH --skip-conflicts";
  }
  const v1::Batch& batch = *context.batch;
  return absl::StrCat("reinstate batch undo ", ShellWord(batch.undo_of()),
                      " --skip-conflicts --confirm ",
                      batch.lines().total() - batch.lines().succeeded(), " --wait");
}

// The order of `batch`, as options of reinstate batch create.
std::string OrderOptions(const v1::Batch& batch) {
  const v1::BatchSpec& spec = batch.spec();
  std::string text = spec.has_group() ? absl::StrCat(" --group ", ShellWord(spec.group()))
                                      : absl::StrCat(" --store ", ShellWord(spec.store()));
  const auto add = [&text](const char* option, const std::string& value) {
    if (!value.empty()) {
      absl::StrAppend(&text, " ", option, " ", ShellWord(value));
    }
  };
  add("--at", PointText(batch));
  add("--mode", WordFor(ModeOf(batch)));
  for (const std::string& table : spec.tables()) {
    add("--table", table);
  }
  absl::StrAppend(&text, spec.accept_shrunken() ? " --accept-shrunken" : "",
                  spec.accept_uncovered_tables() ? " --accept-uncovered-tables" : "");
  add("--reason", batch.reason());
  add("--reference", batch.reference());
  return text;
}

// A new batch of the lines of `batch` that are in `state`.
std::string NewBatchOf(const v1::Batch& batch, const char* state) {
  return absl::StrCat("reinstate batch get ", ShellWord(batch.id()), " --lines --state ", state,
                      " -o csv > again.csv && reinstate batch create -f again.csv",
                      OrderOptions(batch));
}

std::string PlanAgain(const ProblemContext& context) {
  return !context.batch.has_value() || IsUndo(context)
             ? "reinstate batch create -f FILE --at POINT --dry-run"
             : absl::StrCat(NewBatchOf(*context.batch, "failed"), " --dry-run");
}

std::string CancelledAnew(const ProblemContext& context) {
  if (!context.batch.has_value()) {
    return "";
  }
  return IsUndo(context)
             ? absl::StrCat("reinstate batch undo ", ShellWord(context.batch->undo_of()))
             : NewBatchOf(*context.batch, "cancelled");
}

// Of a line that MayComeFirst.
std::string RestoreAllBut(const v1::BatchLine& line, const v1::BatchLineRestore& restore,
                          const ProblemContext& context) {
  if (!MayComeFirst(line, context)) {
    return "";
  }
  const v1::Batch& batch = *context.batch;
  const std::string referring = ReferringTable(line.problem().message());
  std::string text =
      absl::StrCat("reinstate restore create ", RestoreWords(batch, restore),
                   batch.spec().accept_shrunken() ? " --accept-shrunken" : "",
                   batch.spec().accept_uncovered_tables() ? " --accept-uncovered-tables" : "");
  if (batch.spec().tables().empty()) {
    absl::StrAppend(&text, " --without-table ", ShellWord(referring));
  }
  for (const std::string& table : batch.spec().tables()) {
    if (table != referring) {
      absl::StrAppend(&text, " --table ", ShellWord(table));
    }
  }
  return absl::StrCat(text, " --wait");
}

std::vector<int64_t> NumbersOf(const Group& group) {
  std::vector<int64_t> numbers;
  numbers.reserve(group.lines.size());
  for (const v1::BatchLine* line : group.lines) {
    numbers.push_back(line->line());
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// How to have all lines of a group with what is wrong, where only the first are told.
std::string AllLinesText(const ProblemContext& context) {
  if (context.batch.has_value()) {
    return absl::StrCat("reinstate batch summary ", ShellWord(context.batch->id()), " has all");
  }
  return context.left_out ? "reinstate batch summary has all" : "-o csv and -o json write all";
}

google::protobuf::Struct ProblemRecord(const v1::BatchLine& line, const ProblemContext& context) {
  google::protobuf::Struct record;
  auto& fields = *record.mutable_fields();
  fields["line"].set_number_value(static_cast<double>(line.line()));
  fields["input"].set_string_value(line.input());
  fields["id"].set_string_value(line.tenant().tenant());
  fields["reason"].set_string_value(ReasonOf(line));
  fields["message"].set_string_value(line.problem().message());
  fields["next"].set_string_value(NextStepFor(line, context));
  return record;
}

Field<google::protobuf::Struct> RecordField(const std::string& title, const std::string& name) {
  return {title, [name](const google::protobuf::Struct& record) {
            const google::protobuf::Value& value = record.fields().at(name);
            return value.has_number_value() ? CountValue(static_cast<int64_t>(value.number_value()))
                                            : TextValue(value.string_value());
          }};
}

}  // namespace

ProblemContext ContextOf(const v1::Batch& batch) {
  return {.at = PointText(batch), .batch = batch};
}

bool RetryMayHelp(const v1::BatchLine& line) {
  const std::string_view step = StepOf(ReasonOf(line));
  return (line.state() == v1::BATCH_LINE_STATE_FAILED ||
          line.state() == v1::BATCH_LINE_STATE_CANCELLED) &&
         !WasCancelledAlone(line) && (step.empty() || step.ends_with(", "));
}

std::string NextStepFor(const v1::BatchLine& line, const ProblemContext& context) {
  std::string step(StepFor(line, context));
  if (step.empty() && !CanRetry(context)) {
    step = "correct the lines, or go on without them: --skip-invalid";
  } else if (step.empty()) {
    step = "reinstate batch retry $BATCH";
  } else if (step.ends_with(", ")) {
    absl::StrAppend(&step, Absl(CanRetry(context) ? kRetry : std::string_view("then try again.")));
  }
  const v1::BatchLineRestore restore = RestoreOf(line);
  return absl::StrReplaceAll(
      step, {{"$LIST", ListWords(context)},
             {"$RESOLVED", ResolvedFile(context.file)},
             {"$FILE", context.file == "-" ? "the list" : OrElse(context.file, "FILE")},
             {"$AT", OrElse(context.at, "POINT")},
             {"$BATCH", OrElse(context.batch.has_value() ? context.batch->id() : "", "BATCH")},
             {"$TENANT", OrElse(line.tenant().tenant(), "TENANT")},
             {"$RESTORE", OrElse(restore.restore(), "RESTORE")},
             {"$UNDO", UndoAgain(context)},
             {"$ALL_BUT", RestoreAllBut(line, restore, context)},
             {"$ANEW", CancelledAnew(context)},
             {"$PLAN_ONE", context.batch.has_value() ? PlanCommand(*context.batch, restore)
                                                     : "reinstate restore plan"},
             {"$PLAN", PlanAgain(context)}});
}

std::string RenderProblems(const std::vector<v1::BatchLine>& lines, const ProblemContext& context) {
  std::string text;
  for (const Group& group : GroupsOf(lines, context)) {
    absl::StrAppend(&text, Printable(group.reason), ", ",
                    HumanNumber(static_cast<int64_t>(group.lines.size()), "line"), ": ",
                    LineNumbers(NumbersOf(group), kRangesTold), "\n");
    const size_t told = std::min(group.lines.size(), kLinesTold);
    for (size_t i = 0; i < told; ++i) {
      const v1::BatchLine& line = *group.lines[i];
      absl::StrAppend(&text, "  line ", line.line(), ", ", NameOf(line), ": ",
                      Printable(line.problem().message()), "\n");
    }
    if (group.lines.size() > told) {
      absl::StrAppend(&text, "  … and ",
                      HumanCount(static_cast<int64_t>(group.lines.size() - told)), " more; ",
                      AllLinesText(context), "\n");
    }
    absl::StrAppend(&text, "  Next: ", Printable(NextStepFor(*group.lines.front(), context)), "\n");
  }
  return text;
}

absl::Status WriteProblems(const std::vector<v1::BatchLine>& lines, const ProblemContext& context,
                           const Output& output) {
  std::vector<google::protobuf::Struct> records;
  records.reserve(lines.size());
  for (const v1::BatchLine& line : lines) {
    records.push_back(ProblemRecord(line, context));
  }
  return output.List(records,
                     {RecordField("LINE", "line"), RecordField("INPUT", "input"),
                      RecordField("ID", "id"), RecordField("REASON", "reason"),
                      RecordField("MESSAGE", "message"), RecordField("NEXT", "next")},
                     "");
}

}  // namespace reinstate
