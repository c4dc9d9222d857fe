#include "server/jobs/store_registry.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/restore/bound_identity.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

AuditDraft StoreAudit(const std::string& action, const std::string& store,
                      const nlohmann::json& details, const state::Actor& actor) {
  AuditDraft audit;
  *audit.mutable_actor() = actor;
  audit.set_action(action);
  audit.set_subject(store);
  audit.set_store(store);
  audit.set_details(details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return audit;
}

nlohmann::json DetailsOf(const StoreIdentity& identity, const std::string& reason) {
  return {{"identity", identity.id}, {"address", identity.address}, {"reason", reason}};
}

state::Actor Daemon() {
  state::Actor actor;
  actor.set_name("reinstated");
  actor.set_verified(true);
  return actor;
}

}  // namespace

absl::StatusOr<std::optional<state::StoreRecord>> StoreRegistry::Bound(
    const std::string& name) const {
  ASSIGN_OR_RETURN(const auto records, state_->Stores());
  for (const state::StoreRecord& record : records) {
    if (record.name() == name) {
      return record;
    }
  }
  return std::nullopt;
}

absl::Status StoreRegistry::Bind(const ServedStore& store, const StoreIdentity& identity,
                                 const AuditDraft& audit) {
  MutexLock one_at_a_time(&records_mu_);
  ASSIGN_OR_RETURN(const auto bound, Bound(store.name));
  state::StoreRecord record;
  if (bound.has_value() && bound->has_throttle()) {
    *record.mutable_throttle() = bound->throttle();
  }
  record.set_name(store.name);
  record.set_adapter(store.adapter);
  record.set_identity(identity.id);
  record.set_address(identity.address);
  record.set_lineage(store.lineage);
  record.set_registered_us(absl::ToUnixMicros(absl::Now()));
  RETURN_IF_ERROR(state_->PutStore(record, audit));
  store.live->Expect(identity.id);
  return absl::OkStatus();
}

absl::Status StoreRegistry::Register(ServedStore store) {
  ASSIGN_OR_RETURN(store.lineage, history_->EnsureLineage(store.name));
  const std::string name = store.name;
  {
    MutexLock lock(&mu_);
    if (!stores_.emplace(name, std::make_unique<ServedStore>(std::move(store))).second) {
      return MakeError(Reason::kConfigInvalid,
                       absl::StrCat("there are two stores with the name ", name));
    }
  }
  absl::Status identity = CheckIdentity(name);
  // Both are for who uses the store to find out: a daemon with one bad store must serve the others.
  if (HasReason(identity, Reason::kStoreIdentityChanged) ||
      HasReason(identity, Reason::kUnavailable) || HasReason(identity, Reason::kNotAllowed) ||
      HasReason(identity, Reason::kUnsupported)) {
    return absl::OkStatus();
  }
  return identity;
}

absl::StatusOr<const ServedStore*> StoreRegistry::Find(const std::string& name) const {
  MutexLock lock(&mu_);
  if (const auto found = stores_.find(name); found != stores_.end()) {
    return found->second.get();
  }
  std::vector<std::string> names;
  names.reserve(stores_.size());
  for (const auto& [known, store] : stores_) {
    names.push_back(known);
  }
  const std::string present =
      names.empty() ? "none is configured" : absl::StrCat("there is ", absl::StrJoin(names, ", "));
  if (name.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("say which store it is about; ", present));
  }
  return MakeError(Reason::kStoreNotFound,
                   absl::StrCat("there is no store ", Printable(name), "; ", present));
}

std::vector<const ServedStore*> StoreRegistry::List() const {
  MutexLock lock(&mu_);
  std::vector<const ServedStore*> stores;
  stores.reserve(stores_.size());
  for (const auto& [name, store] : stores_) {
    stores.push_back(store.get());
  }
  return stores;
}

absl::Status StoreRegistry::CheckIdentity(const std::string& name, const ShouldEnd& should_end) {
  ASSIGN_OR_RETURN(const ServedStore* store, Find(name));
  ASSIGN_OR_RETURN(const auto bound, Bound(name));
  if (bound.has_value()) {
    // Also if it cannot be asked now: it may answer, as another one, when it is used.
    store->live->Expect(bound->identity());
  }
  ASSIGN_OR_RETURN(const StoreIdentity identity, store->live->IdentityUnless(should_end));
  if (!bound.has_value()) {
    return Bind(*store, identity,
                StoreAudit("store.registered", name, DetailsOf(identity, ""), Daemon()));
  }
  return CheckBoundIdentity(*bound, identity);
}

absl::StatusOr<TenantId> StoreRegistry::CanonicalTenant(const std::string& name,
                                                        std::string_view text) const {
  ASSIGN_OR_RETURN(const ServedStore* store, Find(name));
  ASSIGN_OR_RETURN(const TenantId tenant, TenantId::Parse(text));
  const absl::StatusOr<TenantId> canonical = store->live->CanonicalTenant(tenant);
  // What was captured is to be seen while the live store is in trouble, too.
  return canonical.ok() || HasReason(canonical.status(), Reason::kTenantIdInvalid) ? canonical
                                                                                   : tenant;
}

absl::Status StoreRegistry::Rebind(const std::string& name, const std::string& expected_identity,
                                   const state::Actor& actor, const std::string& reason) {
  ASSIGN_OR_RETURN(const ServedStore* store, Find(name));
  ASSIGN_OR_RETURN(const StoreIdentity identity, store->live->Identity());
  if (identity.id != expected_identity) {
    return MakeError(Reason::kConfirmationNeeded,
                     absl::StrCat("store ", name, " at ", identity.address, " has the identity ",
                                  identity.id, ", not the one that was confirmed"));
  }
  return Bind(*store, identity,
              StoreAudit("store.rebound", name, DetailsOf(identity, reason), actor));
}

absl::Status StoreRegistry::SetThrottle(const std::string& name, const state::Throttle& throttle,
                                        const state::Actor& actor, const std::string& reason) {
  MutexLock one_at_a_time(&records_mu_);
  ASSIGN_OR_RETURN(state::StoreRecord record, Record(name));
  *record.mutable_throttle() = throttle;
  const nlohmann::json details = {{"rows_per_second", throttle.rows_per_second()},
                                  {"bytes_per_second", throttle.bytes_per_second()},
                                  {"max_running", throttle.max_running()},
                                  {"reason", reason}};
  return state_->PutStore(record, StoreAudit("store.throttled", name, details, actor));
}

absl::Status StoreRegistry::SetThrottleDebt(const std::string& name,
                                            const state::ThrottleDebt& debt) {
  MutexLock one_at_a_time(&records_mu_);
  ASSIGN_OR_RETURN(state::StoreRecord record, Record(name));
  *record.mutable_throttle_debt() = debt;
  return state_->PutStore(record, std::nullopt);
}

absl::StatusOr<state::StoreRecord> StoreRegistry::Record(const std::string& name) const {
  RETURN_IF_ERROR(Find(name).status());
  ASSIGN_OR_RETURN(const auto bound, Bound(name));
  if (!bound.has_value()) {
    return MakeError(Reason::kUnavailable,
                     absl::StrCat("store ", name, " could not be reached yet"));
  }
  return *bound;
}

}  // namespace reinstate
