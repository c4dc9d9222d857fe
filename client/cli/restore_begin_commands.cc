#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/command_tree.h"
#include "client/cli/confirmation.h"
#include "client/cli/display_text.h"
#include "client/cli/restore_views.h"
#include "client/cli/tables_but.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct BeginOptions {
  std::string tenant;
  std::string restore;
  std::string store;
  std::string at;
  std::string mode = "create-missing";
  std::vector<std::string> tables;
  std::vector<std::string> without_tables;
  std::string plan;
  std::string digest;
  std::string show;
  std::string undo;
  std::string reason;
  std::string reference;
  std::string request_id;
  std::string confirm;
  int32_t priority = 0;
  bool accept_shrunken = false;
  bool accept_uncovered_tables = false;
  bool skip_conflicts = false;
  bool wait = false;
};

using Options = std::shared_ptr<BeginOptions>;

absl::Status Missing(const std::string& what) { return MakeError(Reason::kInvalidArgument, what); }

// Makes the plan and waits for it.
absl::StatusOr<v1::Plan> MakePlan(v1::PlanRestoreRequest request, const std::string& tenant,
                                  Session& session) {
  const std::string store = request.restore().store();
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  absl::StatusOr<v1::Plan> plan = client->PlanRestore(std::move(request));
  if (!plan.ok()) {
    return WithCandidates(session, plan.status(), store, tenant);
  }
  ASSIGN_OR_RETURN(plan, session.WaitForPlan(plan->id(), tenant));
  RETURN_IF_ERROR(OutcomeOf(*plan));
  return plan;
}

absl::StatusOr<v1::RestoreSpec> SpecOf(const BeginOptions& options, Session& session) {
  if (options.tenant.empty()) {
    return Missing("Name the tenant by its id; reinstate tenant find finds it by name.");
  }
  if (options.at.empty()) {
    return Missing(
        "--at is required: a time (2026-04-05T07:38:00Z), a time ago (2h), a snapshot "
        "(snap-1-12), or latest.");
  }
  v1::RestoreSpec spec;
  ASSIGN_OR_RETURN(*spec.mutable_store(), session.StoreOrOnlyOne(options.store));
  spec.set_tenant(options.tenant);
  spec.set_at(options.at);
  spec.set_mode(ModeNamed(options.mode));
  spec.mutable_tables()->Assign(options.tables.begin(), options.tables.end());
  spec.set_accept_shrunken(options.accept_shrunken);
  spec.set_accept_uncovered_tables(options.accept_uncovered_tables);
  if (!options.without_tables.empty()) {
    RETURN_IF_ERROR(LimitToTablesBut(options.without_tables, session, &spec));
  }
  return spec;
}

absl::Status Plan(const BeginOptions& options, Session& session) {
  if (!options.show.empty()) {
    ASSIGN_OR_RETURN(const v1::Plan plan, session.WaitForPlan(options.show, options.show));
    RETURN_IF_ERROR(OutcomeOf(plan));
    return PrintPlan(plan, session);
  }
  v1::PlanRestoreRequest request;
  if (!options.undo.empty()) {
    request.mutable_undo()->set_restore(options.undo);
    request.mutable_undo()->set_skip_conflicts(options.skip_conflicts);
  } else {
    ASSIGN_OR_RETURN(*request.mutable_restore(), SpecOf(options, session));
  }
  const std::string what = options.undo.empty() ? options.tenant : options.undo;
  ASSIGN_OR_RETURN(const v1::Plan plan, MakePlan(std::move(request), what, session));
  return PrintPlan(plan, session);
}

void HintSuccess(const v1::Restore& restore, Session& session) {
  session.Hint("Read back before the commit, and exactly what it had to be.");
  session.Hint(absl::StrCat("  What was compared: reinstate restore certificate ", restore.id()));
  if (restore.has_undo_expire_time()) {
    session.Hint(absl::StrCat("  To take it back:   reinstate restore undo ", restore.id()));
  }
}

// Says why `restore` does not begin yet, if something holds it back.
void HintHeldBack(const v1::Restore& restore, ReinstateClient* client, const Session& session) {
  v1::GetRestoreRequest request;
  request.set_restore(restore.id());
  const absl::StatusOr<v1::Restore> now = client->GetRestore(request);
  if (now.ok() && !now->holding_back().empty()) {
    session.Hint(absl::StrCat("It is queued. ", Printable(now->holding_back())));
  }
}

// Shows a restore that was begun: with --wait how it ended, which is also the status.
absl::Status ShowBegunRestore(v1::Restore restore, bool wait, Session& session) {
  if (wait) {
    ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
    HintHeldBack(restore, client, session);
    ASSIGN_OR_RETURN(restore, session.WaitForRestore(restore.id(), restore.tenant().tenant()));
  }
  RETURN_IF_ERROR(PrintRestore(restore, session));
  if (!wait) {
    session.Hint(
        absl::StrCat("It goes on by itself. To follow it: reinstate restore watch ", restore.id()));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(ReportOutcome(restore, session));
  HintSuccess(restore, session);
  return absl::OkStatus();
}

// Asks for the tenant's id, showing what `plan` replaces and deletes.
absl::Status ConfirmPlan(const v1::Plan& plan, const BeginOptions& options, Session& session) {
  return Confirm({.facts = DestructionFacts(plan, session),
                  .name = "the tenant's id",
                  .expected = plan.tenant().tenant(),
                  .given = options.confirm},
                 session.console());
}

// What is known of it without a plan: what is to be done, and where.
absl::StatusOr<std::vector<std::string>> FactsWithoutPlan(const std::string& what,
                                                          const v1::TenantRef& tenant,
                                                          Session& session) {
  v1::GetStoreRequest request;
  request.set_store(tenant.store());
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Store store, client->GetStore(request));
  return std::vector<std::string>{
      absl::StrCat(what, " of tenant ", NameOf(tenant), " in store ", Printable(tenant.store())),
      absl::StrCat("  where     ", Printable(store.address()))};
}

void UsePlan(const v1::Plan& plan, v1::CreateRestoreRequest* request) {
  request->set_plan(plan.id());
  request->set_plan_digest(plan.digest());
}

// As an earlier plan says.
absl::Status FillFromGivenPlan(const BeginOptions& options, Session& session,
                               v1::CreateRestoreRequest* request) {
  v1::GetPlanRequest get;
  get.set_plan(options.plan);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Plan plan, client->GetPlan(get));
  RETURN_IF_ERROR(OutcomeOf(plan));
  if (!options.tenant.empty() && options.tenant != plan.tenant().tenant()) {
    return Missing(absl::StrCat("The plan ", plan.id(), " is of another tenant, ",
                                NameOf(plan.tenant()), "."));
  }
  if (CanDestroy(plan.restore().mode())) {
    RETURN_IF_ERROR(ConfirmPlan(plan, options, session));
  }
  UsePlan(plan, request);
  if (!options.digest.empty()) {
    request->set_plan_digest(options.digest);
  }
  request->set_accept_shrunken(options.accept_shrunken);
  request->set_accept_uncovered_tables(options.accept_uncovered_tables);
  return absl::OkStatus();
}

// As the options say. What can destroy is planned first, unless it is confirmed already.
absl::Status FillFromSpec(const BeginOptions& options, Session& session,
                          v1::CreateRestoreRequest* request) {
  ASSIGN_OR_RETURN(v1::RestoreSpec spec, SpecOf(options, session));
  if (!CanDestroy(spec.mode())) {
    *request->mutable_spec() = std::move(spec);
    return absl::OkStatus();
  }
  if (!options.confirm.empty()) {
    v1::TenantRef tenant;
    tenant.set_store(spec.store());
    tenant.set_tenant(spec.tenant());
    ASSIGN_OR_RETURN(
        std::vector<std::string> facts,
        FactsWithoutPlan(absl::StrCat("Restore, ", WordFor(spec.mode())), tenant, session));
    facts.push_back(absl::StrCat("  at        ", Printable(spec.at())));
    RETURN_IF_ERROR(Confirm({.facts = std::move(facts),
                             .name = "the tenant's id",
                             .expected = options.tenant,
                             .given = options.confirm},
                            session.console()));
    *request->mutable_spec() = std::move(spec);
    return absl::OkStatus();
  }
  v1::PlanRestoreRequest plan_request;
  *plan_request.mutable_restore() = std::move(spec);
  ASSIGN_OR_RETURN(const v1::Plan plan, MakePlan(std::move(plan_request), options.tenant, session));
  RETURN_IF_ERROR(ConfirmPlan(plan, options, session));
  UsePlan(plan, request);
  return absl::OkStatus();
}

absl::Status Create(const BeginOptions& options, Session& session) {
  v1::CreateRestoreRequest request;
  if (options.plan.empty()) {
    RETURN_IF_ERROR(FillFromSpec(options, session, &request));
  } else {
    RETURN_IF_ERROR(FillFromGivenPlan(options, session, &request));
  }
  request.set_reason(options.reason);
  request.set_reference(options.reference);
  request.set_priority(options.priority);
  request.set_request_id(options.request_id);
  const std::string store = request.spec().store();
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  absl::StatusOr<v1::Restore> restore = client->CreateRestore(std::move(request));
  if (!restore.ok()) {
    return WithCandidates(session, restore.status(), store, options.tenant);
  }
  return ShowBegunRestore(*std::move(restore), options.wait, session);
}

// Agrees with the person on the undo, and binds `request` to what was agreed.
absl::Status ConfirmUndo(const BeginOptions& options, Session& session,
                         v1::UndoRestoreRequest* request) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  if (options.plan.empty() && !options.confirm.empty()) {
    v1::GetRestoreRequest get;
    get.set_restore(options.restore);
    ASSIGN_OR_RETURN(const v1::Restore restore, client->GetRestore(get));
    ASSIGN_OR_RETURN(std::vector<std::string> facts,
                     FactsWithoutPlan(absl::StrCat("Undo of ", Printable(options.restore)),
                                      restore.tenant(), session));
    return Confirm({.facts = std::move(facts),
                    .name = "the tenant's id",
                    .expected = restore.tenant().tenant(),
                    .given = options.confirm},
                   session.console());
  }
  v1::Plan plan;
  if (!options.plan.empty()) {
    v1::GetPlanRequest get;
    get.set_plan(options.plan);
    ASSIGN_OR_RETURN(plan, client->GetPlan(get));
    RETURN_IF_ERROR(OutcomeOf(plan));
  } else {
    v1::PlanRestoreRequest plan_request;
    plan_request.mutable_undo()->set_restore(options.restore);
    plan_request.mutable_undo()->set_skip_conflicts(options.skip_conflicts);
    ASSIGN_OR_RETURN(plan, MakePlan(std::move(plan_request), options.restore, session));
  }
  RETURN_IF_ERROR(ConfirmPlan(plan, options, session));
  request->set_plan(plan.id());
  request->set_plan_digest(options.digest.empty() ? plan.digest() : options.digest);
  return absl::OkStatus();
}

absl::Status Undo(const BeginOptions& options, Session& session) {
  v1::UndoRestoreRequest request;
  RETURN_IF_ERROR(ConfirmUndo(options, session, &request));
  request.set_restore(options.restore);
  request.set_skip_conflicts(options.skip_conflicts);
  request.set_reason(options.reason);
  request.set_reference(options.reference);
  request.set_request_id(options.request_id);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(v1::Restore undo, client->UndoRestore(std::move(request)));
  return ShowBegunRestore(std::move(undo), options.wait, session);
}

void AddWhyOptions(CLI::App* command, const Options& options) {
  command->add_option("--reason", options->reason, "Why, for certificate and audit");
  command->add_option("--reference", options->reference, "Where that is written down: INC-1234");
  command->add_option("--request-id", options->request_id,
                      "Makes it one restore however often the command is run; default random");
}

// What to restore, for plan and create.
void AddSpecOptions(CLI::App* command, const Options& options) {
  AddStoreOption(command, &options->store);
  command
      ->add_option("--at", options->at,
                   "The point: a time (2026-04-05T07:38:00Z), a time ago (2h, '2h ago', -2h), a "
                   "snapshot (snap-1-12), or latest")
      ->type_name("POINT");
  command
      ->add_option("--mode", options->mode,
                   "create-missing keeps all that is there; overwrite replaces what differs; "
                   "mirror also deletes what was not there")
      ->check(CLI::IsMember({"create-missing", "overwrite", "mirror"}))
      ->capture_default_str();
  CLI::Option* table =
      command->add_option("--table", options->tables, "Only this table; may be repeated")
          ->type_name("TABLE")
          ->expected(1)
          ->take_all();
  command
      ->add_option("--without-table", options->without_tables,
                   "All tables but this one; may be repeated")
      ->type_name("TABLE")
      ->expected(1)
      ->take_all()
      ->excludes(table);
  command->add_flag("--accept-shrunken", options->accept_shrunken,
                    "Also from a point with less than half of an earlier snapshot's rows");
  command->add_flag("--accept-uncovered-tables", options->accept_uncovered_tables,
                    "Leave tables as they are that the snapshot does not cover (a mirror asks for "
                    "it), or of which it is not known how they relate to tenants");
}

void AddPlanCommand(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* plan = tree->AddCommand(
      noun,
      {"plan", "Shows table by table what a restore or an undo would do; changes nothing",
       "reinstate restore plan 1001 --at 2h\n"
       "reinstate restore plan 1001 --at 2026-04-05T07:38:00Z --mode mirror --table issue\n"
       "reinstate restore plan --undo rst-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
      [options](Session& session) { return Plan(*options, session); });
  CLI::Option* tenant = plan->add_option("TENANT", options->tenant, "The tenant's id");
  AddSpecOptions(plan, options);
  CLI::Option* undo = plan->add_option("--undo", options->undo, "Plan the undo of this restore")
                          ->type_name("RESTORE")
                          ->excludes(tenant);
  plan->add_flag("--skip-conflicts", options->skip_conflicts,
                 "Undo: leave rows alone that have changed since")
      ->needs(undo);
  plan->add_option("--show", options->show, "Show this plan, made before")
      ->type_name("PLAN")
      ->excludes(tenant)
      ->excludes(undo);
}

void AddCreateCommand(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* create = tree->AddCommand(
      noun,
      {"create", "Restores a tenant, from a point or as an earlier plan says",
       "reinstate restore create 1001 --at 2h --wait\n"
       "reinstate restore create 1001 --at snap-1-12 --mode mirror --reference INC-77 --wait\n"
       "reinstate restore create 1001 --plan plan-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
      [options](Session& session) { return Create(*options, session); });
  create->add_option("TENANT", options->tenant, "The tenant's id");
  AddSpecOptions(create, options);
  CLI::Option* plan =
      create->add_option("--plan", options->plan, "Do what this plan says")->type_name("PLAN");
  for (const char* other : {"--at", "--store", "--mode", "--table", "--without-table"}) {
    plan->excludes(create->get_option(other));
  }
  create
      ->add_option("--digest", options->digest,
                   "Only if the plan has this digest; default the plan's present one")
      ->type_name("DIGEST")
      ->needs(plan);
  AddWhyOptions(create, options);
  create->add_option("--priority", options->priority, "Higher ones run first; default 0");
  AddConfirmOption(create, &options->confirm, "the tenant's id (overwrite and mirror ask for it)");
  AddWaitOption(create, &options->wait);
}

void AddUndoCommand(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* undo =
      tree->AddCommand(noun,
                       {"undo", "Takes a restore back; refused if its rows have changed since",
                        "reinstate restore undo rst-01HF8Z3V9K2M4N6P8Q0R2S4T6V --wait"},
                       [options](Session& session) { return Undo(*options, session); });
  undo->add_option("RESTORE", options->restore, "The restore's id, rst-…")->required();
  undo->add_flag("--skip-conflicts", options->skip_conflicts,
                 "Leave rows alone that have changed since, and undo the rest");
  CLI::Option* plan =
      undo->add_option("--plan", options->plan, "Do what this plan says")->type_name("PLAN");
  undo->add_option("--digest", options->digest, "Only if the plan has this digest")
      ->type_name("DIGEST")
      ->needs(plan);
  AddWhyOptions(undo, options);
  AddConfirmOption(undo, &options->confirm, "the tenant's id");
  AddWaitOption(undo, &options->wait);
}

}  // namespace

void AddRestoreBeginCommands(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<BeginOptions>();
  AddPlanCommand(tree, noun, options);
  AddCreateCommand(tree, noun, options);
  AddUndoCommand(tree, noun, options);
}

}  // namespace reinstate
