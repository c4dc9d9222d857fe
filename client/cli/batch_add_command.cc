#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/batch_commands.h"
#include "client/cli/batch_order.h"
#include "client/cli/batch_views.h"
#include "client/cli/batch_wait.h"
#include "client/cli/display_text.h"
#include "client/cli/tenant_list_file.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct BatchAddOptions {
  std::string batch;
  TenantListFile file;
  std::string reason;
  std::string request_id;
  std::string confirm;
  FollowOptions follow;
  bool skip_invalid = false;
};

// Lines for a batch, and what the next commands about them are about.
struct AddedLines {
  v1::AddToBatchRequest request;
  UnknownLines unknown;
  ProblemContext context;
};

absl::StatusOr<AddedLines> ReadLines(const BatchAddOptions& options, const v1::Batch& batch,
                                     Session& session) {
  if (batch.points().empty()) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("The batch ", batch.id(),
                                  " goes back to no point; lines can be added to a restore only."));
  }
  ASSIGN_OR_RETURN(const TenantList list, ReadTenantListFile(options.file, session.console()));
  ResolveOptions resolve;
  resolve.store = batch.points(0).store();
  resolve.at = batch.points(0).point().snapshot();
  resolve.any_store = batch.spec().has_group();
  ASSIGN_OR_RETURN(const ResolvedList resolved, ResolveList(list, resolve, session));
  for (const std::string& notice : list.notices) {
    session.Hint(Printable(notice));
  }
  AddedLines lines;
  v1::AddToBatchRequest& request = lines.request;
  request.set_batch(options.batch);
  for (v1::BatchLineSpec& line :
       LineSpecsOf(resolved, batch.spec().has_group() ? &lines.unknown : nullptr)) {
    *request.add_lines() = std::move(line);
  }
  request.set_skip_invalid(options.skip_invalid);
  request.set_reason(options.reason);
  request.set_request_id(options.request_id);
  lines.context = ContextOf(options.file, list, resolve.store, PointText(batch));
  return lines;
}

// What is known of the new lines: where rows can be destroyed, and somebody can consent, by a dry
// run.
absl::StatusOr<v1::Batch> WhatItDoes(const v1::Batch& batch, const v1::AddToBatchRequest& request,
                                     bool may_consent, Session& session) {
  v1::Batch shown;
  *shown.mutable_spec() = batch.spec();
  *shown.mutable_points() = batch.points();
  *shown.mutable_store_addresses() = batch.store_addresses();
  if (!may_consent || !CanDestroy(batch.spec().mode())) {
    return shown;
  }
  v1::CreateBatchRequest plan;
  *plan.mutable_spec() = batch.spec();
  plan.mutable_spec()->set_at(PointText(batch));
  plan.mutable_spec()->set_skip_invalid(true);
  *plan.mutable_lines() = request.lines();
  return PlanBatch(std::move(plan), session);
}

absl::StatusOr<v1::Batch> Check(v1::AddToBatchRequest request, Session& session) {
  request.set_validate_only(true);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->AddToBatch(std::move(request));
}

// The number of customers that can be added; what is wrong with the others is told.
absl::StatusOr<int64_t> CheckAdded(const BatchAddOptions& options, AddedLines* lines,
                                   Session& session) {
  v1::AddToBatchRequest& request = lines->request;
  ASSIGN_OR_RETURN(const v1::Batch checked, Check(request, session));
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> wrong,
                   FoundWrong(checked, request.lines(), [&](const LineSpecs& rest) {
                     v1::AddToBatchRequest again = request;
                     *again.mutable_lines() = rest;
                     return Check(std::move(again), session);
                   }));
  LeaveOutUnknown(wrong, lines->unknown, request.mutable_lines());
  return CountValidLines(
      {.sent = {request.lines().begin(), request.lines().end()}, .found_wrong = wrong},
      options.skip_invalid, lines->context, session);
}

absl::Status Add(const BatchAddOptions& options, Session& session) {
  RETURN_IF_ERROR(CheckSummaryFile(options.follow));
  v1::GetBatchRequest get;
  get.set_batch(options.batch);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Batch batch, client->GetBatch(get));
  ASSIGN_OR_RETURN(AddedLines lines, ReadLines(options, batch, session));
  ASSIGN_OR_RETURN(const int64_t count, CheckAdded(options, &lines, session));
  const bool may_consent = !options.confirm.empty() || session.console().in_is_terminal;
  ASSIGN_OR_RETURN(const v1::Batch shown, WhatItDoes(batch, lines.request, may_consent, session));
  RETURN_IF_ERROR(ConfirmBatch({.facts = BatchFacts(shown, count, session),
                                .count = count,
                                .digest = "",
                                .given = options.confirm},
                               session.console()));
  ASSIGN_OR_RETURN(v1::Batch grown, client->AddToBatch(lines.request));
  return ShowBegunBatch(std::move(grown), options.follow, session);
}

}  // namespace

void AddBatchAddCommand(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<BatchAddOptions>();
  CLI::App* add = tree->AddCommand(
      noun,
      {"add", "Adds the tenants of a list to a batch, under its order and points",
       absl::StrCat("reinstate batch add ", kExampleBatch, " -f late.csv --confirm 12")},
      [options](Session& session) { return Add(*options, session); });
  AddBatchId(add, &options->batch);
  AddTenantListOptions(add, &options->file)->required();
  add->add_option("--note-column", options->file.note_column,
                  "The column with a note for each line; default the one titled note")
      ->type_name("NAME");
  add->add_flag("--skip-invalid", options->skip_invalid,
                "Go on without the lines that cannot be restored; they stay in every summary");
  add->add_option("--reason", options->reason, "Why, for the audit");
  add->add_option("--request-id", options->request_id,
                  "Makes it one call however often the command is run; default random");
  AddConfirmCountOption(add, &options->confirm, "the number of customers that are added");
  AddFollowOptions(add, &options->follow);
}

}  // namespace reinstate
