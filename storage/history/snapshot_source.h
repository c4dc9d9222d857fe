#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/history/snapshot_info.h"
#include "storage/model/streams.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

struct SnapshotRequest {
  uint32_t lineage = 0;
  absl::Time instant;
  std::string position;        // the source's own name of the moment
  std::string store_identity;  // StoreIdentity::id
  TenantMap
      map;  // TenantRow::table is an index into its tables; owned (and unresolved) ones are covered
  absl::Duration max_clock_skew = absl::Minutes(5);
  bool accept_clock_jump = false;  // a person said that the instant is right
  CollapseThresholds collapse;
  std::string job;                  // the id of the job that takes it; kept in the root
  ProgressCallback progress;        // may be null; called from any thread
  std::function<bool()> cancelled;  // may be null; asked now and then from any thread
};

// Where a snapshot's rows come from. Thread-safe: shards are read at the same time.
class SnapshotSource {
 public:
  virtual ~SnapshotSource() = default;

  // As Cut.
  virtual int shards() const = 0;
  virtual bool ordered_by_tenant() const = 0;
  virtual absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) = 0;
  virtual absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() = 0;

  // The number of rows of the table with this index, counted by the source in a way of its own. The
  // snapshot fails if it differs from what was read.
  virtual absl::StatusOr<int64_t> CountRows(uint32_t table) = 0;
};

}  // namespace reinstate
