#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/batch_commands.h"
#include "client/cli/batch_order.h"
#include "client/cli/batch_views.h"
#include "client/cli/batch_wait.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int32_t kFrontPriority = 1'000;

struct BatchControlOptions {
  std::string batch;
  std::vector<std::string> tenants;
  std::string reason;
  std::string request_id;
  std::string confirm;
  FollowOptions follow;
  int32_t priority = kFrontPriority;
};

using Options = std::shared_ptr<BatchControlOptions>;
using ControlCall = absl::StatusOr<v1::Batch> (ReinstateClient::*)(v1::ControlBatchRequest);

absl::StatusOr<v1::Batch> Call(const BatchControlOptions& options, ControlCall call,
                               Session& session) {
  v1::ControlBatchRequest request;
  request.set_batch(options.batch);
  request.set_reason(options.reason);
  request.set_request_id(options.request_id);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return (client->*call)(std::move(request));
}

absl::Status Show(v1::Batch batch, const FollowOptions& follow, Session& session) {
  if (follow.wait) {
    return ShowBegunBatch(std::move(batch), follow, session);
  }
  return PrintBatch(batch, session);
}

absl::Status Control(const BatchControlOptions& options, ControlCall call, Session& session) {
  ASSIGN_OR_RETURN(v1::Batch batch, Call(options, call, session));
  return Show(std::move(batch), options.follow, session);
}

// Waits only for what goes on by itself: a person who has to act does not while this waits.
absl::Status NothingToRetry(v1::Batch batch, const BatchControlOptions& options, Session& session) {
  const char* const otherwise =
      options.request_id.empty() ? "" : ", unless a call with this --request-id came before";
  session.Hint(
      absl::StrCat("Nothing of the batch has failed, or was cancelled with it; there is nothing to "
                   "retry",
                   otherwise, "."));
  if (options.follow.wait && GoOnCommand(batch).empty()) {
    return ShowBegunBatch(std::move(batch), options.follow, session);
  }
  return PrintBatch(batch, session);
}

// Whether a batch is as it was: what was begun of it since would show in one of these.
bool IsAsBefore(const v1::Batch& before, const v1::Batch& now) {
  return now.state() == before.state() &&
         now.lines().SerializeAsString() == before.lines().SerializeAsString() &&
         now.end_time().SerializeAsString() == before.end_time().SerializeAsString();
}

absl::Status Retry(const BatchControlOptions& options, Session& session) {
  v1::GetBatchRequest get;
  get.set_batch(options.batch);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Batch before, client->GetBatch(get));
  ASSIGN_OR_RETURN(v1::Batch batch, Call(options, &ReinstateClient::RetryBatch, session));
  return IsAsBefore(before, batch) ? NothingToRetry(std::move(batch), options, session)
                                   : Show(std::move(batch), options.follow, session);
}

std::vector<std::string> CancelFacts(const v1::Batch& batch) {
  std::vector<std::string> facts = {
      absl::StrCat("Cancel of the batch ", Printable(batch.id()), ", ", WordFor(batch.state()),
                   ", of ", batch.lines().total(), " customers"),
      absl::StrCat("  ", CustomersText(batch), ", and stay so: reinstate batch undo takes it back"),
      absl::StrCat("  ", HumanCount(batch.lines().queued() + batch.lines().running()),
                   " are cancelled, unless they commit just now")};
  for (const std::string& address : batch.store_addresses()) {
    facts.push_back(absl::StrCat("  where     ", Printable(address)));
  }
  return facts;
}

absl::Status Cancel(const BatchControlOptions& options, Session& session) {
  v1::GetBatchRequest get;
  get.set_batch(options.batch);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Batch batch, client->GetBatch(get));
  if (IsFinal(batch)) {
    session.Hint("The batch has ended; there is nothing to cancel.");
    return PrintBatch(batch, session);
  }
  RETURN_IF_ERROR(ConfirmBatch({.facts = CancelFacts(batch),
                                .count = batch.lines().total(),
                                .digest = "",
                                .given = options.confirm},
                               session.console()));
  return Control(options, &ReinstateClient::CancelBatch, session);
}

// The id of the customer of a batch that `text` means: an id, a label, or what the list said.
absl::StatusOr<std::string> IdInBatch(const std::string& batch, const std::string& text,
                                      ReinstateClient* client) {
  v1::ListBatchLinesRequest request;
  request.set_batch(batch);
  request.set_tenant(text);
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> lines, client->ListBatchLines(request));
  std::set<std::string> ids;
  std::vector<std::string> names;
  for (const v1::BatchLine& line : lines) {
    const std::string& id = line.tenant().tenant();
    if (id == text) {
      return id;
    }
    if (!id.empty() && ids.insert(id).second) {
      names.push_back(NameOf(line.tenant()));
    }
  }
  if (ids.size() == 1) {
    return *ids.begin();
  }
  if (ids.empty()) {
    return MakeError(Reason::kTenantNotFound,
                     absl::StrCat("The batch ", batch, " has no customer '", text, "'."));
  }
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("Several customers of the batch are called '", text,
                                "', say which by its id: ", absl::StrJoin(names, ", ")));
}

absl::Status Prioritize(const BatchControlOptions& options, Session& session) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  v1::PrioritizeBatchRequest request;
  request.set_batch(options.batch);
  for (const std::string& tenant : options.tenants) {
    ASSIGN_OR_RETURN(const std::string id, IdInBatch(options.batch, tenant, client));
    request.add_tenants(id);
  }
  request.set_priority(options.priority);
  request.set_reason(options.reason);
  request.set_request_id(options.request_id);
  ASSIGN_OR_RETURN(const v1::Batch batch, client->PrioritizeBatch(std::move(request)));
  return PrintBatch(batch, session);
}

absl::Status Pause(const BatchControlOptions& options, Session& session) {
  return Control(options, &ReinstateClient::PauseBatch, session);
}

absl::Status Resume(const BatchControlOptions& options, Session& session) {
  return Control(options, &ReinstateClient::ResumeBatch, session);
}

struct ControlVerb {
  const char* name;
  const char* summary;
  absl::Status (*run)(const BatchControlOptions& options, Session& session);
};

constexpr ControlVerb kControlVerbs[] = {
    {"pause", "Begins no further restore; what runs rolls back and waits", Pause},
    {"resume", "Goes on after a pause; also although tenants still lose rows", Resume},
    {"retry", "Tries again what failed or was cancelled with the batch, be it only a hook", Retry},
};

void AddAuditOptions(CLI::App* command, const Options& options) {
  command->add_option("--reason", options->reason, "Why, for the audit");
  command->add_option("--request-id", options->request_id,
                      "Makes it one call however often the command is run; default random");
}

}  // namespace

void AddBatchControlCommands(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<BatchControlOptions>();
  for (const ControlVerb& verb : kControlVerbs) {
    CLI::App* command = tree->AddCommand(
        noun,
        {verb.name, verb.summary, absl::StrCat("reinstate batch ", verb.name, " ", kExampleBatch)},
        [options, run = verb.run](Session& session) { return run(*options, session); });
    AddBatchId(command, &options->batch);
    AddAuditOptions(command, options);
    AddWaitOption(command, &options->follow.wait);
  }

  CLI::App* cancel = tree->AddCommand(
      noun,
      {"cancel", "Cancels what has not ended; what is restored stays restored",
       absl::StrCat("reinstate batch cancel ", kExampleBatch, " --reason 'wrong point, INC-77'")},
      [options](Session& session) { return Cancel(*options, session); });
  AddBatchId(cancel, &options->batch);
  AddAuditOptions(cancel, options);
  AddConfirmCountOption(cancel, &options->confirm, "the number of customers of the batch");
  AddWaitOption(cancel, &options->follow.wait);

  CLI::App* prioritize = tree->AddCommand(
      noun,
      {"prioritize", "Moves customers of a batch to the front, or all of it before other batches",
       absl::StrCat("reinstate batch prioritize ", kExampleBatch,
                    " 1001 'Acme Corp'\nreinstate batch prioritize ", kExampleBatch,
                    " --priority=-5")},
      [options](Session& session) { return Prioritize(*options, session); });
  AddBatchId(prioritize, &options->batch);
  prioritize->add_option("TENANT", options->tenants,
                         "Ids or names of customers of the batch; none means all");
  prioritize->add_option("--priority", options->priority, "Higher ones run first")
      ->capture_default_str();
  AddAuditOptions(prioritize, options);
}

}  // namespace reinstate
