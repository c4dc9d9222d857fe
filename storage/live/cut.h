#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/model/streams.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

struct CutInfo {
  absl::Time instant;  // the source's clock, read after the view was opened: the cut holds nothing
                       // that is later
  std::string position;  // the source's own name of this moment (a log position, a sequence
                         // number); for people
  TenantMap map;         // as of the cut
  // Whether shards are ranges of tenants: rows ascend by (tenant, table's number in the map, key)
  // bytewise within a shard, all of shard i is before all of shard i + 1, and no tenant is in two
  // shards. Spares the sort.
  bool ordered_by_tenant = false;
};

// One consistent view of a store. Captures owned tables (and unresolved ones, whole, as rows of
// nobody); shared and excluded ones are left out. Thread-safe: shards may be read at the same time.
// Closes its view when destroyed, after its streams.
class Cut {
 public:
  virtual ~Cut() = default;

  virtual const CutInfo& info() const = 0;

  // At least 1 and at most what was asked for. Each captured row is in exactly one shard.
  virtual int shards() const = 0;

  // Reads shard `shard`, from 0. SESSION_LOST if the view is gone; then the whole cut is useless.
  virtual absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) = 0;

  // Counts all rows of the captured table with index `table` in info().map.tables, by a way of its
  // own that shares nothing with OpenShard: what a reader lost must show.
  virtual absl::StatusOr<int64_t> CountRows(uint32_t table) = 0;

  // The labels of all tenants in this view.
  virtual absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() = 0;
};

}  // namespace reinstate
