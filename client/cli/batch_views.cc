#include "client/cli/batch_views.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/progress.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

Style StyleOf(v1::BatchState state) {
  switch (state) {
    case v1::BATCH_STATE_SUCCEEDED:
      return Style::kGood;
    case v1::BATCH_STATE_PARTLY_FAILED:
      return Style::kBad;
    case v1::BATCH_STATE_WAITING_FOR_CONSENT:
    case v1::BATCH_STATE_PAUSED:
    case v1::BATCH_STATE_CANCELLED:
      return Style::kWarning;
    default:
      return Style::kPlain;
  }
}

Style StyleOf(v1::BatchLineState state) {
  switch (state) {
    case v1::BATCH_LINE_STATE_SUCCEEDED:
      return Style::kGood;
    case v1::BATCH_LINE_STATE_FAILED:
    case v1::BATCH_LINE_STATE_IN_DOUBT:
    case v1::BATCH_LINE_STATE_NOT_RESTORED:
      return Style::kBad;
    case v1::BATCH_LINE_STATE_CANCELLED:
    case v1::BATCH_LINE_STATE_UNDONE:
      return Style::kWarning;
    default:
      return Style::kPlain;
  }
}

std::string KindText(const v1::Batch& batch) {
  if (batch.kind() == v1::RESTORE_KIND_UNDO) {
    return absl::StrCat("undo of ", batch.undo_of());
  }
  return absl::StrCat(batch.dry_run() ? "dry run, " : "", WordFor(ModeOf(batch)));
}

std::string WhereText(const v1::Batch& batch) {
  return batch.spec().has_group() ? absl::StrCat("group ", batch.spec().group())
                                  : batch.spec().store();
}

std::string PointsText(const v1::Batch& batch, absl::Time now) {
  std::string text;
  for (const v1::BatchStorePoint& point : batch.points()) {
    if (point.has_point()) {
      absl::StrAppend(&text, text.empty() ? "" : " ",
                      batch.points_size() > 1 ? absl::StrCat(point.store(), ": ") : "",
                      PointSentence(point.point(), now));
    }
  }
  return text;
}

std::string ProgressText(const v1::Batch& batch) {
  if (IsFinal(batch)) {
    return "";  // that all was worked off says nothing of what became of it
  }
  const bool moving = batch.state() == v1::BATCH_STATE_RUNNING;
  const ProgressParts parts =
      PartsOf({.what = "", .state = "", .progress = batch.progress(), .moving = moving});
  std::string text;
  for (const std::string& part : {parts.percent, parts.rows, parts.rate, parts.eta,
                                  moving ? batch.eta_basis() : std::string()}) {
    absl::StrAppend(&text, text.empty() || part.empty() ? "" : ", ", part);
  }
  return text;
}

// Also what went by before a retry.
std::string StartToEndText(const v1::Batch& batch) {
  return batch.has_start_time() && batch.has_end_time()
             ? HumanDuration(ToTime(batch.end_time()) - ToTime(batch.start_time()))
             : "";
}

Fields<v1::Batch> DetailFields(absl::Time now) {
  using Batch = v1::Batch;
  return {
      {"batch", [](const Batch& b) { return TextValue(b.id(), Style::kBold); }},
      {"kind", [](const Batch& b) { return TextValue(KindText(b)); }},
      {"store", [](const Batch& b) { return TextValue(WhereText(b)); }},
      {"where", [](const Batch& b) { return TextValue(absl::StrJoin(b.store_addresses(), "; ")); }},
      {"point", [now](const Batch& b) { return TextValue(PointsText(b, now)); }},
      {"tables", [](const Batch& b) { return TextValue(absl::StrJoin(b.spec().tables(), ", ")); }},
      {"state", [](const Batch& b) { return TextValue(WordFor(b.state()), StyleOf(b.state())); }},
      {"that is", [](const Batch& b) { return TextValue(b.state_message()); }},
      {"to go on", [](const Batch& b) { return TextValue(GoOnCommand(b)); }},
      {"customers", [](const Batch& b) { return TextValue(CustomersText(b)); }},
      {"others", [](const Batch& b) { return TextValue(RestText(b.lines())); }},
      {"absent", [](const Batch& b) { return TextValue(AbsencesText(b), Style::kWarning); }},
      {"progress", [](const Batch& b) { return TextValue(ProgressText(b)); }},
      {"holding back",
       [](const Batch& b) {
         return TextValue(absl::StrJoin(b.holding_back(), " "), Style::kWarning);
       }},
      {"rows",
       [](const Batch& b) { return TextValue(b.has_totals() ? ActionsText(b.totals()) : ""); }},
      {"plan", [](const Batch& b) { return TextValue(b.plan()); }},
      {"reason", [](const Batch& b) { return TextValue(b.reason()); }},
      {"reference", [](const Batch& b) { return TextValue(b.reference()); }},
      {"actor", [](const Batch& b) { return TextValue(ActorText(b.actor())); }},
      {"created",
       [now](const Batch& b) { return TimeValue(b.has_create_time(), b.create_time(), now); }},
      {"ended", [now](const Batch& b) { return TimeValue(b.has_end_time(), b.end_time(), now); }},
      {"start to end", [](const Batch& b) { return TextValue(StartToEndText(b)); }},
  };
}

Fields<v1::BatchLine> RunningFields() {
  using Line = v1::BatchLine;
  return {
      {"RUNNING NOW", [](const Line& l) { return TextValue(NameOf(l)); }, Align::kLeft, true},
      {"DOING", [](const Line& l) { return TextValue(DoingText(l)); }},
  };
}

Fields<v1::BatchLine> FailureFields() {
  using Line = v1::BatchLine;
  return {
      {"FAILED LAST", [](const Line& l) { return TextValue(NameOf(l)); }, Align::kLeft, true},
      {"WHY", [](const Line& l) { return TextValue(ProblemText(l), Style::kBad); }, Align::kLeft,
       true},
  };
}

void PrintLines(const google::protobuf::RepeatedPtrField<v1::BatchLine>& lines,
                const Fields<v1::BatchLine>& fields, const Output& output) {
  if (!lines.empty()) {
    output.Text("\n");
    output.Text(output.Table(std::vector<v1::BatchLine>(lines.begin(), lines.end()), fields));
  }
}

// Rows that were changed; in a dry run those that would be. What failed has changed none.
int64_t ChangedRows(const v1::BatchLine& line) {
  int64_t rows = 0;
  for (const v1::BatchLineRestore& restore : line.restores()) {
    if (restore.state() == v1::RESTORE_STATE_SUCCEEDED ||
        restore.state() == v1::RESTORE_STATE_UNSPECIFIED) {
      rows +=
          restore.totals().inserted() + restore.totals().replaced() + restore.totals().deleted();
    }
  }
  return rows;
}

std::string CertificatesText(const v1::BatchLine& line) {
  std::string text;
  for (const v1::BatchLineRestore& restore : line.restores()) {
    if (restore.has_certificate()) {
      absl::StrAppend(&text, text.empty() ? "" : " ", restore.restore());
    }
  }
  return text;
}

Value LineDuration(const v1::BatchLine& line) {
  if (!line.has_start_time() || !line.has_end_time()) {
    return {};
  }
  const absl::Duration duration = ToTime(line.end_time()) - ToTime(line.start_time());
  return {HumanDuration(duration), absl::StrCat(absl::ToDoubleSeconds(duration))};
}

}  // namespace

std::string NameOf(const v1::BatchLine& line) {
  std::string input = absl::StrCat("\"", Printable(line.input()), "\"");
  if (line.tenant().tenant().empty()) {
    return input;
  }
  const bool says_more = !line.input().empty() && line.input() != line.tenant().tenant() &&
                         line.input() != line.tenant().label();
  return says_more ? absl::StrCat(NameOf(line.tenant()), " (", input, ")") : NameOf(line.tenant());
}

std::string SuccessWord(const v1::Batch& batch) {
  if (batch.dry_run()) {
    return "planned";
  }
  return batch.kind() == v1::RESTORE_KIND_UNDO ? "undone" : "restored";
}

std::string CustomersText(const v1::Batch& batch) {
  return absl::StrCat(HumanCount(batch.lines().succeeded()), " of ",
                      HumanNumber(batch.lines().total(), "customer"), " ", SuccessWord(batch));
}

std::string RestText(const v1::BatchCounts& lines) {
  std::string text;
  const auto add = [&text](int64_t count, const char* what) {
    if (count > 0) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", HumanCount(count), " ", what);
    }
  };
  add(lines.running(), "running");
  add(lines.queued(), "queued");
  add(lines.failed(), "failed");
  add(lines.in_doubt(), "in doubt");
  add(lines.cancelled(), "cancelled");
  add(lines.undone(), "undone since");
  add(lines.not_restored(), "left out");
  return text;
}

std::string DoingText(const v1::BatchLine& line) {
  std::string doing;
  for (const v1::BatchLineRestore& restore : line.restores()) {
    const std::string store =
        line.restores_size() > 1 ? absl::StrCat(Printable(restore.store()), ": ") : "";
    const bool running = restore.state() == v1::RESTORE_STATE_RUNNING;
    if (running && restore.phase() != v1::RESTORE_PHASE_UNSPECIFIED) {
      const ProgressParts parts =
          PartsOf({.what = "", .state = "", .progress = restore.progress(), .moving = true});
      return absl::StrCat(store, WordFor(restore.phase()), parts.percent.empty() ? "" : " ",
                          parts.percent);
    }
    // Hooks, before the restore begins or after it.
    if (doing.empty() && !restore.progress().step().empty()) {
      doing = absl::StrCat(store, Printable(restore.progress().step()));
    }
  }
  return doing.empty() ? WordFor(line.state()) : doing;
}

std::string ProblemText(const v1::BatchLine& line) {
  return line.has_problem() ? absl::StrCat(Printable(line.problem().reason()), ": ",
                                           Printable(line.problem().message()))
                            : "";
}

std::string AbsencesText(const v1::Batch& batch) {
  std::string text;
  for (const v1::BatchAbsence& absence : batch.absences()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", HumanNumber(absence.lines(), "customer"),
                    absence.lines() == 1 ? " has" : " have", " no data in store ",
                    Printable(absence.store()), " at the point");
  }
  return text;
}

std::string AbsenceText(const v1::BatchLine& line) {
  return line.absent_in().empty()
             ? ""
             : absl::StrCat("no data in store ", Printable(absl::StrJoin(line.absent_in(), ", ")),
                            " at the point");
}

std::string ExpectedTimeText(const v1::Batch& batch) {
  const ProgressParts parts =
      PartsOf({.what = "", .state = "", .progress = batch.progress(), .moving = true});
  if (parts.eta.empty()) {
    return batch.eta_basis().empty()
               ? ""
               : absl::StrCat("not known yet: ", Printable(batch.eta_basis()));
  }
  return absl::StrCat(absl::StripPrefix(parts.eta, "ETA "), batch.eta_basis().empty() ? "" : ", ",
                      Printable(batch.eta_basis()));
}

std::string HeldBackText(const v1::BatchLine& line) {
  for (const v1::BatchLineRestore& restore : line.restores()) {
    if (!restore.holding_back().empty()) {
      return restore.holding_back();
    }
  }
  return "";
}

std::string GoOnCommand(const v1::Batch& batch) {
  return batch.state() == v1::BATCH_STATE_PAUSED ||
                 batch.state() == v1::BATCH_STATE_WAITING_FOR_CONSENT
             ? absl::StrCat("reinstate batch resume ", ShellWord(batch.id()))
             : "";
}

std::string PointText(const v1::Batch& batch) {
  if (batch.points().empty()) {
    return batch.spec().at();
  }
  const v1::Point& point = batch.points(0).point();
  if (!batch.spec().has_group()) {
    return point.snapshot();
  }
  if (point.has_requested_time()) {
    return Rfc3339(ToTime(point.requested_time()));
  }
  // Of "latest": no other store had a newer one at that instant.
  absl::Time latest = absl::InfinitePast();
  for (const v1::BatchStorePoint& store : batch.points()) {
    latest = std::max(latest, ToTime(store.point().instant()));
  }
  return Rfc3339(latest);
}

std::string RestoreWords(const v1::Batch& batch, const v1::BatchLineRestore& restore) {
  std::string at = PointText(batch);
  for (const v1::BatchStorePoint& store : batch.points()) {
    if (store.store() == restore.store()) {
      at = store.point().snapshot();
    }
  }
  return absl::StrCat(ShellWord(restore.tenant()), " --store ", ShellWord(restore.store()),
                      " --at ", ShellWord(at), " --mode ", WordFor(ModeOf(batch)));
}

std::string PlanCommand(const v1::Batch& batch, const v1::BatchLineRestore& restore) {
  return absl::StrCat("reinstate restore plan ", RestoreWords(batch, restore));
}

v1::RestoreMode ModeOf(const v1::Batch& batch) {
  return batch.spec().mode() == v1::RESTORE_MODE_UNSPECIFIED ? v1::RESTORE_MODE_CREATE_MISSING
                                                             : batch.spec().mode();
}

Fields<v1::Batch> BatchListFields(absl::Time now) {
  using Batch = v1::Batch;
  return {
      {"BATCH", [](const Batch& b) { return TextValue(b.id()); }},
      {"STORE", [](const Batch& b) { return TextValue(WhereText(b)); }},
      {"KIND", [](const Batch& b) { return TextValue(KindText(b)); }},
      {"STATE", [](const Batch& b) { return TextValue(WordFor(b.state()), StyleOf(b.state())); }},
      {"LINES", [](const Batch& b) { return CountValue(b.lines().total()); }, Align::kRight},
      {"SUCCEEDED", [](const Batch& b) { return CountValue(b.lines().succeeded()); },
       Align::kRight},
      {"UNDONE", [](const Batch& b) { return CountValue(b.lines().undone()); }, Align::kRight},
      {"FAILED", [](const Batch& b) { return CountValue(b.lines().failed()); }, Align::kRight},
      {"LEFT OUT", [](const Batch& b) { return CountValue(b.lines().not_restored()); },
       Align::kRight},
      {"INSERTED", [](const Batch& b) { return CountValue(b.totals().inserted()); }, Align::kRight},
      {"REPLACED", [](const Batch& b) { return CountValue(b.totals().replaced()); }, Align::kRight},
      {"DELETED", [](const Batch& b) { return CountValue(b.totals().deleted()); }, Align::kRight},
      {"CREATED",
       [now](const Batch& b) { return TimeValue(b.has_create_time(), b.create_time(), now); }},
      {"REFERENCE", [](const Batch& b) { return TextValue(b.reference()); }},
  };
}

Fields<v1::BatchLine> BatchSummaryFields() {
  using Line = v1::BatchLine;
  return {
      {"LINE", [](const Line& l) { return CountValue(l.line()); }, Align::kRight},
      {"INPUT", [](const Line& l) { return TextValue(l.input()); }, Align::kLeft, true},
      {"ID", [](const Line& l) { return TextValue(l.tenant().tenant()); }},
      {"LABEL", [](const Line& l) { return TextValue(l.tenant().label()); }, Align::kLeft, true},
      {"STATE", [](const Line& l) { return TextValue(WordFor(l.state()), StyleOf(l.state())); }},
      {"DURATION", LineDuration, Align::kRight},
      {"ROWS", [](const Line& l) { return CountValue(ChangedRows(l)); }, Align::kRight},
      {"CERTIFICATE", [](const Line& l) { return TextValue(CertificatesText(l)); }},
      {"REASON", [](const Line& l) { return TextValue(l.problem().reason(), Style::kBad); }},
      {"MESSAGE",
       [](const Line& l) {
         return TextValue(l.has_problem() ? l.problem().message() : HeldBackText(l));
       },
       Align::kLeft, true},
      {"NOTE", [](const Line& l) { return TextValue(l.note()); }, Align::kLeft, true},
      {"NO DATA IN", [](const Line& l) { return TextValue(absl::StrJoin(l.absent_in(), " ")); }},
  };
}

absl::Status PrintBatch(const v1::Batch& batch, Session& session) {
  if (batch.state() == v1::BATCH_STATE_PLANNED) {
    return PrintBatchPlan(batch, session);
  }
  const Output& output = session.output();
  RETURN_IF_ERROR(output.One(batch, DetailFields(session.now()), BatchListFields(session.now())));
  if (output.format() == OutputFormat::kTable) {
    PrintLines(batch.running(), RunningFields(), output);
    PrintLines(batch.failures(), FailureFields(), output);
  }
  return absl::OkStatus();
}

}  // namespace reinstate
