#pragma once

#include <rocksdb/iterator.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/history/history_db.h"

namespace reinstate {

// Goes over all versions of all groups that begin with a prefix, each group's newest first. Not
// thread-safe.
class AllVersionsScan {
 public:
  AllVersionsScan(const HistoryDb* db, Family family, std::string_view prefix);
  ~AllVersionsScan() = default;
  AllVersionsScan(const AllVersionsScan&) = delete;
  AllVersionsScan& operator=(const AllVersionsScan&) = delete;

  // Goes to the next version; false at the end. CORRUPT.
  absl::StatusOr<bool> Next();

  // Of the present version; valid until the next call of Next. `value` has its checksum still.
  std::string_view key() const { return it_->key().ToStringView(); }
  std::string_view value() const { return it_->value().ToStringView(); }
  std::string_view group() const { return group_; }
  uint64_t version() const { return version_; }

 private:
  const std::string end_;
  const rocksdb::Slice upper_bound_;
  std::unique_ptr<rocksdb::Iterator> it_;
  bool begun_ = false;
  std::string_view group_;
  uint64_t version_ = 0;
};

}  // namespace reinstate
