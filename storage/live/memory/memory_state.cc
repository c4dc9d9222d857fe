#include "storage/live/memory/memory_state.h"

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

std::string NewStoreId() {
  static std::atomic<uint64_t> stores = 0;
  return absl::StrCat("memory-", ++stores);
}

std::optional<std::string> ValueAt(const TenantRows& rows, const std::string& table,
                                   const RowKey& key) {
  const std::string* payload = FindRow(rows, table, key);
  return payload == nullptr ? std::nullopt : std::make_optional(*payload);
}

}  // namespace

const std::string* FindRow(const TenantRows& rows, const std::string& table, const RowKey& key) {
  const auto found_table = rows.find(table);
  if (found_table == rows.end()) {
    return nullptr;
  }
  const auto found = found_table->second.find(key);
  return found == found_table->second.end() ? nullptr : &found->second;
}

std::shared_ptr<const TenantRows> MemoryView::Tenant(const TenantId& tenant) const {
  const auto found = tenants.find(tenant.value());
  return found == tenants.end() ? std::make_shared<const TenantRows>() : found->second;
}

std::optional<std::string> MemoryView::OwnerOf(const std::string& table, const RowKey& key) const {
  for (const auto& [tenant, rows] : tenants) {
    if (FindRow(*rows, table, key) != nullptr) {
      return tenant;
    }
  }
  return std::nullopt;
}

MemoryState::MemoryState(MemoryStoreOptions options)
    : options_([&] {
        if (options.id.empty()) {
          options.id = NewStoreId();
        }
        return std::move(options);
      }()) {}

absl::Status MemoryState::Fault(std::string_view place) const {
  return options_.faults == nullptr ? absl::OkStatus() : options_.faults->Hit(place);
}

MemoryView MemoryState::TakeView() {
  MutexLock lock(&mu_);
  MemoryView view{.tenants = {}, .tables = tables_, .sequence = sequence_};
  for (auto& [tenant, slot] : tenants_) {
    slot.in_view = true;
    view.tenants.emplace(tenant, slot.rows);
  }
  return view;
}

TenantRows& MemoryState::Mutable(const TenantId& tenant) {
  Slot& slot = tenants_[tenant.value()];
  if (slot.in_view) {
    slot.rows = std::make_shared<TenantRows>(*slot.rows);
    slot.in_view = false;
  }
  return *slot.rows;
}

void MemoryState::SetRow(const TenantId& tenant, const std::string& table, const RowKey& key,
                         const std::optional<std::string>& payload) {
  TableRows& rows = Mutable(tenant)[table];
  if (payload) {
    rows.insert_or_assign(key, *payload);
    tables_.insert(table);
  } else {
    rows.erase(key);
  }
}

std::optional<std::string> MemoryState::OwnerOf(const std::string& table, const RowKey& key) {
  for (const auto& [tenant, slot] : tenants_) {
    if (FindRow(*slot.rows, table, key) != nullptr) {
      return tenant;
    }
  }
  return std::nullopt;
}

absl::Status MemoryState::CheckKeysAreFree(std::span<const RecordWrite> writes) {
  std::map<std::pair<std::string, RowKey>, std::string> owners;  // "" stands for nobody
  for (const RecordWrite& write : writes) {
    const auto [owner, is_new] = owners.try_emplace({write.table, write.key});
    if (is_new) {
      owner->second = OwnerOf(write.table, write.key).value_or("");
    }
    const bool is_ours = owner->second == write.tenant.value();
    if (write.payload && !is_ours && !owner->second.empty()) {
      return MakeError(Reason::kKeyExists,
                       absl::StrCat("another tenant has a key that was to be written to table \"",
                                    write.table, "\""));
    }
    if (write.payload || is_ours) {
      owner->second = write.payload ? write.tenant.value() : "";
    }
  }
  return absl::OkStatus();
}

absl::Status MemoryState::Write(std::span<const RecordWrite> writes) {
  for (const RecordWrite& write : writes) {
    RETURN_IF_ERROR(CheckRecordWrite(write));
  }
  MutexLock lock(&mu_);
  if (options_.keys_span_tenants) {
    RETURN_IF_ERROR(CheckKeysAreFree(writes));
  }
  for (const RecordWrite& write : writes) {
    SetRow(write.tenant, write.table, write.key, write.payload);
  }
  ++sequence_;
  return absl::OkStatus();
}

int64_t MemoryState::DeleteTenant(const TenantId& tenant) {
  MutexLock lock(&mu_);
  int64_t deleted = 0;
  for (const auto& [table, rows] : Mutable(tenant)) {
    deleted += static_cast<int64_t>(rows.size());
  }
  tenants_.erase(tenant.value());
  ++sequence_;
  return deleted;
}

absl::Status MemoryState::Commit(const TenantId& tenant, const MemoryChanges& changes,
                                 const std::string& token) {
  MutexLock lock(&mu_);
  const std::shared_ptr<const TenantRows> rows = tenants_[tenant.value()].rows;
  for (const auto& [place, change] : changes) {
    const auto& [table, key] = place;
    if (ValueAt(*rows, table, key) != change.before) {
      return MakeError(Reason::kLiveChanged,
                       absl::StrCat("the application changed rows of table \"", table,
                                    "\" that the session was to change; begin again"));
    }
    if (options_.keys_span_tenants && !change.before && OwnerOf(table, key)) {
      return MakeError(Reason::kKeyConflict,
                       absl::StrCat("another tenant has taken a key of table \"", table,
                                    "\" that the session was to insert"));
    }
  }
  for (const auto& [place, change] : changes) {
    SetRow(tenant, place.first, place.second, change.after);
  }
  committed_.insert(token);
  ++sequence_;
  return absl::OkStatus();
}

bool MemoryState::IsCommitted(const std::string& token) {
  MutexLock lock(&mu_);
  return committed_.contains(token);
}

std::string MemoryState::NewToken() {
  MutexLock lock(&mu_);
  return absl::StrCat(options_.id, "/", ++last_token_);
}

}  // namespace reinstate
