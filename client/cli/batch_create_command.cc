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

struct BatchCreateOptions {
  TenantListFile file;
  std::string store;
  std::string group;
  std::string at;
  std::string mode = "create-missing";
  std::vector<std::string> tables;
  std::string plan;
  std::string digest;
  std::string reason;
  std::string reference;
  std::string request_id;
  std::string confirm;
  FollowOptions follow;
  int32_t priority = 0;
  bool skip_invalid = false;
  bool accept_shrunken = false;
  bool accept_uncovered_tables = false;
  bool accept_shrinking = false;
  bool dry_run = false;
};

using Options = std::shared_ptr<BatchCreateOptions>;

absl::StatusOr<v1::BatchSpec> SpecOf(const BatchCreateOptions& options, Session& session) {
  if (options.at.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "--at is required: a time (2026-04-05T07:38:00Z), a time ago (2h), a snapshot "
                     "(snap-1-12), or latest.");
  }
  v1::BatchSpec spec;
  if (options.group.empty()) {
    ASSIGN_OR_RETURN(*spec.mutable_store(), session.StoreOrOnlyOne(options.store));
  } else {
    spec.set_group(options.group);
  }
  spec.set_at(options.at);
  spec.set_mode(ModeNamed(options.mode));
  spec.mutable_tables()->Assign(options.tables.begin(), options.tables.end());
  spec.set_accept_shrunken(options.accept_shrunken);
  spec.set_accept_uncovered_tables(options.accept_uncovered_tables);
  spec.set_priority(options.priority);
  spec.set_skip_invalid(options.skip_invalid);
  spec.set_accept_shrinking(options.accept_shrinking);
  return spec;
}

void FillWhy(const BatchCreateOptions& options, v1::CreateBatchRequest* request) {
  request->set_reason(options.reason);
  request->set_reference(options.reference);
  request->set_request_id(options.request_id);
}

absl::StatusOr<v1::Batch> Check(v1::CreateBatchRequest request, Session& session) {
  request.set_validate_only(true);
  request.clear_request_id();
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->CreateBatch(std::move(request));
}

// The store that knows the tenants of the list: of a group its first one, which only the daemon
// knows.
absl::StatusOr<std::string> StoreOfIds(const v1::BatchSpec& spec, const TenantList& list,
                                       Session& session) {
  if (!spec.has_group()) {
    return spec.store();
  }
  v1::CreateBatchRequest request;
  *request.mutable_spec() = spec;
  v1::BatchLineSpec* line = request.add_lines();
  line->set_line(list.tenants.empty() ? 0 : list.tenants.front().line);
  line->set_tenant(list.tenants.empty() ? "" : list.tenants.front().text);
  ASSIGN_OR_RETURN(const v1::Batch batch, Check(std::move(request), session));
  if (batch.points().empty()) {
    return MakeError(Reason::kInternal, "The daemon does not say which stores the group has.");
  }
  return batch.points(0).store();
}

// A batch of a list, and what the next commands about its lines are about.
struct OrderOfList {
  v1::CreateBatchRequest request;
  UnknownLines unknown;
  ProblemContext context;
};

absl::StatusOr<OrderOfList> ReadOrder(const BatchCreateOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const TenantList list, ReadTenantListFile(options.file, session.console()));
  OrderOfList order;
  v1::CreateBatchRequest& request = order.request;
  ASSIGN_OR_RETURN(*request.mutable_spec(), SpecOf(options, session));
  ResolveOptions resolve;
  ASSIGN_OR_RETURN(resolve.store, StoreOfIds(request.spec(), list, session));
  resolve.at = options.at;
  resolve.any_store = request.spec().has_group();
  ASSIGN_OR_RETURN(const ResolvedList resolved, ResolveList(list, resolve, session));
  for (const std::string& notice : list.notices) {
    session.Hint(Printable(notice));
  }
  for (v1::BatchLineSpec& line :
       LineSpecsOf(resolved, request.spec().has_group() ? &order.unknown : nullptr)) {
    *request.add_lines() = std::move(line);
  }
  FillWhy(options, &request);
  order.context = ContextOf(options.file, list,
                            options.group.empty() ? options.store : resolve.store, options.at);
  return order;
}

// Begins what is agreed to.
absl::Status Begin(v1::CreateBatchRequest request, const BatchCreateOptions& options,
                   Session& session) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(v1::Batch batch, client->CreateBatch(std::move(request)));
  return ShowBegunBatch(std::move(batch), options.follow, session);
}

absl::Status DryRun(v1::CreateBatchRequest request, Session& session) {
  ASSIGN_OR_RETURN(const v1::Batch plan, PlanBatch(std::move(request), session));
  RETURN_IF_ERROR(PrintBatch(plan, session));
  return OutcomeOf(plan);
}

// Agrees with the person on a dry run, and binds `request` to it.
absl::Status AgreeOnPlan(const v1::Batch& plan, const BatchCreateOptions& options,
                         v1::CreateBatchRequest* request, Session& session) {
  if (plan.lines().succeeded() == 0) {
    return OutcomeOf(plan);
  }
  const int64_t count = plan.lines().succeeded();
  // A digest can only be known to who has seen the dry run.
  RETURN_IF_ERROR(
      ConfirmBatch({.facts = BatchFacts(plan, count, session),
                    .count = count,
                    .digest = plan.digest(),
                    .given = options.confirm.empty() ? options.digest : options.confirm},
                   session.console()));
  request->clear_lines();
  request->clear_spec();
  request->mutable_spec()->set_skip_invalid(options.skip_invalid);
  request->mutable_spec()->set_accept_shrinking(options.accept_shrinking);
  request->set_plan(plan.id());
  request->set_plan_digest(plan.digest());
  return absl::OkStatus();
}

absl::Status CreateFromList(const BatchCreateOptions& options, Session& session) {
  ASSIGN_OR_RETURN(OrderOfList order, ReadOrder(options, session));
  v1::CreateBatchRequest& request = order.request;
  ASSIGN_OR_RETURN(const v1::Batch checked, Check(request, session));
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> wrong,
                   FoundWrong(checked, request.lines(), [&](const LineSpecs& lines) {
                     v1::CreateBatchRequest again = request;
                     *again.mutable_lines() = lines;
                     return Check(std::move(again), session);
                   }));
  LeaveOutUnknown(wrong, order.unknown, request.mutable_lines());
  order.context.at = PointText(checked);
  ASSIGN_OR_RETURN(const int64_t count,
                   CountValidLines({.sent = {request.lines().begin(), request.lines().end()},
                                    .found_wrong = wrong},
                                   options.skip_invalid, order.context, session));
  if (options.dry_run) {
    return DryRun(std::move(request), session);
  }
  // What can destroy is shown, and bound to what was shown; where nobody can consent, no plan is
  // made for nothing.
  const bool may_consent = !options.confirm.empty() || session.console().in_is_terminal;
  if (IsDigest(options.confirm) || (may_consent && CanDestroy(request.spec().mode()))) {
    v1::CreateBatchRequest planned = request;
    if (!options.request_id.empty()) {
      // So that the same command finds the same dry run, and then the same batch.
      planned.set_request_id(absl::StrCat(options.request_id, " plan"));
    }
    ASSIGN_OR_RETURN(const v1::Batch plan, PlanBatch(std::move(planned), session));
    RETURN_IF_ERROR(AgreeOnPlan(plan, options, &request, session));
  } else {
    RETURN_IF_ERROR(ConfirmBatch({.facts = BatchFacts(checked, count, session),
                                  .count = count,
                                  .digest = "",
                                  .given = options.confirm},
                                 session.console()));
  }
  return Begin(std::move(request), options, session);
}

absl::Status CreateFromPlan(const BatchCreateOptions& options, Session& session) {
  v1::GetBatchRequest get;
  get.set_batch(options.plan);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(v1::Batch plan, client->GetBatch(get));
  if (!plan.dry_run()) {
    return MakeError(
        Reason::kInvalidArgument,
        absl::StrCat("The batch ", plan.id(), " is no dry run; what it does it does."));
  }
  if (!IsFinal(plan)) {
    ASSIGN_OR_RETURN(plan, WaitForBatch(plan.id(), /*stream=*/false, session));
  }
  if (!options.digest.empty() && options.digest != plan.digest()) {
    return MakeError(
        Reason::kPlanChanged,
        absl::StrCat("The dry run ", plan.id(), " has another digest, ", plan.digest(),
                     ". Nothing was done. Look at it: reinstate batch get ", plan.id()));
  }
  v1::CreateBatchRequest request;
  FillWhy(options, &request);
  RETURN_IF_ERROR(AgreeOnPlan(plan, options, &request, session));
  return Begin(std::move(request), options, session);
}

absl::Status Create(const BatchCreateOptions& options, Session& session) {
  if (options.file.path.empty() && options.plan.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "Give a list of tenants with -f, or a dry run with --plan.");
  }
  RETURN_IF_ERROR(CheckSummaryFile(options.follow));
  return options.plan.empty() ? CreateFromList(options, session) : CreateFromPlan(options, session);
}

void AddConsentOptions(CLI::App* create, const Options& options) {
  create->add_flag("--skip-invalid", options->skip_invalid,
                   "Go on without the lines that cannot be restored; they stay in every summary");
  create->add_flag("--accept-shrunken", options->accept_shrunken,
                   "Also from a point with less than half of an earlier snapshot's rows");
  create->add_flag("--accept-uncovered-tables", options->accept_uncovered_tables,
                   "Mirror: tables that the snapshot does not cover are kept");
  create->add_flag("--accept-shrinking", options->accept_shrinking,
                   "Begin although tenants still lose rows: what deletes them may still run");
}

void AddWhatOptions(CLI::App* create, const Options& options) {
  CLI::Option* store = create->add_option("-s,--store", options->store,
                                          "The store; may be left out if there is only one");
  store->type_name("NAME");
  create->add_option("--group", options->group, "All stores of this group, in their order")
      ->type_name("NAME")
      ->excludes(store);
  create
      ->add_option("--at", options->at,
                   "The point: a time (2026-04-05T07:38:00Z), a time ago (2h, '2h ago', -2h), a "
                   "snapshot (snap-1-12), or latest")
      ->type_name("POINT");
  create
      ->add_option("--mode", options->mode,
                   "create-missing keeps all that is there; overwrite replaces what differs; "
                   "mirror also deletes what was not there")
      ->check(CLI::IsMember({"create-missing", "overwrite", "mirror"}))
      ->capture_default_str();
  create->add_option("--table", options->tables, "Only this table; may be repeated")
      ->type_name("TABLE")
      ->expected(1)
      ->take_all();
  create->add_option("--priority", options->priority, "Higher ones run first; default 0");
  create
      ->add_option("--note-column", options->file.note_column,
                   "The column with a note for each line; default the one titled note")
      ->type_name("NAME");
  AddConsentOptions(create, options);
}

void AddPlanOptions(CLI::App* create, const Options& options) {
  CLI::Option* dry_run = create->add_flag("--dry-run", options->dry_run,
                                          "Only plan all lines, and show what would happen in all");
  CLI::Option* plan = create->add_option("--plan", options->plan, "Do what this dry run says")
                          ->type_name("BATCH")
                          ->excludes(dry_run);
  for (const char* other : {"--file", "--at", "--store", "--group", "--mode", "--table",
                            "--priority", "--accept-shrunken", "--accept-uncovered-tables"}) {
    plan->excludes(create->get_option(other));
  }
  create
      ->add_option("--digest", options->digest,
                   "The digest that the dry run showed: consents to exactly that")
      ->type_name("DIGEST")
      ->needs(plan);
}

}  // namespace

void AddBatchCreateCommand(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<BatchCreateOptions>();
  CLI::App* create = tree->AddCommand(
      noun,
      {"create", "Restores the tenants of a list, or as a dry run has planned",
       "reinstate batch create -f customers.csv --at 2h --dry-run\n"
       "reinstate batch create -f resolved.csv --at 2h --skip-invalid --reference INC-77 --wait\n"
       "reinstate batch create -f - --column 3 --group site --at 2026-04-05T07:38:00Z\n"
       "reinstate batch create --plan bat-01HF8Z3V9K2M4N6P8Q0R2S4T6V --confirm 883 --wait "
       "--summary summary.csv"},
      [options](Session& session) { return Create(*options, session); });
  AddTenantListOptions(create, &options->file);
  AddWhatOptions(create, options);
  AddPlanOptions(create, options);
  create->add_option("--reason", options->reason, "Why, for certificates and audit");
  create->add_option("--reference", options->reference, "Where that is written down: INC-1234");
  create->add_option("--request-id", options->request_id,
                     "Makes it one batch however often the command is run; default random");
  AddConfirmCountOption(create, &options->confirm,
                        "the number of customers, or the digest of a dry run");
  AddFollowOptions(create, &options->follow);
}

}  // namespace reinstate
