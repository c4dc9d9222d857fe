#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/batch_commands.h"
#include "client/cli/batch_problems.h"
#include "client/cli/batch_views.h"
#include "client/cli/batch_wait.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/progress.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct BatchReadingOptions {
  std::string batch;
  std::string tenant;
  std::vector<std::string> states;
  int64_t limit = 50;
  bool lines = false;
  bool summary = false;
};

using Options = std::shared_ptr<BatchReadingOptions>;

absl::StatusOr<v1::Batch> GetBatch(const std::string& id, Session& session) {
  v1::GetBatchRequest request;
  request.set_batch(id);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->GetBatch(request);
}

std::string StoresText(const v1::BatchLine& line) {
  return absl::StrJoin(line.restores(), "; ", [](std::string* out, const auto& restore) {
    absl::StrAppend(out, restore.store(), ": ", WordFor(restore.state()),
                    restore.restore().empty() ? "" : absl::StrCat(", ", restore.restore()),
                    restore.has_totals() ? absl::StrCat(", ", ActionsText(restore.totals())) : "");
  });
}

std::string DurationText(const v1::BatchLine& line) {
  return line.has_start_time() && line.has_end_time()
             ? HumanDuration(ToTime(line.end_time()) - ToTime(line.start_time()))
             : "";
}

// When to ask again about a line that has not ended; empty once it has.
std::string BatchText(const v1::Batch& batch, const v1::BatchLine& line) {
  const bool open =
      line.state() == v1::BATCH_LINE_STATE_QUEUED || line.state() == v1::BATCH_LINE_STATE_RUNNING;
  if (!open) {
    return "";
  }
  const std::string eta =
      PartsOf({.what = "", .state = "", .progress = batch.progress(), .moving = true}).eta;
  return absl::StrCat(WordFor(batch.state()), ", ", CustomersText(batch), eta.empty() ? "" : ", ",
                      eta, eta.empty() ? "" : " for all of them");
}

// One customer, for whoever asks about it.
Fields<v1::BatchLine> CustomerFields(const v1::Batch& batch, absl::Time now) {
  using Line = v1::BatchLine;
  const ProblemContext context = ContextOf(batch);
  return {
      {"customer", [](const Line& l) { return TextValue(NameOf(l), Style::kBold); }},
      {"line", [](const Line& l) { return CountValue(l.line()); }},
      {"note", [](const Line& l) { return TextValue(l.note()); }},
      {"state", [](const Line& l) { return TextValue(WordFor(l.state())); }},
      {"doing",
       [](const Line& l) {
         return TextValue(l.state() == v1::BATCH_LINE_STATE_RUNNING ? DoingText(l) : "");
       }},
      {"batch", [batch](const Line& l) { return TextValue(BatchText(batch, l)); }},
      {"holding back", [](const Line& l) { return TextValue(HeldBackText(l), Style::kWarning); }},
      {"why", [](const Line& l) { return TextValue(ProblemText(l), Style::kBad); }},
      {"next",
       [context](const Line& l) {
         return TextValue(l.has_problem() ? NextStepFor(l, context) : "");
       }},
      {"stores", [](const Line& l) { return TextValue(StoresText(l)); }},
      {"absent", [](const Line& l) { return TextValue(AbsenceText(l), Style::kWarning); }},
      {"started",
       [now](const Line& l) { return TimeValue(l.has_start_time(), l.start_time(), now); }},
      {"ended", [now](const Line& l) { return TimeValue(l.has_end_time(), l.end_time(), now); }},
      {"took", [](const Line& l) { return TextValue(DurationText(l)); }},
  };
}

absl::StatusOr<v1::BatchLineState> LineStateOf(const std::string& word) {
  std::vector<std::string> words;
  for (int number = v1::BatchLineState_MIN; number <= v1::BatchLineState_MAX; ++number) {
    const auto state = static_cast<v1::BatchLineState>(number);
    if (const std::string known = WordFor(state); !known.empty()) {
      if (known == word) {
        return state;
      }
      words.push_back(known);
    }
  }
  return MakeError(
      Reason::kInvalidArgument,
      absl::StrCat("There is no state ", word, "; there are: ", absl::StrJoin(words, ", "), "."));
}

// The lines that the options ask for.
absl::StatusOr<std::vector<v1::BatchLine>> ListLines(const BatchReadingOptions& options,
                                                     Session& session) {
  v1::ListBatchLinesRequest request;
  request.set_batch(options.batch);
  request.set_tenant(options.tenant);
  for (const std::string& word : options.states) {
    ASSIGN_OR_RETURN(const v1::BatchLineState state, LineStateOf(word));
    request.add_states(state);
  }
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->ListBatchLines(request);
}

bool Mentions(const std::string& text, const std::string& words) {
  return absl::StrContains(absl::AsciiStrToLower(text), absl::AsciiStrToLower(words));
}

// The lines of the customer that is asked for, or else those with a name that it is a part of.
absl::StatusOr<std::vector<v1::BatchLine>> FindCustomer(const BatchReadingOptions& options,
                                                        Session& session) {
  ASSIGN_OR_RETURN(std::vector<v1::BatchLine> lines, ListLines(options, session));
  if (lines.empty()) {
    BatchReadingOptions any = options;
    any.tenant.clear();
    ASSIGN_OR_RETURN(lines, ListLines(any, session));
    std::erase_if(lines, [&](const v1::BatchLine& line) {
      return !Mentions(line.tenant().label(), options.tenant) &&
             !Mentions(line.input(), options.tenant);
    });
  }
  return lines;
}

absl::Status ShowCustomer(const BatchReadingOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const v1::Batch batch, GetBatch(options.batch, session));
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> lines, FindCustomer(options, session));
  if (lines.empty()) {
    return MakeError(Reason::kTenantNotFound,
                     absl::StrCat("The batch ", options.batch, " has no customer '", options.tenant,
                                  "'. Its lines are listed by: reinstate batch get ",
                                  ShellWord(options.batch), " --lines"));
  }
  if (!session.for_people()) {
    return session.output().List(lines, BatchSummaryFields(), "");
  }
  for (const v1::BatchLine& line : lines) {
    session.output().Text(&line == &lines.front() ? "" : "\n");
    RETURN_IF_ERROR(session.output().One(line, CustomerFields(batch, session.now())));
  }
  return absl::OkStatus();
}

// The lines, as CSV unless another format was asked for.
absl::Status Summary(const BatchReadingOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> lines, ListLines(options, session));
  return session.OutputOr(OutputFormat::kCsv)
      .List(lines, BatchSummaryFields(), "The batch has no such lines.");
}

absl::Status Get(const BatchReadingOptions& options, Session& session) {
  if (options.summary) {
    return Summary(options, session);
  }
  if (!options.tenant.empty()) {
    return ShowCustomer(options, session);
  }
  if (options.lines || !options.states.empty()) {
    ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> lines, ListLines(options, session));
    return session.output().List(lines, BatchSummaryFields(), "The batch has no such lines.");
  }
  ASSIGN_OR_RETURN(const v1::Batch batch, GetBatch(options.batch, session));
  return PrintBatch(batch, session);
}

absl::Status List(const BatchReadingOptions& options, Session& session) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const std::vector<v1::Batch> batches, client->ListBatches({}, options.limit));
  return session.output().List(batches, BatchListFields(session.now()), "There are no batches.");
}

absl::Status Watch(const BatchReadingOptions& options, Session& session) {
  const bool stream = session.output().format() == OutputFormat::kJson;
  ASSIGN_OR_RETURN(const v1::Batch batch, WaitForBatch(options.batch, stream, session));
  if (!stream) {
    RETURN_IF_ERROR(PrintBatch(batch, session));
  }
  return ReportBatchOutcome(batch, session);
}

void AddGet(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* get = tree->AddCommand(
      noun,
      {"get", "Shows a batch as it is now, or one customer of it, or its lines",
       absl::StrCat("reinstate batch get ", kExampleBatch, "\nreinstate batch get ", kExampleBatch,
                    " --tenant 'Acme Corp'\nreinstate batch get ", kExampleBatch,
                    " --lines --state failed -o csv")},
      [options](Session& session) { return Get(*options, session); });
  AddBatchId(get, &options->batch);
  get->add_option("--tenant", options->tenant,
                  "Only this customer: an id, a label, or what the list said, or a part of it")
      ->type_name("NAME");
  get->add_flag("--lines", options->lines, "All lines, with what became of each");
  get->add_option("--state", options->states, "Only lines in this state; may be repeated")
      ->type_name("STATE")
      ->expected(1)
      ->take_all();
  get->add_flag("--summary", options->summary, "As reinstate batch summary");
}

}  // namespace

void AddBatchReadingCommands(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<BatchReadingOptions>();
  AddGet(tree, noun, options);

  CLI::App* list = tree->AddCommand(
      noun, {"list", "Lists batches, newest first", "reinstate batch list --limit 10"},
      [options](Session& session) { return List(*options, session); });
  list->add_option("--limit", options->limit, "At most so many; 0 for all")->capture_default_str();

  AddBatchId(
      tree->AddCommand(
          noun,
          {"watch",
           "Follows a batch until it has ended; -o json writes each state, and each customer that "
           "has ended, as a line",
           absl::StrCat("reinstate batch watch ", kExampleBatch, "\nreinstate batch watch ",
                        kExampleBatch, " -o json")},
          [options](Session& session) { return Watch(*options, session); }),
      &options->batch);

  AddBatchId(tree->AddCommand(
                 noun,
                 {"summary", "Writes one line a customer, as CSV: state, rows, certificate, reason",
                  absl::StrCat("reinstate batch summary ", kExampleBatch, " > summary.csv")},
                 [options](Session& session) { return Summary(*options, session); }),
             &options->batch);
}

}  // namespace reinstate
