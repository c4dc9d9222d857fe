#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/history/history_db.h"
#include "storage/history/row_order.h"
#include "storage/history/run_file.h"
#include "storage/history/sorted_rows.h"

namespace reinstate {

// Sorts rows that come in any order: collects them up to its budget, sorts them, and spills them as
// a run. Not thread-safe: one for each thread.
class RowSorter {
 public:
  // Takes about `budget_bytes` of memory, or that of a single row if it is larger.
  RowSorter(HistoryDb* db, int64_t budget_bytes);

  // CORRUPT if the same row comes twice and both are in one run. NO_SPACE.
  absl::Status Add(std::string_view group, std::string_view payload);

  // Spills the rest. Nothing may be added afterwards.
  absl::Status Finish();

  const std::vector<SortedRun>& runs() const { return runs_; }

  // Groups at about even distances in bytes, in no order: where the work can be divided.
  const std::vector<std::string>& samples() const { return samples_; }

 private:
  absl::Status Spill();

  HistoryDb* const db_;
  const size_t arena_budget_;
  const size_t rows_budget_;
  std::string arena_;  // group and payload of each row
  std::vector<ArenaRow> rows_;
  std::vector<SortedRun> runs_;
  std::vector<std::string> samples_;
  int64_t bytes_since_sample_ = 0;
};

// The rows of several runs, which are borrowed, within [begin, end) as one. A row that is in two
// runs ends in CORRUPT.
absl::StatusOr<std::unique_ptr<SortedRows>> MergeRuns(const HistoryDb& db,
                                                      const std::vector<SortedRun>& runs,
                                                      const std::string& begin,
                                                      const std::string& end);

// Merges runs into fewer until there are at most `max_runs`, so that a merge of all of them has its
// buffers within bounds.
absl::Status ReduceRuns(HistoryDb* db, size_t max_runs, std::vector<SortedRun>* runs);

}  // namespace reinstate
