#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/batch_problems.h"
#include "client/cli/batch_views.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kShownConflicts = 10;
constexpr size_t kShownAbsent = 10;

// What would happen to the rows of a line, over its stores.
v1::RowActions TotalsOf(const v1::BatchLine& line) {
  v1::RowActions sum;
  for (const v1::BatchLineRestore& restore : line.restores()) {
    const v1::RowActions& totals = restore.totals();
    sum.set_inserted(sum.inserted() + totals.inserted());
    sum.set_replaced(sum.replaced() + totals.replaced());
    sum.set_deleted(sum.deleted() + totals.deleted());
    sum.set_conflicts(sum.conflicts() + totals.conflicts());
  }
  return sum;
}

Field<v1::BatchLine> RowsField(const std::string& title, int64_t (v1::RowActions::*get)() const,
                               Style style) {
  return {title,
          [get, style](const v1::BatchLine& line) {
            const int64_t rows = (TotalsOf(line).*get)();
            return CountValue(rows, rows == 0 ? Style::kFaint : style);
          },
          Align::kRight};
}

Fields<v1::BatchLine> LargestFields() {
  using Actions = v1::RowActions;
  return {
      {"LARGEST", [](const v1::BatchLine& l) { return TextValue(NameOf(l)); }, Align::kLeft, true},
      RowsField("INSERTED", &Actions::inserted, Style::kGood),
      RowsField("REPLACED", &Actions::replaced, Style::kWarning),
      RowsField("DELETED", &Actions::deleted, Style::kBad),
      RowsField("CONFLICTS", &Actions::conflicts, Style::kBad),
  };
}

std::string Head(const v1::Batch& batch, absl::Time now) {
  std::string text = absl::StrCat("Dry run ", Printable(batch.id()), ": ", CustomersText(batch));
  const std::string rest = RestText(batch.lines());
  absl::StrAppend(&text, rest.empty() ? "" : ", ", rest, "\n");
  for (const v1::BatchStorePoint& point : batch.points()) {
    absl::StrAppend(&text, "  ", Printable(point.store()), ": ", PointSentence(point.point(), now),
                    "\n");
  }
  return absl::StrCat(text, "  Mode ", WordFor(ModeOf(batch)), ": ", SentenceFor(ModeOf(batch)),
                      ".\n\n");
}

// The rows of a line that cannot be settled, with the commands that list them.
std::string ConflictText(const v1::Batch& batch, const v1::BatchLine& line) {
  std::string text = absl::StrCat("  line ", line.line(), ", ", NameOf(line), ": ",
                                  HumanNumber(TotalsOf(line).conflicts(), "row"), "\n");
  for (const v1::BatchLineRestore& restore : line.restores()) {
    if (restore.totals().conflicts() > 0) {
      absl::StrAppend(&text, "    ", Printable(PlanCommand(batch, restore)), "\n");
    }
  }
  return text;
}

std::string ConflictsText(const v1::Batch& batch, const std::vector<v1::BatchLine>& lines) {
  std::string text;
  size_t with_conflicts = 0;
  for (const v1::BatchLine& line : lines) {
    if (TotalsOf(line).conflicts() > 0 && ++with_conflicts <= kShownConflicts) {
      absl::StrAppend(&text, ConflictText(batch, line));
    }
  }
  if (with_conflicts == 0) {
    return "";
  }
  if (with_conflicts > kShownConflicts) {
    absl::StrAppend(&text, "  … and ", with_conflicts - kShownConflicts, " more\n");
  }
  return absl::StrCat(
      "\nConflicts: ", HumanNumber(static_cast<int64_t>(with_conflicts), "customer"),
      " with rows that cannot be settled. As long as this is so, these fail:\n", text);
}

// Lines that were planned, or could not be, as far as somebody has to look at them.
absl::StatusOr<std::vector<v1::BatchLine>> LinesToLookAt(const v1::Batch& batch, Session& session) {
  const v1::BatchCounts& counts = batch.lines();
  if (batch.absences().empty() && batch.totals().conflicts() == 0 &&
      counts.succeeded() == counts.total()) {
    return std::vector<v1::BatchLine>();
  }
  v1::ListBatchLinesRequest request;
  request.set_batch(batch.id());
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->ListBatchLines(request);
}

std::string TimeText(const v1::Batch& batch) {
  const std::string time = ExpectedTimeText(batch);
  return time.empty() ? "" : absl::StrCat("Expected time: ", time, "\n");
}

// Who has no data in some stores of the group.
std::string AbsentText(const v1::Batch& batch, const std::vector<v1::BatchLine>& lines) {
  if (batch.absences().empty()) {
    return "";
  }
  std::string text =
      absl::StrCat("\nNot in every store: ", AbsencesText(batch), ". Nothing is done there for:\n");
  size_t absent = 0;
  for (const v1::BatchLine& line : lines) {
    if (!line.absent_in().empty() && ++absent <= kShownAbsent) {
      absl::StrAppend(&text, "  line ", line.line(), ", ", NameOf(line), ": ", AbsenceText(line),
                      "\n");
    }
  }
  return absent <= kShownAbsent ? text
                                : absl::StrCat(text, "  … and ", absent - kShownAbsent, " more\n");
}

std::string NextCommand(const v1::Batch& batch) {
  if (batch.lines().succeeded() == 0) {
    return "Nothing was changed, and there is nothing to restore.\n";
  }
  return absl::StrCat("Nothing was changed. To do exactly this:\n  reinstate batch create --plan ",
                      Printable(batch.id()), " --digest ", Printable(batch.digest()), " --wait\n");
}

}  // namespace

absl::Status PrintBatchPlan(const v1::Batch& batch, Session& session) {
  const Output& output = session.output();
  if (output.format() != OutputFormat::kTable) {
    return output.One(batch, BatchListFields(session.now()));
  }
  ASSIGN_OR_RETURN(std::vector<v1::BatchLine> lines, LinesToLookAt(batch, session));
  output.Text(Head(batch, session.now()));
  output.Text(absl::StrCat("In all: ", ActionsText(batch.totals()), "\n\n"));
  const std::vector<v1::BatchLine> largest(batch.largest().begin(), batch.largest().end());
  if (!largest.empty()) {
    output.Text(output.Table(largest, LargestFields()));
  }
  output.Text(AbsentText(batch, lines));
  output.Text(ConflictsText(batch, lines));
  std::erase_if(lines, [](const v1::BatchLine& line) { return !line.has_problem(); });
  if (!lines.empty()) {
    output.Text("\nNot planned:\n");
    output.Text(RenderProblems(lines, ContextOf(batch)));
  }
  output.Text("\n");
  for (const std::string& address : batch.store_addresses()) {
    output.Text(absl::StrCat("Where: ", Printable(address), "\n"));
  }
  output.Text(absl::StrCat(TimeText(batch), "Digest: ", Printable(batch.digest()), "\n",
                           NextCommand(batch)));
  return absl::OkStatus();
}

}  // namespace reinstate
