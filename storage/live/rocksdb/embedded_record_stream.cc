#include "storage/live/rocksdb/embedded_record_stream.h"

#include <utility>

#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

RangeReaderOptions RangeOf(const GenerationView& view, const std::string& place_prefix,
                           const std::string& from) {
  const std::string prefix = EmbeddedKeyCodec::GenerationPrefix(view.tenant, view.generation);
  return {.snapshot = view.snapshot,
          .begin = from.empty() ? EmbeddedKeyCodec::FirstRecord(view.tenant, view.generation)
                                : prefix + from,
          .end = place_prefix.empty()
                     ? EmbeddedKeyCodec::GenerationPrefix(view.tenant, view.generation + 1)
                     : EmbeddedKeyCodec::After(prefix + place_prefix)};
}

}  // namespace

absl::StatusOr<std::optional<std::string>> GenerationView::Get(std::string_view place) const {
  return db->Get(db->records(),
                 EmbeddedKeyCodec::GenerationPrefix(tenant, generation).append(place),
                 snapshot.get());
}

OverlaidReader::OverlaidReader(const GenerationView& view, const std::string& place_prefix,
                               const std::string& from, const Overlay* overlay)
    : prefix_bytes_(EmbeddedKeyCodec::GenerationPrefix(view.tenant, view.generation).size()),
      base_(view.db, view.db->records(), RangeOf(view, place_prefix, from)) {
  if (overlay != nullptr) {
    overlay_ = overlay->lower_bound(from);
    overlay_end_ = place_prefix.empty()
                       ? overlay->end()
                       : overlay->lower_bound(EmbeddedKeyCodec::After(place_prefix));
  }
  Settle();
}

std::string_view OverlaidReader::place() const {
  return at_ == At::kBase ? BasePlace() : std::string_view(overlay_->first);
}

std::string_view OverlaidReader::payload() const {
  return at_ == At::kBase ? base_.value() : std::string_view(*overlay_->second);
}

void OverlaidReader::Next() {
  if (at_ == At::kBase) {
    base_.Next();
  } else {
    ++overlay_;
  }
  Settle();
}

void OverlaidReader::Settle() {
  while (true) {
    if (overlay_ == overlay_end_ || (!base_.Valid() && !base_.status().ok())) {
      at_ = BaseOrEnd();
      return;
    }
    const int order = base_.Valid() ? BasePlace().compare(overlay_->first) : 1;
    if (order < 0) {
      at_ = At::kBase;
      return;
    }
    if (order == 0) {
      base_.Next();  // hidden
    } else if (overlay_->second) {
      at_ = At::kOverlay;
      return;
    } else {
      ++overlay_;
    }
  }
}

EmbeddedRecordStream::EmbeddedRecordStream(std::unique_ptr<OverlaidReader> reader,
                                           size_t table_part_bytes,
                                           std::function<absl::Status()> check)
    : reader_(std::move(reader)), table_part_bytes_(table_part_bytes), check_(std::move(check)) {}

absl::StatusOr<bool> EmbeddedRecordStream::Next(Record* record) {
  if (failed_.ok() && check_) {
    failed_ = check_();
  }
  RETURN_IF_ERROR(failed_);
  if (std::exchange(started_, true) && reader_->Valid()) {
    reader_->Next();
  }
  if (!reader_->Valid()) {
    failed_ = reader_->status();
    RETURN_IF_ERROR(failed_);
    return false;
  }
  record->key.Assign(reader_->place().substr(table_part_bytes_));
  record->payload.assign(reader_->payload());
  return true;
}

}  // namespace reinstate
