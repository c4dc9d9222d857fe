#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/batch_commands.h"
#include "client/cli/batch_order.h"
#include "client/cli/batch_wait.h"
#include "client/cli/display_text.h"
#include "client/cli/restore_views.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct BatchUndoOptions {
  std::string batch;
  std::string reason;
  std::string reference;
  std::string request_id;
  std::string confirm;
  FollowOptions follow;
  bool skip_conflicts = false;
};

std::vector<std::string> UndoFacts(const v1::Batch& undone, const v1::Batch& undo,
                                   bool skip_conflicts) {
  std::vector<std::string> facts = {
      absl::StrCat("Undo of the batch ", Printable(undone.id()), ", of ", undo.lines().total(),
                   undo.lines().total() == 1 ? " customer" : " customers")};
  for (const std::string& address : undone.store_addresses()) {
    facts.push_back(absl::StrCat("  where     ", Printable(address)));
  }
  facts.push_back(absl::StrCat("  it did    ", ActionsText(undone.totals())));
  facts.push_back("  What was inserted is deleted, what was replaced or deleted is put back.");
  facts.push_back(skip_conflicts ? "  Rows that have changed since are left alone."
                                 : "  A customer whose rows have changed since is refused, and the "
                                   "others are undone; with --skip-conflicts only these rows are "
                                   "left alone.");
  return facts;
}

absl::Status Undo(const BatchUndoOptions& options, Session& session) {
  RETURN_IF_ERROR(CheckSummaryFile(options.follow));
  v1::UndoBatchRequest request;
  request.set_batch(options.batch);
  request.set_skip_conflicts(options.skip_conflicts);
  request.set_reason(options.reason);
  request.set_reference(options.reference);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  v1::UndoBatchRequest check = request;
  check.set_validate_only(true);
  ASSIGN_OR_RETURN(const v1::Batch checked, client->UndoBatch(std::move(check)));
  if (!checked.id().empty()) {
    session.Hint(absl::StrCat("The batch is being undone already, by ", checked.id(), "."));
    return ShowBegunBatch(checked, options.follow, session);
  }
  v1::GetBatchRequest get;
  get.set_batch(options.batch);
  ASSIGN_OR_RETURN(const v1::Batch undone, client->GetBatch(get));
  RETURN_IF_ERROR(ConfirmBatch({.facts = UndoFacts(undone, checked, options.skip_conflicts),
                                .count = checked.lines().total(),
                                .digest = "",
                                .given = options.confirm},
                               session.console()));
  request.set_request_id(options.request_id);
  ASSIGN_OR_RETURN(v1::Batch undo, client->UndoBatch(std::move(request)));
  return ShowBegunBatch(std::move(undo), options.follow, session);
}

}  // namespace

void AddBatchUndoCommand(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<BatchUndoOptions>();
  CLI::App* undo = tree->AddCommand(
      noun,
      {"undo",
       "Takes every restore of a batch that has ended back; refuses customers whose rows have "
       "changed since",
       absl::StrCat("reinstate batch undo ", kExampleBatch, " --wait")},
      [options](Session& session) { return Undo(*options, session); });
  AddBatchId(undo, &options->batch);
  undo->add_flag("--skip-conflicts", options->skip_conflicts,
                 "Leave rows alone that have changed since, and undo the rest of the customer");
  undo->add_option("--reason", options->reason, "Why, for certificates and audit");
  undo->add_option("--reference", options->reference, "Where that is written down: INC-1234");
  undo->add_option("--request-id", options->request_id,
                   "Makes it one undo however often the command is run; default random");
  AddConfirmCountOption(undo, &options->confirm, "the number of customers that are undone");
  AddFollowOptions(undo, &options->follow);
}

}  // namespace reinstate
