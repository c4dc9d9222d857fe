#pragma once

#include <rocksdb/iterator.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/live/rocksdb/embedded_db.h"

namespace reinstate {

struct RangeReaderOptions {
  SnapshotPtr snapshot;     // null: each opening of the iterator sees what is there then
  std::string begin;        // the first key
  std::string end;          // the first key that is not read; empty: none
  bool fill_cache = false;  // whether the blocks read are kept for others
  size_t readahead_bytes = 0;
};

// Goes through a range of one family's keys. Long scans pin files and memory of the
// database, so it opens its iterator again every few seconds; with a snapshot that changes nothing
// in what it gives. Not thread-safe.
class RangeReader {
 public:
  // Stands at the first key of the range. `db` outlives it.
  RangeReader(const EmbeddedDb* db, rocksdb::ColumnFamilyHandle* family,
              RangeReaderOptions options);

  // Whether it stands at a record. False at the end and after an error: look at status().
  bool Valid() const { return iterator_->Valid(); }

  // Of the record where it stands; valid until it moves.
  std::string_view key() const;
  std::string_view value() const;

  void Next();

  // Goes to the first key of the range at or after `key`, in either direction.
  void Seek(std::string_view key);

  absl::Status status() const;

 private:
  void Open(std::string_view from);

  const EmbeddedDb* const db_;
  rocksdb::ColumnFamilyHandle* const family_;
  const RangeReaderOptions options_;
  rocksdb::Slice upper_bound_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  int steps_ = 0;
  std::chrono::steady_clock::time_point opened_;
};

}  // namespace reinstate
