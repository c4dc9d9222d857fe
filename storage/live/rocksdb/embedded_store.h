#pragma once

#include <memory>
#include <string>

#include "storage/live/live_store.h"
#include "storage/live/record_store.h"
#include "storage/live/rocksdb/embedded_store_options.h"
#include "storage/live/tenant_locks.h"

namespace reinstate {

class EmbeddedDb;
class GenerationRemover;
class TenantLatches;

// The store within the daemon: records of many tenants in one RocksDB database. Each record's key
// holds its tenant and the tenant's generation; how a tenant of any size changes at once by that is
// said at EmbeddedSession.
//
// Thread-safe. One process at a time. What a session commits and what is written with `sync` is
// durable when the call returns; other writes outlive the process at once, the machine a little
// later.
class EmbeddedStore final : public LiveStore, public RecordStore {
 public:
  // Opens the store in options.path, or makes one. CORRUPT (it has lost what it had acknowledged;
  // nothing was changed), DATA_DIRECTORY_IN_USE, UNSUPPORTED (of another format), NO_SPACE,
  // UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<EmbeddedStore>> Open(EmbeddedStoreOptions options);

  ~EmbeddedStore() override;
  EmbeddedStore(const EmbeddedStore&) = delete;
  EmbeddedStore& operator=(const EmbeddedStore&) = delete;

  StoreCapabilities Capabilities() const override { return {.resolves_tokens = true}; }
  absl::StatusOr<StoreIdentity> Identity() override;
  absl::StatusOr<TenantMap> Catalog() override;
  absl::StatusOr<std::unique_ptr<Cut>> OpenCut(const CutOptions& options) override;
  absl::StatusOr<std::unique_ptr<TenantSession>> OpenTenant(const TenantId& tenant,
                                                            const SessionOptions& options) override;
  absl::StatusOr<SizeEstimate> EstimateTenant(const TenantId& tenant) override;
  absl::StatusOr<std::unique_ptr<TenantCountStream>> CountTenants() override;
  absl::StatusOr<std::vector<int64_t>> CountRowsOf(std::span<const TenantId> tenants) override;
  StoreHealth ProbeHealth() override;

  // After a NO_SPACE the writes are not there; if the machine crashes before there is space again,
  // they may show nevertheless.
  absl::Status Write(std::span<const RecordWrite> writes, bool sync) override;
  absl::StatusOr<std::optional<std::string>> Get(const TenantId& tenant, const std::string& table,
                                                 const RowKey& key) override;
  absl::StatusOr<std::unique_ptr<RecordStream>> Scan(const TenantId& tenant,
                                                     const std::string& table,
                                                     const RowKey& from) override;
  absl::StatusOr<int64_t> DeleteTenant(const TenantId& tenant) override;

  // Blocks until the records of old generations have been removed. For tests and measurements.
  void WaitUntilOldGenerationsAreRemoved();

 private:
  EmbeddedStore();

  // Destroyed from the last to the first.
  std::unique_ptr<EmbeddedDb> db_;
  const std::unique_ptr<TenantLatches> latches_;
  TenantLocks locks_;
  std::unique_ptr<GenerationRemover> remover_;
};

}  // namespace reinstate
