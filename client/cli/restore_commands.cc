#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command_tree.h"
#include "client/cli/exit_code.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct RestoreOptions {
  std::string restore;
  std::vector<std::string> restores;
  std::string store;
  std::string tenant;
  std::vector<std::string> states;
  std::string reason;
  std::string outcome;
  int64_t limit = 50;
  bool wait = false;
};

using Options = std::shared_ptr<RestoreOptions>;

absl::Status Get(const RestoreOptions& options, Session& session) {
  v1::GetRestoreRequest request;
  request.set_restore(options.restore);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Restore restore, client->GetRestore(request));
  return PrintRestore(restore, session);
}

absl::StatusOr<v1::RestoreState> StateOf(const std::string& word) {
  for (int number = v1::RestoreState_MIN; number <= v1::RestoreState_MAX; ++number) {
    const auto state = static_cast<v1::RestoreState>(number);
    if (v1::RestoreState_IsValid(number) && !word.empty() && WordFor(state) == word) {
      return state;
    }
  }
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("There is no state ", word,
                                "; there are: queued, running, in-doubt, succeeded, failed, "
                                "cancelled, undone."));
}

absl::Status List(const RestoreOptions& options, Session& session) {
  v1::ListRestoresRequest request;
  request.set_store(options.store);
  if (!options.tenant.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
    request.set_tenant(options.tenant);
  }
  for (const std::string& word : options.states) {
    ASSIGN_OR_RETURN(const v1::RestoreState state, StateOf(word));
    request.add_states(state);
  }
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const std::vector<v1::Restore> restores,
                   client->ListRestores(request, options.limit));
  return session.output().List(restores, RestoreListFields(session.now()),
                               "There are no restores.");
}

// Waits for each in turn: they go on at the same time, so the last one ends as soon as all have.
absl::Status WatchSeveral(const RestoreOptions& options, Session& session) {
  std::vector<v1::Restore> restores;
  std::vector<std::string> failed;
  absl::Status first_failure;
  const size_t count = options.restores.size();
  for (const std::string& id : options.restores) {
    const std::string what =
        absl::StrCat("Restore ", id, " (", restores.size() + 1, " of ", count, ")");
    ASSIGN_OR_RETURN(const v1::Restore restore, session.WaitForRestore(id, what));
    const absl::Status outcome = OutcomeOf(restore);
    if (!outcome.ok()) {
      failed.push_back(id);
      first_failure.Update(outcome);
    }
    restores.push_back(restore);
  }
  RETURN_IF_ERROR(session.output().List(restores, RestoreListFields(session.now()), ""));
  if (failed.empty() || failed.size() == count) {
    return first_failure;
  }
  return MakeErrorFromName(absl::StatusCode::kUnknown, kPartlyFailedReason,
                           absl::StrCat(failed.size(), " of ", count,
                                        " did not succeed: ", absl::StrJoin(failed, ", ")));
}

absl::Status Watch(const RestoreOptions& options, Session& session) {
  if (options.restores.size() > 1) {
    return WatchSeveral(options, session);
  }
  const std::string& id = options.restores.front();
  ASSIGN_OR_RETURN(const v1::Restore restore,
                   session.WaitForRestore(id, absl::StrCat("Restore ", id)));
  RETURN_IF_ERROR(PrintRestore(restore, session));
  return ReportOutcome(restore, session);
}

absl::Status Cancel(const RestoreOptions& options, Session& session) {
  v1::CancelRestoreRequest request;
  request.set_restore(options.restore);
  request.set_reason(options.reason);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(v1::Restore restore, client->CancelRestore(request));
  if (options.wait) {
    ASSIGN_OR_RETURN(
        restore, session.WaitForRestore(restore.id(), absl::StrCat("Cancelling ", restore.id())));
  }
  return PrintRestore(restore, session);
}

absl::Status Resolve(const RestoreOptions& options, Session& session) {
  v1::ResolveRestoreRequest request;
  request.set_restore(options.restore);
  request.set_outcome(options.outcome == "committed" ? v1::RESOLVED_OUTCOME_COMMITTED
                                                     : v1::RESOLVED_OUTCOME_NOT_COMMITTED);
  request.set_reason(options.reason);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Restore restore, client->ResolveRestore(request));
  return PrintRestore(restore, session);
}

absl::Status ShowCertificate(const RestoreOptions& options, Session& session) {
  v1::GetCertificateRequest request;
  request.set_restore(options.restore);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Certificate certificate, client->GetCertificate(request));
  return PrintCertificate(certificate, session);
}

void AddId(CLI::App* command, const Options& options) {
  command->add_option("RESTORE", options->restore, "The restore's id, rst-…")->required();
}

void AddReadingCommands(CommandTree* tree, CLI::App* noun, const Options& options) {
  AddId(tree->AddCommand(
            noun,
            {"get", "Shows one restore", "reinstate restore get rst-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
            [options](Session& session) { return Get(*options, session); }),
        options);

  CLI::App* list =
      tree->AddCommand(noun,
                       {"list", "Lists restores and undos, newest first",
                        "reinstate restore list --state failed --state in-doubt\n"
                        "reinstate restore list --tenant 1001 -o json"},
                       [options](Session& session) { return List(*options, session); });
  list->add_option("-s,--store", options->store, "Only those of this store")->type_name("NAME");
  list->add_option("--tenant", options->tenant, "Only those of this tenant")->type_name("TENANT");
  list->add_option("--state", options->states, "Only those in this state; may be repeated")
      ->type_name("STATE")
      ->expected(1)
      ->take_all();
  list->add_option("--limit", options->limit, "At most so many; 0 for all")->capture_default_str();

  CLI::App* watch =
      tree->AddCommand(noun,
                       {"watch", "Waits until restores have ended, with progress",
                        "reinstate restore watch rst-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
                       [options](Session& session) { return Watch(*options, session); });
  watch->add_option("RESTORE", options->restores, "Ids of one or more restores")->required();

  AddId(
      tree->AddCommand(noun,
                       {"certificate", "Shows what was verified of a restore, with every exception",
                        "reinstate restore certificate rst-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
                       [options](Session& session) { return ShowCertificate(*options, session); }),
      options);
}

void AddStoppingCommands(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* cancel =
      tree->AddCommand(noun,
                       {"cancel", "Asks a restore to stop; the tenant stays as it is",
                        "reinstate restore cancel rst-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
                       [options](Session& session) { return Cancel(*options, session); });
  AddId(cancel, options);
  cancel->add_option("--reason", options->reason, "Why, for the audit");
  AddWaitOption(cancel, &options->wait);

  CLI::App* resolve = tree->AddCommand(
      noun,
      {"resolve", "Says whether a restore that is in doubt was committed",
       "reinstate restore resolve rst-01HF8Z3V9K2M4N6P8Q0R2S4T6V --outcome not-committed "
       "--reason 'the rows are not there, INC-77'"},
      [options](Session& session) { return Resolve(*options, session); });
  AddId(resolve, options);
  resolve->add_option("--outcome", options->outcome, "What a look at the store has shown")
      ->check(CLI::IsMember({"committed", "not-committed"}))
      ->required();
  resolve->add_option("--reason", options->reason, "How that was found out")->required();
}

}  // namespace

void AddRestoreCommands(CommandTree* tree) {
  CLI::App* noun = tree->AddNoun("restore", "Restores: seeing first, doing, proving, undoing");
  const auto options = std::make_shared<RestoreOptions>();
  AddRestoreBeginCommands(tree, noun);
  AddReadingCommands(tree, noun, options);
  AddStoppingCommands(tree, noun, options);
}

}  // namespace reinstate
