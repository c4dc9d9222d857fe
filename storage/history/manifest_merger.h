#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/history/history_db.h"
#include "storage/history/labels_file.h"
#include "storage/history/manifest_codec.h"
#include "storage/history/sst_sink.h"
#include "storage/history/version_scan.h"
#include "storage/model/sum.h"

namespace reinstate {

// What the tenants of a range come to, for the root.
struct TenantTotals {
  int64_t tenants = 0;  // without the one that stands for nobody
  int64_t ownerless_rows = 0;
  Sum sum;
  Uint128 manifests_hash = 0;
  int64_t vanished = 0;  // since the version before
  int64_t shrunken = 0;  // have lost at least half of their rows since

  TenantTotals& operator+=(const TenantTotals& other);
};

// Where and as what a part of a snapshot is written.
struct MergeTarget {
  HistoryDb* db = nullptr;
  RecordHasher hasher = RecordHasher(0);
  uint32_t lineage = 0;
  uint64_t version = 0;  // the one before it is the newest there is, or there is none if it is 1
};

// Merges what the tenants of a range have now with the manifests that they had, and writes those
// that changed. A tenant exists if it has rows or labels. Not thread-safe.
class ManifestMerger {
 public:
  // The range of TenantPrefix keys. All are borrowed.
  ManifestMerger(const MergeTarget& target, const LabelsFile& labels, const std::string& begin,
                 const std::string& end);

  // Once, first.
  absl::Status Open();

  // The next tenant that has rows, by its TenantPrefix, and its sums. Ascending.
  absl::Status Add(std::string_view prefix, std::vector<TableSum> tables);

  // After the last one.
  absl::Status Finish();

  const TenantTotals& totals() const { return totals_; }
  const SstSink& sink() const { return sink_; }

 private:
  struct Earlier {
    std::string body;
    TenantManifest content;
  };

  absl::Status NextEarlier();
  absl::Status AddTenantsBefore(std::optional<std::string_view> prefix);
  absl::Status Settle(const std::string& prefix, std::vector<TableSum> tables);
  absl::Status SettleExisting(const std::string& prefix, const TenantManifest& manifest,
                              const std::optional<Earlier>& earlier);
  absl::Status Write(std::string_view prefix, std::string body);
  absl::StatusOr<std::vector<std::string>> TakeLabels(std::string_view prefix);
  absl::StatusOr<std::optional<Earlier>> TakeEarlier(std::string_view prefix);

  const MergeTarget target_;
  LabelsFile::Cursor labels_;
  VersionScan earlier_;
  bool at_earlier_ = false;  // `earlier_` stands on a manifest
  SstSink sink_;
  TenantTotals totals_;
};

}  // namespace reinstate
