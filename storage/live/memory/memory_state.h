#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/live/memory/memory_store.h"
#include "storage/live/tenant_locks.h"
#include "storage/model/record.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

using TableRows = std::map<RowKey, std::string>;      // payloads by key
using TenantRows = std::map<std::string, TableRows>;  // by table

// What a store held at one moment. A value; copies share the rows, which nobody changes.
struct MemoryView {
  std::map<std::string, std::shared_ptr<const TenantRows>> tenants;  // by id
  std::set<std::string> tables;
  uint64_t sequence = 0;  // of the last write that is in it

  // The rows of one tenant; none for one that it does not have.
  std::shared_ptr<const TenantRows> Tenant(const TenantId& tenant) const;

  // Which tenant has the key.
  std::optional<std::string> OwnerOf(const std::string& table, const RowKey& key) const;
};

// The payload at `table` and `key`, or nullptr. Borrowed from `rows`.
const std::string* FindRow(const TenantRows& rows, const std::string& table, const RowKey& key);

// What a session is about to commit: for each row that it changed, what its view had and what shall
// be there; nullopt stands for no row.
struct MemoryChange {
  std::optional<std::string> before;
  std::optional<std::string> after;
};
using MemoryChanges = std::map<std::pair<std::string, RowKey>, MemoryChange>;  // by table and key

// The rows of a MemoryStore, with the views that its cuts and sessions have of them. Rows that a
// view has are never changed: the first write to a tenant after a view was taken copies it.
//
// Thread-safe.
class MemoryState {
 public:
  explicit MemoryState(MemoryStoreOptions options);

  const MemoryStoreOptions& options() const { return options_; }
  TenantLocks& locks() { return locks_; }

  // What options.faults has at `place`.
  absl::Status Fault(std::string_view place) const;

  MemoryView TakeView();

  absl::Status Write(std::span<const RecordWrite> writes);
  int64_t DeleteTenant(const TenantId& tenant);

  // Applies `changes` at once, provided that each row is still as it was. LIVE_CHANGED,
  // KEY_CONFLICT: nothing was done.
  absl::Status Commit(const TenantId& tenant, const MemoryChanges& changes,
                      const std::string& token);

  // Whether a Commit with `token` has succeeded.
  bool IsCommitted(const std::string& token);

  // A token that no other commit has.
  std::string NewToken();

 private:
  struct Slot {
    std::shared_ptr<TenantRows> rows = std::make_shared<TenantRows>();
    bool in_view = false;  // a view has been given `rows`
  };

  TenantRows& Mutable(const TenantId& tenant) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<std::string> OwnerOf(const std::string& table, const RowKey& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetRow(const TenantId& tenant, const std::string& table, const RowKey& key,
              const std::optional<std::string>& payload) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckKeysAreFree(std::span<const RecordWrite> writes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const MemoryStoreOptions options_;
  TenantLocks locks_;

  Mutex mu_;
  std::map<std::string, Slot> tenants_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> tables_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> committed_ ABSL_GUARDED_BY(mu_);
  uint64_t sequence_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_token_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace reinstate
