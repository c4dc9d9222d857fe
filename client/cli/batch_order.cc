#include "client/cli/batch_order.h"

#include <algorithm>
#include <ostream>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/batch_views.h"
#include "client/cli/batch_wait.h"
#include "client/cli/confirmation.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kMaxTextBytes = 1024;  // of a line's input and of its note
constexpr size_t kDigestSize = 64;

// `text` within what a line may say.
std::string Cut(const std::string& text) {
  if (text.size() <= kMaxTextBytes) {
    return text;
  }
  constexpr std::string_view kEllipsis = "…";
  size_t end = kMaxTextBytes - kEllipsis.size();
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
    --end;  // not within a character
  }
  return text.substr(0, end).append(kEllipsis);
}

v1::Failure Problem(Reason reason, const std::string& message) {
  v1::Failure failure;
  failure.set_reason(std::string(ReasonName(reason)));
  failure.set_code(static_cast<int>(MakeError(reason, "").code()));
  failure.set_message(message);
  return failure;
}

// Why a line cannot be restored that does not mean one tenant for sure.
v1::Failure ProblemOf(const ResolvedLine& line) {
  const v1::TenantResolution& resolution = line.resolution;
  if (!line.fault.empty()) {
    return Problem(Reason::kInvalidArgument, line.fault);
  }
  const std::string candidates = CandidatesText(resolution);
  if (resolution.match() == v1::TENANT_RESOLUTION_KIND_AMBIGUOUS) {
    return Problem(Reason::kInvalidArgument,
                   absl::StrCat("The name is ambiguous, several tenants have it: ", candidates));
  }
  if (candidates.empty()) {
    return Problem(Reason::kTenantNotFound, "No tenant has this id or name, and none a like one.");
  }
  return Problem(Reason::kTenantNotFound,
                 absl::StrCat("No tenant has this id or name. Like it are: ", candidates));
}

// Whether the store in which the list was resolved has no tenant with this id or name.
bool IsUnknown(const ResolvedLine& line) {
  return line.fault.empty() && (line.resolution.match() == v1::TENANT_RESOLUTION_KIND_NONE ||
                                line.resolution.match() == v1::TENANT_RESOLUTION_KIND_SIMILAR);
}

v1::BatchLine InvalidLine(const v1::BatchLineSpec& spec) {
  v1::BatchLine line;
  line.set_line(spec.line());
  line.set_input(spec.input());
  line.mutable_tenant()->set_tenant(spec.tenant());
  line.set_state(v1::BATCH_LINE_STATE_NOT_RESTORED);
  *line.mutable_problem() = spec.problem();
  return line;
}

// What the client knows to be wrong, and what the daemon found.
std::vector<v1::BatchLine> InvalidLines(const LineCheck& check) {
  std::vector<v1::BatchLine> lines;
  std::set<int64_t> known;
  for (const v1::BatchLineSpec& spec : check.sent) {
    if (spec.has_problem()) {
      lines.push_back(InvalidLine(spec));
      known.insert(spec.line());
    }
  }
  for (const v1::BatchLine& line : check.found_wrong) {
    if (!known.contains(line.line())) {
      lines.push_back(line);
    }
  }
  std::stable_sort(lines.begin(), lines.end(), [](const v1::BatchLine& a, const v1::BatchLine& b) {
    return a.line() < b.line();
  });
  return lines;
}

// Of whom a dry run replaces or deletes the most rows.
void AppendLargest(const v1::Batch& batch, std::vector<std::string>* facts) {
  for (const v1::BatchLine& line : batch.largest()) {
    int64_t replaced = 0;
    int64_t deleted = 0;
    for (const v1::BatchLineRestore& restore : line.restores()) {
      replaced += restore.totals().replaced();
      deleted += restore.totals().deleted();
    }
    if (replaced + deleted > 0) {
      facts->push_back(absl::StrCat("    of ", NameOf(line), ": ", HumanCount(replaced),
                                    " replaced, ", HumanCount(deleted), " deleted"));
    }
  }
}

}  // namespace

std::vector<v1::BatchLineSpec> LineSpecsOf(const ResolvedList& list, UnknownLines* unknown) {
  std::vector<v1::BatchLineSpec> specs;
  specs.reserve(list.lines.size());
  for (const ResolvedLine& line : list.lines) {
    v1::BatchLineSpec& spec = specs.emplace_back();
    spec.set_line(line.resolution.line());
    spec.set_input(Cut(line.resolution.input()));
    spec.set_note(Cut(line.note));
    if (IsResolved(line)) {
      spec.set_tenant(line.resolution.ref().tenant());
    } else if (unknown != nullptr && IsUnknown(line)) {
      spec.set_tenant(line.text);
      unknown->emplace(spec.line(), ProblemOf(line));
    } else {
      *spec.mutable_problem() = ProblemOf(line);
    }
  }
  return specs;
}

void LeaveOutUnknown(const std::vector<v1::BatchLine>& found_wrong, const UnknownLines& unknown,
                     google::protobuf::RepeatedPtrField<v1::BatchLineSpec>* lines) {
  std::set<int64_t> wrong;
  for (const v1::BatchLine& line : found_wrong) {
    wrong.insert(line.line());
  }
  for (v1::BatchLineSpec& spec : *lines) {
    const auto problem = unknown.find(spec.line());
    if (problem != unknown.end() && wrong.contains(spec.line())) {
      spec.clear_tenant();
      *spec.mutable_problem() = problem->second;
    }
  }
}

ProblemContext ContextOf(const TenantListFile& file, const TenantList& list,
                         const std::string& store, const std::string& at) {
  ProblemContext context{.file = file.path, .at = at};
  context.list_resolved = list.resolved;
  context.list_options = ReadingOptions(file);
  if (!store.empty()) {
    absl::StrAppend(&context.list_options, context.list_options.empty() ? "" : " ", "--store ",
                    ShellWord(store));
  }
  return context;
}

absl::StatusOr<std::vector<v1::BatchLine>> FoundWrong(const v1::Batch& checked, LineSpecs lines,
                                                      const CheckLines& again) {
  std::vector<v1::BatchLine> wrong(checked.invalid().begin(), checked.invalid().end());
  v1::Batch answer = checked;
  while (answer.invalid_size() < answer.lines().not_restored()) {
    std::set<int64_t> known;
    for (const v1::BatchLine& line : answer.invalid()) {
      known.insert(line.line());
    }
    const int before = lines.size();
    // Those that were sent with a problem are known, too.
    lines.erase(std::remove_if(lines.begin(), lines.end(),
                               [&](const v1::BatchLineSpec& line) {
                                 return line.has_problem() || known.contains(line.line());
                               }),
                lines.end());
    if (lines.empty()) {
      break;
    }
    if (lines.size() == before) {
      return MakeError(Reason::kInternal, "The daemon does not say which lines are wrong.");
    }
    ASSIGN_OR_RETURN(answer, again(lines));
    wrong.insert(wrong.end(), answer.invalid().begin(), answer.invalid().end());
  }
  return wrong;
}

absl::StatusOr<int64_t> CountValidLines(const LineCheck& check, bool skip_invalid,
                                        ProblemContext context, const Session& session) {
  const std::vector<v1::BatchLine> lines = InvalidLines(check);
  const auto invalid = static_cast<int64_t>(lines.size());
  const auto sent = static_cast<int64_t>(check.sent.size());
  const int64_t valid = sent - invalid;
  if (invalid == 0) {
    return valid;
  }
  const bool refused = valid <= 0 || !skip_invalid;
  context.left_out = !refused;
  *session.console().err << RenderProblems(lines, context) << std::flush;
  if (!refused) {
    session.console().Say(
        absl::StrCat(HumanNumber(invalid, "line"), " left out, as --skip-invalid says."));
    return valid;
  }
  if (!session.for_people()) {
    RETURN_IF_ERROR(WriteProblems(lines, context, session.output()));
  }
  return MakeError(
      Reason::kBatchLinesInvalid,
      valid <= 0 ? "No line can be restored. Nothing was begun."
                 : absl::StrCat(HumanCount(invalid), " of ", HumanNumber(sent, "line"),
                                " cannot be restored. Nothing was begun. Correct them, or go on "
                                "without them: --skip-invalid."));
}

bool IsDigest(const std::string& text) {
  return text.size() == kDigestSize && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
}

absl::Status ConfirmBatch(const BatchConsent& consent, const Console& console) {
  const bool by_digest = !consent.digest.empty() && IsDigest(consent.given);
  return Confirm({.facts = consent.facts,
                  .name = by_digest ? "the digest of the dry run" : "the number of customers",
                  .expected = by_digest ? consent.digest : absl::StrCat(consent.count),
                  .given = consent.given},
                 console);
}

std::vector<std::string> BatchFacts(const v1::Batch& batch, int64_t count, const Session& session) {
  // The count as it is to be typed.
  std::vector<std::string> facts = {absl::StrCat(
      "Restore, ", WordFor(ModeOf(batch)), ", of ", count, count == 1 ? " customer" : " customers",
      batch.spec().has_group() ? " in the group " : " in store ",
      Printable(batch.spec().has_group() ? batch.spec().group() : batch.spec().store()))};
  for (const v1::BatchStorePoint& point : batch.points()) {
    facts.push_back(absl::StrCat("  ", Printable(point.store()), ": ",
                                 PointSentence(point.point(), session.now())));
  }
  for (const std::string& address : batch.store_addresses()) {
    facts.push_back(absl::StrCat("  where     ", Printable(address)));
  }
  if (batch.dry_run()) {
    facts.push_back(absl::StrCat("  rows      ", ActionsText(batch.totals())));
  }
  if (const std::string time = ExpectedTimeText(batch); batch.dry_run() && !time.empty()) {
    facts.push_back(absl::StrCat("  time      ", time));
  }
  if (const std::string absent = AbsencesText(batch); !absent.empty()) {
    facts.push_back(absl::StrCat("  absent    ", absent, ": nothing is done there for them"));
  }
  AppendLargest(batch, &facts);
  if (const std::string rest = RestText(batch.lines()); batch.dry_run() && !rest.empty()) {
    facts.push_back(absl::StrCat("  others    ", rest));
    if (batch.lines().failed() > 0) {
      absl::StrAppend(&facts.back(), "; those: reinstate batch get ", ShellWord(batch.id()),
                      " --lines --state failed");
    }
  }
  return facts;
}

absl::StatusOr<v1::Batch> PlanBatch(v1::CreateBatchRequest request, Session& session) {
  request.set_dry_run(true);
  request.set_validate_only(false);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Batch plan, client->CreateBatch(std::move(request)));
  return WaitForBatch(plan.id(), /*stream=*/false, session);
}

}  // namespace reinstate
