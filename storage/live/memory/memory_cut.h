#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/live/cut.h"
#include "storage/live/memory/memory_state.h"

namespace reinstate {

// The tables of a view, as a store with these options maps them.
TenantMap MapOfView(const MemoryView& view, const MemoryStoreOptions& options);

// A cut of a MemoryStore: its view, with the tenants dealt out to shards in their order.
class MemoryCut final : public Cut {
 public:
  // `state` outlives the cut.
  MemoryCut(MemoryState* state, int max_shards);

  const CutInfo& info() const override { return info_; }
  int shards() const override { return static_cast<int>(shards_.size()); }
  absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) override;
  absl::StatusOr<int64_t> CountRows(uint32_t table) override;
  absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() override;

  // The captured rows of one tenant's table; an empty tenant for rows of nobody.
  struct Run {
    std::string tenant;
    uint32_t table = 0;
    std::shared_ptr<const TableRows> rows;
  };

 private:
  std::vector<Run> MakeRuns() const;

  MemoryState* const state_;
  const MemoryView view_;
  CutInfo info_;
  std::vector<std::vector<Run>> shards_;
};

}  // namespace reinstate
