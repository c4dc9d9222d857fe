#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/fault_points.h"
#include "storage/history/labels_file.h"
#include "storage/history/manifest_merger.h"
#include "storage/history/run_watch.h"
#include "storage/history/sorted_rows.h"
#include "storage/history/sst_sink.h"
#include "storage/history/table_binding.h"
#include "storage/history/version_scan.h"

namespace reinstate {

// Merges the rows of a new snapshot within one range of tenants with the newest version there, and
// writes what differs: changed and new records, tombstones for those that are gone, manifests. Not
// thread-safe; several ranges are merged at the same time.
class RangeMerger {
 public:
  struct Inputs {
    SortedRows* rows = nullptr;
    const LabelsFile* labels = nullptr;
    const TableBinding* tables = nullptr;
    RunWatch* watch = nullptr;
    FaultPoints* faults = nullptr;
    std::string begin;  // of the range, as keys
    std::string end;
  };

  // All are borrowed.
  RangeMerger(const MergeTarget& target, const Inputs& inputs);

  // Once. Errors of the rows; CORRUPT; NO_SPACE; CANCELLED.
  absl::Status Run();

  // The results.
  const TenantTotals& totals() const { return manifests_.totals(); }
  const std::map<uint32_t, int64_t>& rows_by_table() const { return rows_by_table_; }
  const SstSink& records() const { return records_; }
  const SstSink& manifests() const { return manifests_.sink(); }

 private:
  absl::Status NextNew();
  absl::Status NextOld();
  absl::Status Step();
  absl::Status StartTable();
  absl::Status EndTenant();
  absl::Status CountNew();
  absl::Status WriteNew();
  absl::Status WriteTombstone();

  const MergeTarget target_;
  const Inputs inputs_;
  std::map<uint32_t, uint32_t> schema_ids_;  // by table number
  RunWatch::Tally tally_;
  RecordScan old_;
  bool at_old_ = false;
  bool at_new_ = false;
  ManifestMerger manifests_;
  SstSink records_;

  // Of the present new row.
  std::string
      tenant_prefix_;  // of the tenant whose rows are being added up; empty before the first
  std::string table_prefix_;
  std::string row_key_;
  uint32_t schema_id_ = 0;
  std::vector<TableSum> sums_;  // of the tenant; the last one is the present table's

  uint32_t steps_ = 0;
  std::string key_;  // buffers
  std::string value_;
  std::map<uint32_t, int64_t> rows_by_table_;
};

}  // namespace reinstate
