#include "tests/support/restore_world.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/snapshot/snapshotter.h"

namespace reinstate {
namespace {

void Require(const absl::Status& status, const char* what) {
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s\n", what, status.ToString().c_str());
    std::abort();
  }
}

template <typename T>
T Require(absl::StatusOr<T> value, const char* what) {
  Require(value.status(), what);
  return *std::move(value);
}

TenantId Id(const std::string& tenant) { return Require(TenantId::Parse(tenant), "tenant id"); }

}  // namespace

RestoreWorld::RestoreWorld(LiveStore* store, RecordStore* records, absl::Duration lock_timeout)
    : store_(store), records_(records) {
  state_ = Require(StateStore::Open({.path = folder_.path() + "/state", .reserve_bytes = 0}),
                   "open state");
  HistoryOptions history;
  history.path = folder_.path() + "/history";
  history.memory_budget_bytes = 8 << 20;
  history.state_id = state_->id();
  history_ = Require(History::Open(std::move(history)), "open history");
  lineage_ = Require(history_->EnsureLineage("main"), "lineage");
  Bind(Require(store_->Identity(), "identity").id);
  options_.spill_path = folder_.path() + "/spill";
  options_.memory_budget_bytes = 64 << 10;  // small, so that spilling happens in tests
  options_.lock_timeout = lock_timeout;
  options_.faults = &faults_;
  engine_ = Require(RestoreEngine::Create(options_, history_.get(), state_.get()), "engine");
}

void RestoreWorld::Bind(const std::string& identity) {
  state::StoreRecord record;
  record.set_name("main");
  record.set_identity(identity);
  record.set_lineage(lineage_);
  Require(state_->PutStore(record, AuditDraft()), "bind");
}

void RestoreWorld::Put(const std::string& tenant, const std::string& table, const std::string& key,
                       const std::string& payload) {
  const RecordWrite write{
      .tenant = Id(tenant), .table = table, .key = RowKey(key), .payload = payload};
  Require(records_->Write({&write, 1}, /*sync=*/false), "put");
}

void RestoreWorld::Delete(const std::string& tenant, const std::string& table,
                          const std::string& key) {
  const RecordWrite write{
      .tenant = Id(tenant), .table = table, .key = RowKey(key), .payload = std::nullopt};
  Require(records_->Write({&write, 1}, /*sync=*/false), "delete");
}

void RestoreWorld::DeleteTenant(const std::string& tenant) {
  Require(records_->DeleteTenant(Id(tenant)).status(), "delete tenant");
}

void RestoreWorld::Load(const StoreModel& model) {
  for (const auto& [tenant, tables] : model) {
    for (const auto& [table, rows] : tables) {
      for (const auto& [key, payload] : rows) {
        Put(tenant, table, key, payload);
      }
    }
  }
}

StoreModel RestoreWorld::Read(const std::vector<std::string>& tenants,
                              const std::vector<std::string>& tables) {
  StoreModel model;
  Record record;
  for (const std::string& tenant : tenants) {
    for (const std::string& table : tables) {
      auto stream = Require(records_->Scan(Id(tenant), table, RowKey()), "scan");
      while (Require(stream->Next(&record), "next")) {
        model[tenant][table][record.key.bytes()] = record.payload;
      }
    }
  }
  return model;
}

SnapshotInfo RestoreWorld::TakeSnapshot() {
  Snapshotter snapshotter({}, history_.get());
  Snapshotter::Order order;
  order.lineage = lineage_;
  order.store_identity = Require(store_->Identity(), "identity").id;
  order.job = "test";
  return Require(snapshotter.Take(store_, order), "snapshot");
}

state::RestoreOrder RestoreWorld::Order(const std::string& tenant, const SnapshotInfo& point,
                                        state::Mode mode) {
  state::RestoreOrder order;
  order.set_store("main");
  order.set_tenant(tenant);
  order.set_mode(mode);
  order.mutable_point()->set_snapshot(point.id.ToString());
  order.mutable_point()->set_instant_us(absl::ToUnixMicros(point.instant));
  order.mutable_actor()->set_name("test");
  return order;
}

std::string RestoreWorld::Create(const state::RestoreOrder& order) {
  state::RestoreRecord record;
  record.set_id(absl::StrCat("rst-", 1000 + ++created_));
  *record.mutable_order() = order;
  record.set_state(state::QUEUED);
  AuditDraft audit;
  audit.set_action("restore.created");
  audit.set_subject(record.id());
  return Require(state_->CreateRestore({}, record, audit), "create").id;
}

state::RestoreRecord RestoreWorld::Run(const std::string& id, RunControl* control) {
  RunControl own;
  return Require(engine_->Run(id, store_, control == nullptr ? &own : control), "run");
}

state::RestoreRecord RestoreWorld::Restore(const state::RestoreOrder& order, RunControl* control) {
  return Run(Create(order), control);
}

state::RestoreRecord RestoreWorld::Undo(const state::RestoreRecord& restore, bool skip_conflicts) {
  state::RestoreOrder order;
  order.set_store(restore.order().store());
  order.set_tenant(restore.order().tenant());
  order.set_undo_of(restore.id());
  order.set_skip_undo_conflicts(skip_conflicts);
  return Restore(order);
}

TenantModel ModelAfter(const TenantModel& live, const TenantModel& at_point, state::Mode mode) {
  if (mode == state::MIRROR) {
    return at_point;
  }
  TenantModel after = live;
  for (const auto& [table, rows] : at_point) {
    for (const auto& [key, payload] : rows) {
      if (mode == state::OVERWRITE) {
        after[table][key] = payload;
      } else {
        after[table].emplace(key, payload);
      }
    }
  }
  return after;
}

}  // namespace reinstate
