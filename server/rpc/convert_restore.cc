#include "server/rpc/convert_restore.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/request_checks.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"

namespace reinstate {
namespace {

// The wire's enums have the values of the state's, which the compiler confirms here.
static_assert(static_cast<int>(v1::RESTORE_STATE_UNDONE) == static_cast<int>(state::UNDONE));
static_assert(static_cast<int>(v1::RESTORE_STATE_IN_DOUBT) == static_cast<int>(state::IN_DOUBT));
static_assert(static_cast<int>(v1::RESTORE_STATE_SUCCEEDED) == static_cast<int>(state::SUCCEEDED));
static_assert(static_cast<int>(v1::RESTORE_STATE_FAILED) == static_cast<int>(state::FAILED));
static_assert(static_cast<int>(v1::RESTORE_STATE_CANCELLED) == static_cast<int>(state::CANCELLED));
static_assert(static_cast<int>(v1::RESTORE_STATE_RUNNING) == static_cast<int>(state::RUNNING));
static_assert(static_cast<int>(v1::RESTORE_STATE_QUEUED) == static_cast<int>(state::QUEUED));
static_assert(static_cast<int>(v1::RESTORE_MODE_CREATE_MISSING) ==
              static_cast<int>(state::CREATE_MISSING));
static_assert(static_cast<int>(v1::RESTORE_MODE_OVERWRITE) == static_cast<int>(state::OVERWRITE));
static_assert(static_cast<int>(v1::RESTORE_MODE_MIRROR) == static_cast<int>(state::MIRROR));
static_assert(static_cast<int>(v1::RESTORE_PHASE_PLANNING) == static_cast<int>(state::PLANNING));
static_assert(static_cast<int>(v1::RESTORE_PHASE_COMMITTING) ==
              static_cast<int>(state::COMMITTING));
static_assert(static_cast<int>(v1::PLAN_STATE_QUEUED) == static_cast<int>(state::PLAN_QUEUED));
static_assert(static_cast<int>(v1::PLAN_STATE_FAILED) == static_cast<int>(state::PLAN_FAILED));

constexpr absl::Duration kPlanValidity = absl::Hours(24);

bool IsUndo(const state::RestoreOrder& order) { return !order.undo_of().empty(); }

v1::RestoreSpec SpecToWire(const state::RestoreOrder& order) {
  v1::RestoreSpec spec;
  spec.set_store(order.store());
  spec.set_tenant(order.tenant());
  spec.set_at(order.point().requested());
  spec.set_mode(static_cast<v1::RestoreMode>(order.mode()));
  *spec.mutable_tables() = order.tables();
  spec.set_accept_shrunken(order.accept_shrunken());
  spec.set_accept_uncovered_tables(order.accept_uncovered());
  return spec;
}

v1::UndoSpec UndoToWire(const state::RestoreOrder& order) {
  v1::UndoSpec spec;
  spec.set_restore(order.undo_of());
  spec.set_skip_conflicts(order.skip_undo_conflicts());
  return spec;
}

void TenantToWire(const state::RestoreOrder& order, const std::string& label, v1::TenantRef* wire) {
  wire->set_store(order.store());
  wire->set_tenant(order.tenant());
  wire->set_label(label);
}

v1::RowActions ActionsToWire(const state::TableSummary& table) {
  v1::RowActions actions;
  actions.set_inserted(table.inserted());
  actions.set_replaced(table.replaced());
  actions.set_deleted(table.deleted());
  actions.set_unchanged(table.unchanged());
  actions.set_kept(table.kept());
  actions.set_conflicts(table.conflicts());
  return actions;
}

v1::RowActions Totals(const state::PlanSummary& plan) {
  v1::RowActions totals;
  for (const state::TableSummary& table : plan.tables()) {
    totals.set_inserted(totals.inserted() + table.inserted());
    totals.set_replaced(totals.replaced() + table.replaced());
    totals.set_deleted(totals.deleted() + table.deleted());
    totals.set_unchanged(totals.unchanged() + table.unchanged());
    totals.set_kept(totals.kept() + table.kept());
  }
  totals.set_conflicts(plan.conflict_count());
  return totals;
}

// In the order of the names, without tables in which nothing is.
template <typename Message>
void TablesToWire(const state::PlanSummary& plan, Message* wire) {
  std::vector<const state::TableSummary*> tables;
  for (const state::TableSummary& table : plan.tables()) {
    if (table.rows_at_point() != 0 || table.rows_live() != 0) {
      tables.push_back(&table);
    }
  }
  std::sort(tables.begin(), tables.end(),
            [](const auto* a, const auto* b) { return a->name() < b->name(); });
  for (const state::TableSummary* table : tables) {
    v1::TableActions* actions = wire->add_tables();
    actions->set_table(table->name());
    *actions->mutable_rows() = ActionsToWire(*table);
    actions->set_rows_at_point(table->rows_at_point());
    actions->set_rows_live(table->rows_live());
    actions->set_covered(table->covered());
  }
}

template <typename Message>
void ConflictsToWire(const state::PlanSummary& plan, Message* wire) {
  for (const state::Sample& sample : plan.conflicts()) {
    v1::Conflict* conflict = wire->add_conflicts();
    conflict->set_table(sample.table());
    ToWire(sample.key(), conflict->mutable_key());
    conflict->set_kind(sample.action() == "changed"        ? v1::CONFLICT_KIND_CHANGED_SINCE
                       : sample.action() == "no partition" ? v1::CONFLICT_KIND_NO_PARTITION
                                                           : v1::CONFLICT_KIND_TAKEN);
    conflict->set_constraint(sample.constraint());
    conflict->set_owner(static_cast<v1::ConflictOwner>(sample.holder()));
  }
}

v1::RowAction ActionFromName(const std::string& name) {
  static constexpr std::pair<const char*, v1::RowAction> kActions[] = {
      {"inserted", v1::ROW_ACTION_INSERTED},
      {"replaced", v1::ROW_ACTION_REPLACED},
      {"deleted", v1::ROW_ACTION_DELETED},
      {"kept", v1::ROW_ACTION_KEPT},
  };
  const auto* found = std::find_if(std::begin(kActions), std::end(kActions),
                                   [&](const auto& action) { return name == action.first; });
  return found != std::end(kActions) ? found->second : v1::ROW_ACTION_UNSPECIFIED;
}

void SummaryToWire(const state::PlanSummary& summary, v1::Plan* plan) {
  *plan->mutable_totals() = Totals(summary);
  TablesToWire(summary, plan);
  for (const state::Sample& sample : summary.samples()) {
    v1::PlannedRow* row = plan->add_samples();
    row->set_table(sample.table());
    ToWire(sample.key(), row->mutable_key());
    row->set_action(ActionFromName(sample.action()));
  }
  ConflictsToWire(summary, plan);
  *plan->mutable_uncovered_tables() = summary.uncovered_tables();
  *plan->mutable_unresolved_tables() = summary.unresolved_tables();
  *plan->mutable_warnings() = summary.warnings();
  if (summary.shrunken()) {
    v1::ShrunkenWarning* shrunken = plan->mutable_shrunken();
    for (const state::TableSummary& table : summary.tables()) {
      shrunken->set_rows_at_point(shrunken->rows_at_point() + table.rows_at_point());
    }
    shrunken->set_snapshot(summary.peak_snapshot());
    shrunken->set_rows_then(summary.peak_rows());
  }
  plan->set_digest(ToHex(summary.digest()));
  plan->set_rows_to_change(summary.rows_to_change());
  plan->set_bytes_to_write(summary.bytes_to_write());
}

void EtaToWire(const RestoreManager::Eta& eta, v1::Progress* progress) {
  if (eta.known) {
    progress->set_rows_per_second(eta.rows_per_second);
    ToWire(eta.low, progress->mutable_eta_low());
    ToWire(eta.high, progress->mutable_eta_high());
  }
}

v1::RowSum SumToWire(const state::Sum& sum) {
  v1::RowSum wire;
  wire.set_rows(sum.rows());
  wire.set_bytes(sum.bytes());
  wire.set_sum(ToHex(sum.hash()));
  return wire;
}

void FindingToWire(const state::TableFinding& finding, v1::CertifiedTable* table) {
  table->set_table(finding.name());
  *table->mutable_expected() = SumToWire(finding.expected());
  *table->mutable_found() = SumToWire(finding.found());
  if (finding.has_at_point()) {
    *table->mutable_at_point() = SumToWire(finding.at_point());
  }
}

// What was asked for, of a restore or a plan.
template <typename Message>
void OrderToWire(const state::RestoreOrder& order, const std::string& label, Message* wire) {
  TenantToWire(order, label, wire->mutable_tenant());
  if (IsUndo(order)) {
    *wire->mutable_undo() = UndoToWire(order);
  } else {
    *wire->mutable_restore() = SpecToWire(order);
    ToWire(order.point(), wire->mutable_point());
  }
  ToWire(order.actor(), wire->mutable_actor());
}

void TimesToWire(const state::RestoreRecord& record, v1::Restore* wire) {
  SetTime(record.created_us(), &v1::Restore::mutable_create_time, wire);
  SetTime(record.started_us(), &v1::Restore::mutable_start_time, wire);
  SetTime(record.finished_us(), &v1::Restore::mutable_end_time, wire);
  if (record.state() == state::SUCCEEDED && !IsUndo(record.order())) {
    SetTime(record.undo_expires_us(), &v1::Restore::mutable_undo_expire_time, wire);
  }
}

void HooksToWire(const state::RestoreRecord& record, RestoreDetail detail, v1::Restore* wire) {
  for (const state::HookOutcome& outcome : record.hooks()) {
    v1::HookOutcome* hook = wire->add_hooks();
    hook->set_name(outcome.name());
    hook->set_after(outcome.after());
    hook->set_required(outcome.required());
    hook->set_succeeded(outcome.succeeded());
    hook->set_attempts(outcome.attempts());
    if (detail == RestoreDetail::kFull) {
      hook->set_message(outcome.message());
    }
    SetTime(outcome.finished_us(), &v1::HookOutcome::mutable_end_time, hook);
  }
  wire->set_hooks_pending(record.hooks_pending());
}

}  // namespace

absl::StatusOr<state::Mode> ModeFromWire(const std::string& field, v1::RestoreMode mode) {
  if (!v1::RestoreMode_IsValid(mode)) {
    return FieldError(field, "is none of the known modes.");
  }
  return mode == v1::RESTORE_MODE_UNSPECIFIED ? state::CREATE_MISSING
                                              : static_cast<state::Mode>(mode);
}

absl::StatusOr<state::RestoreOrder> OrderFromWire(const v1::RestoreSpec& spec,
                                                  const std::string& field) {
  RETURN_IF_ERROR(CheckPresent(absl::StrCat(field, ".store"), spec.store()));
  RETURN_IF_ERROR(ParseTenant(absl::StrCat(field, ".tenant"), spec.tenant()).status());
  RETURN_IF_ERROR(CheckPresent(absl::StrCat(field, ".at"), spec.at()));
  ASSIGN_OR_RETURN(const state::Mode mode, ModeFromWire(absl::StrCat(field, ".mode"), spec.mode()));
  if (spec.tables_size() > kMaxTables) {
    return FieldError(absl::StrCat(field, ".tables"),
                      absl::StrCat("has more than ", kMaxTables, " entries."));
  }
  state::RestoreOrder order;
  order.set_store(spec.store());
  order.set_tenant(spec.tenant());
  order.mutable_point()->set_requested(spec.at());
  order.set_mode(mode);
  *order.mutable_tables() = spec.tables();
  order.set_accept_shrunken(spec.accept_shrunken());
  order.set_accept_uncovered(spec.accept_uncovered_tables());
  return order;
}

absl::StatusOr<state::RestoreOrder> OrderFromWire(const v1::UndoSpec& spec,
                                                  const std::string& field) {
  RETURN_IF_ERROR(CheckPresent(absl::StrCat(field, ".restore"), spec.restore()));
  state::RestoreOrder order;
  order.set_undo_of(spec.restore());
  order.set_skip_undo_conflicts(spec.skip_conflicts());
  return order;
}

absl::StatusOr<std::string> DigestFromWire(const std::string& field, const std::string& hex) {
  const bool is_hex = std::all_of(hex.begin(), hex.end(), absl::ascii_isxdigit);
  if (!hex.empty() && (hex.size() != 2 * Digest::kBytes || !is_hex)) {
    return FieldError(field, "is no digest: 64 hexadecimal digits are expected.");
  }
  return absl::HexStringToBytes(hex);
}

v1::Restore ToWire(const state::RestoreRecord& record, const RestoreManager::Eta& eta,
                   RestoreDetail detail) {
  const state::RestoreOrder& order = record.order();
  v1::Restore wire;
  wire.set_id(record.id());
  wire.set_kind(IsUndo(order) ? v1::RESTORE_KIND_UNDO : v1::RESTORE_KIND_RESTORE);
  wire.set_state(ToWire(record.state()));
  wire.set_phase(static_cast<v1::RestorePhase>(record.phase()));
  OrderToWire(order, record.label(), &wire);
  wire.set_plan(order.plan());
  wire.set_plan_digest(ToHex(order.plan_digest()));
  if (record.has_progress()) {
    ToWire(record.progress(), wire.mutable_progress());
    EtaToWire(eta, wire.mutable_progress());
  }
  if (record.has_plan()) {
    *wire.mutable_totals() = Totals(record.plan());
    if (detail == RestoreDetail::kFull) {
      TablesToWire(record.plan(), &wire);
      ConflictsToWire(record.plan(), &wire);
    }
  }
  wire.set_attempts(record.attempts());
  if (record.has_failure()) {
    ToWire(record.failure(), wire.mutable_failure());
  }
  wire.set_has_certificate(record.state() == state::SUCCEEDED || record.state() == state::UNDONE);
  wire.set_undo_of(order.undo_of());
  wire.set_undone_by(record.undone_by());
  wire.set_cancel_requested(record.cancel_requested());
  wire.set_reason(order.reason());
  wire.set_reference(order.reference());
  wire.set_priority(order.priority());
  wire.set_batch(order.batch());
  wire.set_resolved_by(record.resolved_by());
  wire.set_resolved_reason(record.resolved_reason());
  TimesToWire(record, &wire);
  HooksToWire(record, detail, &wire);
  return wire;
}

v1::Plan ToWire(const state::PlanRecord& record) {
  v1::Plan wire;
  wire.set_id(record.id());
  wire.set_state(static_cast<v1::PlanState>(record.state()));
  OrderToWire(record.order(), record.label(), &wire);
  if (record.has_progress()) {
    ToWire(record.progress(), wire.mutable_progress());
  }
  if (record.state() == state::PLAN_READY) {
    SummaryToWire(record.summary(), &wire);
  }
  if (record.has_failure()) {
    ToWire(record.failure(), wire.mutable_failure());
  }
  SetTime(record.created_us(), &v1::Plan::mutable_create_time, &wire);
  SetTime(record.finished_us(), &v1::Plan::mutable_end_time, &wire);
  ToWire(absl::FromUnixMicros(record.created_us()) + kPlanValidity, wire.mutable_expire_time());
  return wire;
}

v1::Certificate ToWire(const state::Certificate& certificate, const state::RestoreRecord& restore) {
  v1::Certificate wire;
  const bool undo = !certificate.undo_of().empty();
  wire.set_restore(certificate.restore());
  wire.set_kind(undo ? v1::RESTORE_KIND_UNDO : v1::RESTORE_KIND_RESTORE);
  TenantToWire(restore.order(), certificate.label(), wire.mutable_tenant());
  wire.set_store_identity(certificate.store_identity());
  if (!undo) {
    ToWire(certificate.point(), wire.mutable_point());
    wire.set_mode(static_cast<v1::RestoreMode>(certificate.mode()));
    wire.set_snapshot_root_digest(certificate.snapshot_root_digest_hex());
  }
  wire.set_undo_of(certificate.undo_of());
  wire.set_plan_digest(ToHex(certificate.plan_digest()));
  wire.set_inserted(certificate.inserted());
  wire.set_replaced(certificate.replaced());
  wire.set_deleted(certificate.deleted());
  for (const state::TableFinding& finding : certificate.findings()) {
    FindingToWire(finding, wire.add_tables());
  }
  wire.set_method(certificate.method());
  *wire.mutable_exceptions() = certificate.exceptions();
  SetTime(certificate.committed_us(), &v1::Certificate::mutable_commit_time, &wire);
  SetTime(certificate.second_look_us(), &v1::Certificate::mutable_second_look_time, &wire);
  for (const state::TableFinding& finding : certificate.second_look()) {
    FindingToWire(finding, wire.add_second_look());
  }
  wire.set_resolved_by_evidence(certificate.resolved_by_evidence());
  wire.set_resolved_by(restore.resolved_by());
  wire.set_resolved_reason(restore.resolved_reason());
  ToWire(restore.order().actor(), wire.mutable_actor());
  wire.set_reason(restore.order().reason());
  wire.set_reference(restore.order().reference());
  return wire;
}

v1::RestoreState ToWire(state::JobState state) { return static_cast<v1::RestoreState>(state); }

state::JobState FromWire(v1::RestoreState state) { return static_cast<state::JobState>(state); }

bool IsFinal(state::JobState state) {
  return state == state::SUCCEEDED || state == state::FAILED || state == state::CANCELLED ||
         state == state::UNDONE;
}

}  // namespace reinstate
