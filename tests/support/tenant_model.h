#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/history/history.h"
#include "storage/history/snapshot_source.h"

namespace reinstate {

// What a multi-tenant store holds, as plain maps: what tests compare with.
struct TenantModel {
  using Rows = std::map<std::string, std::string>;  // key -> payload
  using Tables = std::map<uint32_t, Rows>;          // by index in the tenant map

  std::map<std::string, Tables> tenants;  // "" stands for nobody
  std::map<std::string, std::vector<std::string>> labels;

  // Removes what is empty, so that equal contents compare equal.
  void Prune();

  int64_t RowsOfTable(uint32_t table) const;

  friend bool operator==(const TenantModel&, const TenantModel&) = default;
};

// A map of owned tables "table0", "table1", … whose identity is their name.
TenantMap OwnedTables(int tables);

// Gives a model's content as a cut would.
class ModelSource : public SnapshotSource {
 public:
  struct Options {
    int shards = 2;
    bool ordered = true;  // shards are ranges of tenants; else rows come shuffled
    uint64_t shuffle_seed = 1;
    int64_t rows_lost = 0;  // by the reader, from the middle; CountRows knows of them
    bool repeat_a_row = false;
    bool swap_rows = false;  // the first two rows of the first shard
  };

  ModelSource(const TenantModel& model, const Options& options);

  int shards() const override { return options_.shards; }
  bool ordered_by_tenant() const override { return options_.ordered; }
  absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) override;
  absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() override;
  absl::StatusOr<int64_t> CountRows(uint32_t table) override;

 private:
  void DealOrdered();
  void DealShuffled();

  const TenantModel model_;
  const Options options_;
  std::vector<std::vector<TenantRow>> rows_;  // by shard
};

// Reads a whole snapshot, in the shape of a model. `map` is the one that it was taken with.
absl::StatusOr<TenantModel> ReadSnapshot(const History& history, const SnapshotId& id,
                                         const TenantMap& map);

}  // namespace reinstate
