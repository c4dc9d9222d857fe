#include "storage/live/memory/memory_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/memory/memory_cut.h"
#include "storage/live/memory/memory_session.h"
#include "storage/live/memory/memory_state.h"
#include "storage/live/memory/memory_streams.h"
#include "storage/model/vector_stream.h"

namespace reinstate {
namespace {

SizeEstimate SizeOf(const TenantRows& tables, const MemoryStoreOptions& options) {
  SizeEstimate size;
  for (const auto& [table, rows] : tables) {
    if (options.relations.contains(table)) {
      continue;
    }
    for (const auto& [key, payload] : rows) {
      ++size.rows;
      size.bytes += static_cast<int64_t>(key.bytes().size() + payload.size());
    }
  }
  return size;
}

}  // namespace

MemoryStore::MemoryStore(MemoryStoreOptions options)
    : state_(std::make_unique<MemoryState>(std::move(options))) {}

MemoryStore::~MemoryStore() = default;

StoreCapabilities MemoryStore::Capabilities() const {
  return {.resolves_tokens = state_->options().resolves_tokens,
          .keys_span_tenants = state_->options().keys_span_tenants};
}

absl::StatusOr<StoreIdentity> MemoryStore::Identity() {
  return StoreIdentity{.id = state_->options().id, .address = "memory of this process"};
}

absl::StatusOr<TenantMap> MemoryStore::Catalog() {
  return MapOfView(state_->TakeView(), state_->options());
}

absl::StatusOr<std::unique_ptr<Cut>> MemoryStore::OpenCut(const CutOptions& options) {
  RETURN_IF_ERROR(state_->Fault("live.open_cut"));
  return std::make_unique<MemoryCut>(state_.get(), options.max_shards);
}

absl::StatusOr<std::unique_ptr<TenantSession>> MemoryStore::OpenTenant(
    const TenantId& tenant, const SessionOptions& options) {
  RETURN_IF_ERROR(state_->Fault("live.open_tenant"));
  if (tenant.is_ownerless()) {
    return MakeError(Reason::kTenantIdInvalid, "a session needs a tenant; the id is empty");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<TenantLocks::Held> lock,
                   state_->locks().Take(tenant, options.lock_timeout, options.should_end));
  return std::make_unique<MemorySession>(state_.get(), tenant, std::move(lock));
}

absl::StatusOr<SizeEstimate> MemoryStore::EstimateTenant(const TenantId& tenant) {
  return SizeOf(*state_->TakeView().Tenant(tenant), state_->options());
}

absl::StatusOr<std::unique_ptr<TenantCountStream>> MemoryStore::CountTenants() {
  std::vector<TenantCount> counts;
  for (const auto& [tenant, rows] : state_->TakeView().tenants) {
    if (const SizeEstimate size = SizeOf(*rows, state_->options()); size.rows > 0) {
      counts.push_back({.tenant = TenantId::FromStored(tenant), .rows = size.rows});
    }
  }
  return std::make_unique<CountVectorStream>(std::move(counts));
}

absl::StatusOr<std::vector<int64_t>> MemoryStore::CountRowsOf(std::span<const TenantId> tenants) {
  const MemoryView view = state_->TakeView();
  std::vector<int64_t> rows;
  rows.reserve(tenants.size());
  for (const TenantId& tenant : tenants) {
    rows.push_back(SizeOf(*view.Tenant(tenant), state_->options()).rows);
  }
  return rows;
}

StoreHealth MemoryStore::ProbeHealth() { return {}; }

absl::Status MemoryStore::Write(std::span<const RecordWrite> writes, bool /*sync*/) {
  return state_->Write(writes);
}

absl::StatusOr<std::optional<std::string>> MemoryStore::Get(const TenantId& tenant,
                                                            const std::string& table,
                                                            const RowKey& key) {
  const std::shared_ptr<const TenantRows> rows = state_->TakeView().Tenant(tenant);
  const std::string* payload = FindRow(*rows, table, key);
  return payload == nullptr ? std::nullopt : std::make_optional(*payload);
}

absl::StatusOr<std::unique_ptr<RecordStream>> MemoryStore::Scan(const TenantId& tenant,
                                                                const std::string& table,
                                                                const RowKey& from) {
  return std::make_unique<MemoryRecordStream>(ShareTable(state_->TakeView().Tenant(tenant), table),
                                              from);
}

absl::StatusOr<int64_t> MemoryStore::DeleteTenant(const TenantId& tenant) {
  return state_->DeleteTenant(tenant);
}

}  // namespace reinstate
