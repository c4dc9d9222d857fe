#include "storage/history/all_versions_scan.h"

#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/history_status.h"
#include "storage/history/key_codec.h"

namespace reinstate {

AllVersionsScan::AllVersionsScan(const HistoryDb* db, Family family, std::string_view prefix)
    : end_(KeyCodec::PrefixEnd(prefix)), upper_bound_(end_) {
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper_bound_;
  options.fill_cache = false;
  it_ = db->NewIterator(family, options);
  it_->Seek(prefix);
}

absl::StatusOr<bool> AllVersionsScan::Next() {
  if (std::exchange(begun_, true) && it_->Valid()) {
    it_->Next();
  }
  if (!it_->Valid()) {
    RETURN_IF_ERROR(HistoryStatus(it_->status(), "read all versions"));
    return false;
  }
  if (!KeyCodec::SplitVersion(key(), &group_, &version_)) {
    return MakeError(Reason::kCorrupt, "A key of the history is malformed.");
  }
  return true;
}

}  // namespace reinstate
