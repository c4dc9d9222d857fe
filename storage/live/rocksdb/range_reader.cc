#include "storage/live/rocksdb/range_reader.h"

#include <utility>

#include "storage/rocks/rocksdb_status.h"
#include "storage/rocks/slices.h"

namespace reinstate {
namespace {

constexpr auto kMaxAge = std::chrono::seconds(3);
constexpr int kStepsBetweenChecks = 1024;

}  // namespace

RangeReader::RangeReader(const EmbeddedDb* db, rocksdb::ColumnFamilyHandle* family,
                         RangeReaderOptions options)
    : db_(db), family_(family), options_(std::move(options)), upper_bound_(options_.end) {
  Open(options_.begin);
}

void RangeReader::Open(std::string_view from) {
  rocksdb::ReadOptions options;
  options.snapshot = options_.snapshot.get();
  options.fill_cache = options_.fill_cache;
  options.readahead_size = options_.readahead_bytes;
  if (!options_.end.empty()) {
    options.iterate_upper_bound = &upper_bound_;
  }
  iterator_.reset(db_->raw()->NewIterator(options, family_));
  iterator_->Seek(ToSlice(from));
  opened_ = std::chrono::steady_clock::now();
}

std::string_view RangeReader::key() const { return ToView(iterator_->key()); }

std::string_view RangeReader::value() const { return ToView(iterator_->value()); }

void RangeReader::Next() {
  iterator_->Next();
  if (++steps_ % kStepsBetweenChecks == 0 && iterator_->Valid() &&
      std::chrono::steady_clock::now() - opened_ > kMaxAge) {
    Open(std::string(key()));
  }
}

void RangeReader::Seek(std::string_view key) { iterator_->Seek(ToSlice(key)); }

absl::Status RangeReader::status() const {
  return FromRocksdb(iterator_->status(), "cannot read from the store");
}

}  // namespace reinstate
