#pragma once

#include <map>
#include <memory>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/fault_points.h"
#include "storage/live/live_store.h"
#include "storage/live/record_store.h"

namespace reinstate {

class MemoryState;

struct MemoryStoreOptions {
  std::string id;                      // the store's identity; empty: one that no other store has
  std::string label_table = "tenant";  // each of its records is one label of its tenant

  // Tables, by name, that are not owned. Rows of unresolved ones are captured as nobody's.
  std::map<std::string, Relation> relations;

  // Which capabilities it has, so that tests see the engine with and without.
  bool resolves_tokens = true;
  bool keys_span_tenants = false;  // a table has each key once, over all tenants

  const Clock* clock = Clock::System();

  // Places, if not null (it outlives the store): `live.open_cut`, `live.cut_next`,
  // `live.open_tenant`, `live.begin`, `live.read`, `live.apply`, `live.seal`, `live.before_commit`
  // (nothing is committed then), `live.after_commit` (all is, but the answer is COMMIT_UNKNOWN).
  FaultPoints* faults = nullptr;
};

// A store in memory: the reference adapter. The shortest one that keeps the whole contract; read
// it, with storage/live/README.md, before writing another.
//
// Thread-safe. Nothing is durable. A tenant is copied when it is written to while a view has it, so
// it suits tests, not large data.
class MemoryStore final : public LiveStore, public RecordStore {
 public:
  explicit MemoryStore(MemoryStoreOptions options = {});
  ~MemoryStore() override;
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  StoreCapabilities Capabilities() const override;
  absl::StatusOr<StoreIdentity> Identity() override;
  absl::StatusOr<TenantMap> Catalog() override;
  absl::StatusOr<std::unique_ptr<Cut>> OpenCut(const CutOptions& options) override;
  absl::StatusOr<std::unique_ptr<TenantSession>> OpenTenant(const TenantId& tenant,
                                                            const SessionOptions& options) override;
  absl::StatusOr<SizeEstimate> EstimateTenant(const TenantId& tenant) override;
  absl::StatusOr<std::unique_ptr<TenantCountStream>> CountTenants() override;
  absl::StatusOr<std::vector<int64_t>> CountRowsOf(std::span<const TenantId> tenants) override;
  StoreHealth ProbeHealth() override;

  // With keys_span_tenants a put of a key that another tenant has is KEY_EXISTS.
  absl::Status Write(std::span<const RecordWrite> writes, bool sync) override;
  absl::StatusOr<std::optional<std::string>> Get(const TenantId& tenant, const std::string& table,
                                                 const RowKey& key) override;
  absl::StatusOr<std::unique_ptr<RecordStream>> Scan(const TenantId& tenant,
                                                     const std::string& table,
                                                     const RowKey& from) override;
  absl::StatusOr<int64_t> DeleteTenant(const TenantId& tenant) override;

 private:
  const std::unique_ptr<MemoryState> state_;
};

}  // namespace reinstate
