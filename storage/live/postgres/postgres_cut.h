#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/live/cut.h"
#include "storage/live/postgres/cut_view.h"
#include "storage/live/postgres/postgres_store_options.h"

namespace reinstate {

// A cut of a PostgreSQL database: a CutView that is read by COPY. Each shard reads a range of ctids
// of each larger heap, and some of the others whole. Captured are owned tables and, as rows of
// nobody, unresolved ones.
//
// A row of nobody in an owned table, because its column or a step of its path is NULL or leads
// nowhere, fails the stream with TABLE_UNRESOLVED, unless the configuration declares that the table
// has such rows. Thread-safe.
class PostgresCut final : public Cut {
 public:
  // Errors of CutView::Open.
  static absl::StatusOr<std::unique_ptr<PostgresCut>> Open(const PostgresStoreOptions& options,
                                                           int max_shards);

  const CutInfo& info() const override { return info_; }
  int shards() const override { return static_cast<int>(shards_.size()); }
  absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) override;
  absl::StatusOr<int64_t> CountRows(uint32_t table) override;
  absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() override;

  // The map of the cut, with its SQL.
  const PgTenantMap& map() const { return view_->map(); }

 private:
  // What one COPY reads.
  struct Part {
    uint32_t table = 0;            // index in the map
    const PgHeap* heap = nullptr;  // null: all of the table
    std::string condition;
  };
  // Whether several shards may read one heap. Where the owner is at the end of a path, each of them
  // would join with all of the parents again.
  enum class Dividing { kNever, kIfTooLarge, kFreely };
  struct HeapToRead {
    Part part;
    int64_t pages = 0;
    Dividing dividing = Dividing::kFreely;
  };
  struct Shard {
    std::vector<Part> parts;
    int64_t pages = 0;  // of heaps that it reads whole
  };
  class ShardStream;

  PostgresCut(const PostgresStoreOptions& options, std::unique_ptr<CutView> view, int max_shards);

  static Dividing DividingOf(const PgTablePlan& plan, const PgHeap& heap);
  std::vector<HeapToRead> HeapsToRead() const;
  // What is not divided goes, largest first, to the shard that has least to read.
  void DivideIntoShards(int max_shards);
  // Fills each shard up to `fair` pages.
  static void DivideHeaps(const std::vector<HeapToRead>& heaps, int64_t fair,
                          std::vector<Shard>* shards);
  absl::Status TellOwnerless() const;

  FaultPoints* const faults_;
  const std::unique_ptr<CutView> view_;
  CutInfo info_;
  std::vector<std::vector<Part>> shards_;
};

}  // namespace reinstate
