#pragma once

#include <rocksdb/iterator.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/history/history_db.h"
#include "storage/history/record_codec.h"

namespace reinstate {

// Goes over the groups of a key range in order and gives of each the newest version that is not
// after a given one; groups without such a version are left out. Not thread-safe.
//
// Reopens its iterator every few seconds, so that a slow reader does not keep old files alive. What
// it gives stays the same, since nothing that a kept snapshot sees is ever changed.
class VersionScan {
 public:
  struct Options {
    Family family = Family::kRecords;
    std::string begin;  // inclusive
    std::string end;    // exclusive
    uint64_t version = 0;
    size_t readahead_bytes = 0;  // 0: RocksDB's own, growing
    bool fill_cache = true;      // not for scans of much
    std::chrono::milliseconds reopen_after = std::chrono::seconds(5);
  };

  VersionScan(const HistoryDb* db, Options options);
  ~VersionScan() = default;
  VersionScan(const VersionScan&) = delete;
  VersionScan& operator=(const VersionScan&) = delete;

  // Goes to the next group; false at the end. CORRUPT.
  absl::StatusOr<bool> Next();

  // Of the present version; valid until the next call of Next. `value` has its checksum still.
  std::string_view key() const { return it_->key().ToStringView(); }
  std::string_view value() const { return it_->value().ToStringView(); }
  std::string_view group() const { return group_; }
  uint64_t version() const { return found_version_; }

 private:
  void Open(std::string_view from);
  void ReopenIfOld();
  absl::StatusOr<bool> IsNextGroup();

  const HistoryDb* const db_;
  const Options options_;
  const rocksdb::Slice upper_bound_;
  std::unique_ptr<rocksdb::Iterator> it_;
  std::chrono::steady_clock::time_point opened_;
  uint32_t steps_ = 0;
  bool at_group_ = false;  // `it_` stands on the version that was given last
  std::string group_;      // the group that was given last
  uint64_t found_version_ = 0;
};

// The records among what a VersionScan gives: decoded, tombstones left out.
class RecordScan {
 public:
  RecordScan(const HistoryDb* db, VersionScan::Options options) : scan_(db, std::move(options)) {}

  // False at the end. CORRUPT.
  absl::StatusOr<bool> Next();

  // Valid until the next call of Next.
  std::string_view group() const { return scan_.group(); }
  const StoredRecord& record() const { return record_; }

 private:
  VersionScan scan_;
  StoredRecord record_;
};

}  // namespace reinstate
