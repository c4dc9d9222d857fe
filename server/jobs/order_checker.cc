#include "server/jobs/order_checker.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/restore/point_resolver.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

bool IsIn(const SnapshotInfo& snapshot, const std::string& name) {
  return std::any_of(snapshot.tables.begin(), snapshot.tables.end(),
                     [&](const CoveredTable& table) { return table.schema.name == name; });
}

bool IsOfTenantsNow(const TenantMap& live, const std::string& name) {
  return std::any_of(live.tables.begin(), live.tables.end(), [&](const MappedTable& table) {
    return table.schema.name == name &&
           (table.relation == Relation::kOwned || table.relation == Relation::kUnresolved);
  });
}

// Tables that only the live store has, beside some of the snapshot, are for the plan to show, which
// asks for consent where that is needed.
absl::Status CheckTables(const state::RestoreOrder& order, const SnapshotInfo& snapshot,
                         LiveStore* store) {
  std::vector<std::string> others;
  std::copy_if(order.tables().begin(), order.tables().end(), std::back_inserter(others),
               [&](const std::string& name) { return !IsIn(snapshot, name); });
  TenantMap live;
  if (!others.empty() && std::ssize(others) < order.tables_size()) {
    ASSIGN_OR_RETURN(live, store->Catalog());
  }
  for (const std::string& name : others) {
    if (!IsOfTenantsNow(live, name)) {
      return MakeError(Reason::kTableNotFound,
                       absl::StrCat("snapshot ", snapshot.id.ToString(), " of store ",
                                    order.store(), " has no table ", Printable(name)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNotShrunken(const PointReader& point, const TenantManifest& manifest) {
  ASSIGN_OR_RETURN(const auto peak, point.PeakBefore(manifest.tenant));
  if (!peak.has_value() || manifest.rows() * 2 >= peak->rows) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kPointShrunken,
      absl::StrCat("in ", point.snapshot().id.ToString(), " tenant ", manifest.tenant.value(),
                   " has ", manifest.rows(), " rows, less than half of the ", peak->rows,
                   " that it had in ", peak->snapshot.ToString(),
                   "; choose that snapshot, or accept this one with --accept-shrunken"));
}

bool SameOrder(const state::RestoreOrder& a, const state::RestoreOrder& b) {
  return a.store() == b.store() && a.tenant() == b.tenant() && a.mode() == b.mode() &&
         a.undo_of() == b.undo_of() && a.point().snapshot() == b.point().snapshot() &&
         std::equal(a.tables().begin(), a.tables().end(), b.tables().begin(), b.tables().end());
}

}  // namespace

absl::Status OrderChecker::CheckTenant(state::RestoreOrder* order) const {
  RETURN_IF_ERROR(TenantId::Parse(order->tenant()).status());
  const std::string& store = order->store();
  const absl::Status identity = stores_->CheckIdentity(store);
  // A store that cannot be reached now may be when the job runs.
  if (!HasReason(identity, Reason::kUnavailable)) {
    RETURN_IF_ERROR(identity);
    ASSIGN_OR_RETURN(const TenantId tenant, stores_->CanonicalTenant(store, order->tenant()));
    order->set_tenant(tenant.value());
  }
  ASSIGN_OR_RETURN(const auto in_doubt, state_->InDoubt(store, order->tenant()));
  if (in_doubt.has_value()) {
    return MakeError(
        Reason::kTenantInDoubt,
        absl::StrCat("it is not known whether restore ", *in_doubt, " of tenant ", order->tenant(),
                     " was committed; look at the tenant and settle it with `reinstate restore "
                     "resolve` first"));
  }
  return absl::OkStatus();
}

absl::Status OrderChecker::CheckPlan(state::RestoreOrder* order) const {
  if (order->plan().empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const state::PlanRecord plan, state_->GetPlan(order->plan()));
  const std::string& digest = plan.summary().digest();
  const bool same_digest = order->plan_digest().empty() || order->plan_digest() == digest;
  if (plan.state() != state::PLAN_READY || !same_digest || !SameOrder(plan.order(), *order)) {
    return MakeError(Reason::kPlanChanged,
                     absl::StrCat("plan ", order->plan(),
                                  " is not ready, or is not of this order; look at a new plan"));
  }
  order->set_plan_digest(digest);
  return absl::OkStatus();
}

absl::Status OrderChecker::CheckPoint(Consents consents, state::RestoreRecord* record) const {
  const state::RestoreOrder& order = record->order();
  ASSIGN_OR_RETURN(const SnapshotId snapshot, SnapshotId::Parse(order.point().snapshot()));
  ASSIGN_OR_RETURN(const auto point, history_->OpenPoint(snapshot));
  ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(order.store()));
  RETURN_IF_ERROR(CheckTables(order, point->snapshot(), store->live));
  ASSIGN_OR_RETURN(const TenantId tenant, TenantId::Parse(order.tenant()));
  ASSIGN_OR_RETURN(const TenantManifest manifest, point->GetTenant(tenant));
  if (consents == Consents::kRequired && !order.accept_shrunken()) {
    RETURN_IF_ERROR(CheckNotShrunken(*point, manifest));
  }
  if (!manifest.labels.empty()) {
    record->set_label(manifest.labels.front());
  }
  record->set_size_rows(manifest.rows());
  record->set_size_bytes(manifest.bytes());
  return absl::OkStatus();
}

absl::StatusOr<state::RestoreRecord> OrderChecker::CheckRestore(state::RestoreOrder order,
                                                                Consents consents) const {
  ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(order.store()));
  RETURN_IF_ERROR(TenantId::Parse(order.tenant()).status());
  ASSIGN_OR_RETURN(*order.mutable_point(), ResolvePoint(*history_, store->lineage,
                                                        order.point().requested(), clock_->Now()));
  RETURN_IF_ERROR(CheckTenant(&order));
  RETURN_IF_ERROR(CheckPlan(&order));
  state::RestoreRecord record;
  *record.mutable_order() = std::move(order);
  RETURN_IF_ERROR(CheckPoint(consents, &record));
  record.mutable_progress()->set_total_rows(record.size_rows());
  record.mutable_progress()->set_total_bytes(record.size_bytes());
  return record;
}

absl::StatusOr<state::RestoreRecord> OrderChecker::CheckUndo(state::RestoreOrder order) const {
  ASSIGN_OR_RETURN(const state::RestoreRecord undone, state_->GetRestore(order.undo_of()));
  if (!undone.order().undo_of().empty()) {
    return MakeError(Reason::kNotUndoable,
                     absl::StrCat(undone.id(),
                                  " is itself an undo; restore the tenant again "
                                  "instead"));
  }
  RETURN_IF_ERROR(state_->CheckUndoable(undone.id()));
  if (undone.undo_expires_us() <= absl::ToUnixMicros(clock_->Now())) {
    return MakeError(Reason::kNotUndoable,
                     absl::StrCat("the undo of restore ", undone.id(), " has expired"));
  }
  order.set_store(undone.order().store());
  order.set_tenant(undone.order().tenant());
  order.clear_point();
  order.set_mode(state::MODE_UNSPECIFIED);
  order.clear_tables();
  RETURN_IF_ERROR(stores_->Find(order.store()).status());
  RETURN_IF_ERROR(CheckTenant(&order));
  RETURN_IF_ERROR(CheckPlan(&order));
  state::RestoreRecord record;
  *record.mutable_order() = std::move(order);
  record.set_label(undone.label());
  record.set_size_rows(undone.size_rows());
  record.set_size_bytes(undone.size_bytes());
  record.mutable_progress()->set_total_rows(record.size_rows());
  record.mutable_progress()->set_total_bytes(record.size_bytes());
  return record;
}

}  // namespace reinstate
