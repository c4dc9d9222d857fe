#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/history/snapshot_info.h"
#include "storage/model/streams.h"
#include "storage/model/sum.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// Reads one snapshot. Thread-safe; its streams are not. Errors as History.
class PointReader {
 public:
  virtual ~PointReader() = default;

  virtual const SnapshotInfo& snapshot() const = 0;

  // With the history's seed: its hashes are those of the manifests' sums.
  virtual const RecordHasher& hasher() const = 0;

  // The manifest of `tenant`. TENANT_NOT_AT_POINT if it has none at this point, which is said only
  // once all manifests of the point were found to add up to the root.
  virtual absl::StatusOr<TenantManifest> GetTenant(const TenantId& tenant) const = 0;

  // The largest number of rows that `tenant` had in any kept, visible snapshot at or before this
  // one, with that snapshot: whether the point has shrunk. nullopt if it had none.
  struct Peak {
    SnapshotId snapshot;
    int64_t rows = 0;
  };
  virtual absl::StatusOr<std::optional<Peak>> PeakBefore(const TenantId& tenant) const = 0;

  // The tenant's records of one covered table, ascending bytewise by key. Each checksum is checked,
  // and at the end their sum against the manifest: what does not add up ends in CORRUPT or
  // SHORTFALL instead.
  virtual absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const TenantId& tenant,
                                                                  uint32_t table_number) const = 0;

  // Up to `limit` tenants at this point with ids after `after` (all if nullopt), ascending.
  virtual absl::StatusOr<std::vector<TenantManifest>> ListTenants(
      const std::optional<TenantId>& after, int64_t limit) const = 0;
};

}  // namespace reinstate
