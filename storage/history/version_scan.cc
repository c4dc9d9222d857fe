#include "storage/history/version_scan.h"

#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/history_status.h"
#include "storage/history/key_codec.h"

namespace reinstate {
namespace {

constexpr uint32_t kStepsBetweenLooksAtTheTime = 256;

}  // namespace

VersionScan::VersionScan(const HistoryDb* db, Options options)
    : db_(db), options_(std::move(options)), upper_bound_(options_.end) {
  Open(options_.begin);
}

void VersionScan::Open(std::string_view from) {
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &upper_bound_;
  read.readahead_size = options_.readahead_bytes;
  read.fill_cache = options_.fill_cache;
  it_.reset();  // the files of the old one are let go before the new one takes more
  it_ = db_->NewIterator(options_.family, read);
  it_->Seek(from);
  opened_ = std::chrono::steady_clock::now();
}

void VersionScan::ReopenIfOld() {
  if (++steps_ % kStepsBetweenLooksAtTheTime != 0 ||
      std::chrono::steady_clock::now() - opened_ < options_.reopen_after) {
    return;
  }
  if (it_->Valid()) {
    Open(it_->key().ToString());
  }
}

absl::StatusOr<bool> VersionScan::IsNextGroup() {
  std::string_view group;
  uint64_t version = 0;
  if (!KeyCodec::SplitVersion(key(), &group, &version)) {
    return MakeError(Reason::kCorrupt, "A key of the history is malformed.");
  }
  if (version > options_.version || group == group_) {
    return false;
  }
  group_ = group;
  found_version_ = version;
  return true;
}

absl::StatusOr<bool> VersionScan::Next() {
  if (std::exchange(at_group_, false)) {
    it_->Next();
  }
  while (it_->Valid()) {
    ReopenIfOld();
    if (!it_->Valid()) {
      break;
    }
    ASSIGN_OR_RETURN(at_group_, IsNextGroup());
    if (at_group_) {
      return true;
    }
    it_->Next();
  }
  RETURN_IF_ERROR(HistoryStatus(it_->status(), "read records"));
  return false;
}

absl::StatusOr<bool> RecordScan::Next() {
  while (true) {
    ASSIGN_OR_RETURN(const bool found, scan_.Next());
    if (!found) {
      return false;
    }
    ASSIGN_OR_RETURN(record_, RecordCodec::Decode(scan_.key(), scan_.value()));
    if (!record_.tombstone) {
      return true;
    }
  }
}

}  // namespace reinstate
