#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"

namespace reinstate {
namespace {

constexpr int kShownConflicts = 10;
constexpr size_t kShownSamples = 12;
constexpr int kSampleColumns = 60;  // of the keys of a line of samples

v1::RestoreMode ModeOf(const v1::RestoreSpec& spec) {
  return spec.mode() == v1::RESTORE_MODE_UNSPECIFIED ? v1::RESTORE_MODE_CREATE_MISSING
                                                     : spec.mode();
}

// A column of numbers of rows: those that are not zero stand out.
Field<v1::TableActions> RowsField(const std::string& title, int64_t (v1::RowActions::*get)() const,
                                  Style style) {
  return {title,
          [get, style](const v1::TableActions& table) {
            const int64_t rows = (table.rows().*get)();
            return CountValue(rows, rows == 0 ? Style::kFaint : style);
          },
          Align::kRight};
}

Fields<v1::TableActions> TableFields(bool with_conflicts) {
  using Actions = v1::RowActions;
  using Table = v1::TableActions;
  Fields<Table> fields = {
      {"TABLE", [](const Table& t) { return TextValue(t.table()); }},
      {"AT POINT", [](const Table& t) { return CountValue(t.rows_at_point()); }, Align::kRight},
      {"LIVE NOW", [](const Table& t) { return CountValue(t.rows_live()); }, Align::kRight},
      RowsField("INSERTED", &Actions::inserted, Style::kGood),
      RowsField("REPLACED", &Actions::replaced, Style::kWarning),
      RowsField("DELETED", &Actions::deleted, Style::kBad),
      RowsField("UNCHANGED", &Actions::unchanged, Style::kPlain),
      RowsField("KEPT", &Actions::kept, Style::kPlain),
  };
  if (with_conflicts) {
    fields.push_back(RowsField("CONFLICTS", &Actions::conflicts, Style::kBad));
  }
  fields.push_back({"NOTE", [](const Table& t) {
                      return TextValue(t.covered() ? "" : "not in the snapshot", Style::kWarning);
                    }});
  return fields;
}

// The tables, and a last line with the sums if there are several.
std::vector<v1::TableActions> TablesWithTotal(const v1::Plan& plan) {
  std::vector<v1::TableActions> tables(plan.tables().begin(), plan.tables().end());
  if (tables.size() < 2) {
    return tables;
  }
  v1::TableActions total;
  total.set_table("all");
  total.set_covered(true);
  *total.mutable_rows() = plan.totals();
  for (const v1::TableActions& table : plan.tables()) {
    total.set_rows_at_point(total.rows_at_point() + table.rows_at_point());
    total.set_rows_live(total.rows_live() + table.rows_live());
  }
  tables.push_back(std::move(total));
  return tables;
}

std::string Head(const v1::Plan& plan, absl::Time now) {
  std::string text = absl::StrCat("Plan ", plan.id(), ": ");
  if (plan.has_undo()) {
    absl::StrAppend(&text, "undo ", plan.undo().restore(), " of tenant ", NameOf(plan.tenant()));
  } else {
    absl::StrAppend(&text, "restore tenant ", NameOf(plan.tenant()));
  }
  absl::StrAppend(&text, " in store ", Printable(plan.tenant().store()), "\n");
  if (plan.has_restore()) {
    const v1::RestoreMode mode = ModeOf(plan.restore());
    absl::StrAppend(&text, "  ", PointSentence(plan.point(), now), "\n  Mode ", WordFor(mode), ": ",
                    SentenceFor(mode), ".\n");
  } else if (plan.undo().skip_conflicts()) {
    absl::StrAppend(&text, "  Rows that have changed since the restore are left alone.\n");
  }
  if (plan.has_restore() && plan.restore().tables_size() > 0) {
    absl::StrAppend(&text, "  Only these tables: ",
                    Printable(absl::StrJoin(plan.restore().tables(), ", ")), "\n");
  }
  return text;
}

std::string Samples(const v1::Plan& plan) {
  std::vector<std::pair<std::string, std::string>> lines;  // "table action", keys; in order
  for (const v1::PlannedRow& row : plan.samples()) {
    const std::string head =
        absl::StrCat(Printable(row.table()), ", ", WordFor(row.action()), ": ");
    if (lines.empty() || lines.back().first != head) {
      lines.emplace_back(head, "");
    }
    std::string& keys = lines.back().second;
    absl::StrAppend(&keys, keys.empty() ? "" : ", ", Printable(row.key().text()));
  }
  std::string text;
  for (size_t i = 0; i < lines.size() && i < kShownSamples; ++i) {
    absl::StrAppend(&text, "  ", lines[i].first, CutToWidth(lines[i].second, kSampleColumns), "\n");
  }
  if (lines.size() > kShownSamples) {
    absl::StrAppend(&text, "  … and ", lines.size() - kShownSamples, " more; -o json shows all\n");
  }
  return text.empty() ? text : absl::StrCat("\nFor example:\n", text);
}

std::string Conflicts(const v1::Plan& plan) {
  if (plan.totals().conflicts() == 0) {
    return "";
  }
  std::string text = absl::StrCat("\nConflicts: ", HumanNumber(plan.totals().conflicts(), "row"),
                                  " that cannot be settled. As long as this is so, ",
                                  plan.has_undo() ? "the undo is refused; --skip-conflicts leaves "
                                                    "alone what has changed since.\n"
                                                  : "the restore is refused.\n");
  int shown = 0;
  for (const v1::Conflict& conflict : plan.conflicts()) {
    if (++shown > kShownConflicts) {
      absl::StrAppend(&text, "  … and more; -o json shows the first 100\n");
      break;
    }
    absl::StrAppend(&text, "  ", Printable(conflict.table()), " ", Printable(conflict.key().text()),
                    ": ", SentenceFor(conflict), "\n");
  }
  return text;
}

std::string Warnings(const v1::Plan& plan, absl::Time now) {
  std::string text;
  if (plan.has_shrunken()) {
    const v1::ShrunkenWarning& shrunken = plan.shrunken();
    absl::StrAppend(&text, "\nThis point may be after the damage: it has ",
                    HumanCount(shrunken.rows_at_point()), " rows of the tenant, ",
                    shrunken.snapshot(), " of ", HumanTimeWithAge(ToTime(shrunken.instant()), now),
                    ", has ", HumanCount(shrunken.rows_then()), ".\nUse that one with --at ",
                    shrunken.snapshot(), ", or restore this one with --accept-shrunken.\n");
  }
  if (plan.uncovered_tables_size() > 0) {
    absl::StrAppend(&text, "\nNot in the snapshot, and kept as they are: ",
                    Printable(absl::StrJoin(plan.uncovered_tables(), ", ")), ".\n");
  }
  if (plan.unresolved_tables_size() > 0) {
    absl::StrAppend(&text, "\nIt is not known how these relate to tenants: ",
                    Printable(absl::StrJoin(plan.unresolved_tables(), ", ")),
                    ".\nResolve them in the config, or leave them out with "
                    "--accept-uncovered-tables.\n");
  }
  for (const std::string& warning : plan.warnings()) {
    absl::StrAppend(&text, "\n", Printable(warning), "\n");
  }
  return text;
}

bool NeedsUncoveredTablesAccepted(const v1::Plan& plan) {
  const bool is_mirror = ModeOf(plan.restore()) == v1::RESTORE_MODE_MIRROR;
  const bool needs_consent = plan.unresolved_tables_size() > 0 ||
                             (plan.uncovered_tables_size() > 0 && is_mirror && !plan.has_undo());
  return needs_consent && !plan.restore().accept_uncovered_tables();
}

// The command that does what the plan says, or why there is none.
std::string NextCommand(const v1::Plan& plan) {
  if (plan.totals().conflicts() > 0 && !plan.undo().skip_conflicts()) {
    return "Nothing was changed.\n";
  }
  if (plan.rows_to_change() == 0) {
    return "Nothing was changed, and there is nothing to restore.\n";
  }
  std::string command =
      plan.has_undo()
          ? absl::StrCat("reinstate restore undo ", plan.undo().restore())
          : absl::StrCat("reinstate restore create ", ShellWord(plan.tenant().tenant()));
  absl::StrAppend(&command, " --plan ", plan.id(), " --digest ", plan.digest());
  if (plan.undo().skip_conflicts()) {
    absl::StrAppend(&command, " --skip-conflicts");
  }
  if (plan.has_shrunken() && !plan.restore().accept_shrunken()) {
    absl::StrAppend(&command, " --accept-shrunken");
  }
  if (NeedsUncoveredTablesAccepted(plan)) {
    absl::StrAppend(&command, " --accept-uncovered-tables");
  }
  return absl::StrCat("Nothing was changed. To do exactly this:\n  ", command, " --wait\n");
}

std::string Effort(const v1::Plan& plan) {
  std::string text = absl::StrCat(HumanNumber(plan.rows_to_change(), "row"), " to change, ",
                                  HumanBytes(plan.bytes_to_write()), " to write");
  if (plan.has_expected_duration()) {
    absl::StrAppend(&text, ", about ", HumanDuration(ToDuration(plan.expected_duration())));
  }
  return absl::StrCat(text, ", at ", Printable(plan.store_address()), ".\n");
}

}  // namespace

absl::Status PrintPlan(const v1::Plan& plan, const Session& session) {
  const Output& output = session.output();
  if (output.format() != OutputFormat::kTable) {
    const std::vector<v1::TableActions> tables(plan.tables().begin(), plan.tables().end());
    return output.Part(plan, tables, TableFields(/*with_conflicts=*/true));
  }
  output.Text(Head(plan, session.now()));
  output.Text("\n");
  if (plan.tables_size() > 0) {
    output.Text(output.Table(TablesWithTotal(plan), TableFields(plan.totals().conflicts() > 0)));
  } else {
    output.Text("The tenant has no rows, neither at the point nor live.\n");
  }
  output.Text(Samples(plan));
  output.Text(Conflicts(plan));
  output.Text(Warnings(plan, session.now()));
  output.Text(absl::StrCat("\n", Effort(plan), NextCommand(plan)));
  return absl::OkStatus();
}

std::vector<std::string> DestructionFacts(const v1::Plan& plan, const Session& session) {
  std::vector<std::string> facts = {absl::StrCat(
      plan.has_undo() ? absl::StrCat("Undo of ", plan.undo().restore())
                      : absl::StrCat("Restore, ", WordFor(ModeOf(plan.restore()))),
      " of tenant ", NameOf(plan.tenant()), " in store ", Printable(plan.tenant().store()))};
  if (plan.has_restore()) {
    facts.push_back(absl::StrCat("  ", PointSentence(plan.point(), session.now())));
  }
  facts.push_back(absl::StrCat("  where     ", Printable(plan.store_address())));
  facts.push_back(absl::StrCat("  rows      ", ActionsText(plan.totals())));
  for (const v1::TableActions& table : plan.tables()) {
    if (table.rows().replaced() + table.rows().deleted() > 0) {
      facts.push_back(absl::StrCat("    in ", Printable(table.table()), ": ",
                                   HumanCount(table.rows().replaced()), " replaced, ",
                                   HumanCount(table.rows().deleted()), " deleted"));
    }
  }
  return facts;
}

}  // namespace reinstate
