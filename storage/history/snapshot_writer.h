#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/base/fault_points.h"
#include "storage/history/catalog.h"
#include "storage/history/history.pb.h"
#include "storage/history/history_db.h"
#include "storage/history/labels_file.h"
#include "storage/history/manifest_merger.h"
#include "storage/history/row_sorter.h"
#include "storage/history/run_watch.h"
#include "storage/history/snapshot_source.h"
#include "storage/history/sorted_rows.h"
#include "storage/history/table_binding.h"

namespace reinstate {

// Takes one snapshot: reads a source, merges it with the newest version of its lineage, checks the
// counts, and adds it all in one step. One object a snapshot, one at a time for a database; not
// thread-safe, but uses threads of its own.
class SnapshotWriter {
 public:
  struct Environment {
    HistoryDb* db = nullptr;
    Catalog* catalog = nullptr;
    RecordHasher hasher = RecordHasher(0);
    const Clock* clock = nullptr;
    FaultPoints* faults = nullptr;  // may be null
    int64_t memory_budget_bytes = 0;
    int threads = 1;
  };

  // All are borrowed.
  SnapshotWriter(const Environment& environment, const SnapshotRequest& request,
                 SnapshotSource* source);

  // Once. As History::TakeSnapshot. The caller clears the staging folder afterwards.
  absl::StatusOr<SnapshotInfo> Take();

 private:
  // A range of tenants and its rows.
  struct Part {
    std::unique_ptr<SortedRows> rows;
    std::string begin;
    std::string end;
  };

  // What the merge of all parts gave.
  struct Merged {
    TenantTotals totals;
    std::map<uint32_t, int64_t> rows_by_table;  // by number
    std::vector<int64_t> counts;  // by the source, of the covered tables in their order
    std::vector<HistoryDb::StagedTable> records;
    std::vector<HistoryDb::StagedTable> manifests;
    int64_t file_bytes = 0;
  };

  absl::Status LoadPrevious();
  absl::Status CheckInstant() const;
  absl::Status SpillLabels();

  absl::StatusOr<std::vector<Part>> OrderedParts();
  absl::StatusOr<std::vector<Part>> SortedParts();
  absl::Status SortShard(int shard, RowSorter* sorter);
  std::vector<Part> DivideBySamples(std::vector<std::string> samples) const;

  absl::StatusOr<Merged> Merge(const std::vector<Part>& parts);
  absl::Status CheckCounts(const Merged& merged) const;
  history::Collapse FindCollapse(const TenantTotals& totals) const;
  absl::StatusOr<std::vector<HistoryDb::StagedTable>> WriteSchemas(int64_t* file_bytes);
  history::Root MakeRoot(const Merged& merged) const;
  absl::StatusOr<SnapshotInfo> Add(const Merged& merged);
  absl::Status HitFault(const char* place) const;

  const Environment env_;
  const SnapshotRequest& request_;
  SnapshotSource* const source_;
  SnapshotId id_;
  history::Root previous_;  // a default one if there is none
  std::optional<TableBinding> tables_;
  std::optional<LabelsFile> labels_;
  std::optional<RunWatch> watch_;
  std::vector<SortedRun> runs_;
};

}  // namespace reinstate
