#pragma once

#include <rocksdb/sst_file_reader.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/history/history_db.h"
#include "storage/model/streams.h"

namespace reinstate {

// The labels of a cut's tenants, spilled, so that several threads can read them by ranges.
class LabelsFile {
 public:
  // Reads `stream` to its end into a file of the staging folder. INTERNAL if its tenants do not
  // ascend.
  static absl::StatusOr<LabelsFile> Write(HistoryDb* db, uint32_t lineage,
                                          TenantLabelsStream* stream);

  // The tenants within [begin, end) of TenantPrefix keys. Not thread-safe.
  class Cursor {
   public:
    Cursor(const LabelsFile& file, std::string begin, std::string end);
    ~Cursor() = default;
    Cursor(const Cursor&) = delete;
    Cursor& operator=(const Cursor&) = delete;

    absl::Status Open();

    // The present tenant's prefix key, or nothing at the end.
    bool Valid() const { return it_ != nullptr && it_->Valid(); }
    std::string_view prefix() const { return it_->key().ToStringView(); }
    absl::StatusOr<std::vector<std::string>> labels() const;
    absl::Status Next();

   private:
    const std::string file_;
    const std::string begin_;
    const std::string end_;
    const rocksdb::Slice upper_bound_;
    rocksdb::SstFileReader reader_;
    std::unique_ptr<rocksdb::Iterator> it_;
  };

 private:
  LabelsFile(const HistoryDb* db, std::string file) : db_(db), file_(std::move(file)) {}

  const HistoryDb* db_;
  std::string file_;  // empty if no tenant has labels
};

}  // namespace reinstate
