#include "storage/live/rocksdb/generation_writer.h"

#include <utility>

#include "storage/base/status_macros.h"
#include "storage/rocks/slices.h"

namespace reinstate {
namespace {

constexpr size_t kBatchBytes = 1 << 20;

}  // namespace

GenerationWriter::GenerationWriter(EmbeddedDb* db, uint64_t generation, Base base,
                                   std::function<absl::Status()> check)
    : db_(db),
      generation_(generation),
      prefix_(EmbeddedKeyCodec::GenerationPrefix(base.view.tenant, generation)),
      check_(std::move(check)),
      base_(std::make_unique<const Base>(std::move(base))),
      old_rows_(std::make_unique<OverlaidReader>(base_->view, "", "", &base_->overlay)),
      files_(std::make_unique<GenerationFiles>(db)) {}

absl::Status GenerationWriter::Put(std::string_view place, std::string_view payload) {
  if (Ascends(place)) {
    RETURN_IF_ERROR(CopyUpTo(place));
    return AddToFiles(place, payload);
  }
  RETURN_IF_ERROR(FinishFiles());
  key_.assign(prefix_).append(place);
  batch_.Put(db_->records(), key_, ToSlice(payload));
  return WriteBatchIfLarge();
}

absl::Status GenerationWriter::Delete(std::string_view place) {
  if (Ascends(place)) {
    return CopyUpTo(place);
  }
  RETURN_IF_ERROR(FinishFiles());
  key_.assign(prefix_).append(place);
  batch_.Delete(db_->records(), key_);
  return WriteBatchIfLarge();
}

absl::Status GenerationWriter::AddToFiles(std::string_view place, std::string_view payload) {
  RETURN_IF_ERROR(AddCornerstone());
  key_.assign(prefix_).append(place);
  return files_->Put(key_, payload);
}

absl::Status GenerationWriter::AddCornerstone() {
  return std::exchange(has_cornerstone_, true) ? absl::OkStatus() : files_->Put(prefix_, {});
}

// Copies the old records that come before `place`, and passes over the one that is there.
absl::Status GenerationWriter::CopyUpTo(std::string_view place) {
  last_place_.assign(place);
  for (; old_rows_->Valid(); old_rows_->Next()) {
    const int order = old_rows_->place().compare(place);
    if (order > 0) {
      return absl::OkStatus();
    }
    if (order < 0) {
      RETURN_IF_ERROR(check_());
      RETURN_IF_ERROR(AddToFiles(old_rows_->place(), old_rows_->payload()));
    }
  }
  return old_rows_->status();
}

absl::Status GenerationWriter::FinishFiles() {
  if (files_ == nullptr) {
    return absl::OkStatus();
  }
  for (; old_rows_->Valid(); old_rows_->Next()) {
    RETURN_IF_ERROR(check_());
    RETURN_IF_ERROR(AddToFiles(old_rows_->place(), old_rows_->payload()));
  }
  RETURN_IF_ERROR(old_rows_->status());
  RETURN_IF_ERROR(AddCornerstone());
  RETURN_IF_ERROR(files_->Ingest());
  files_ = nullptr;
  old_rows_ = nullptr;
  base_ = nullptr;
  return absl::OkStatus();
}

absl::Status GenerationWriter::Flush() {
  RETURN_IF_ERROR(FinishFiles());
  return WriteBatch();
}

absl::Status GenerationWriter::WriteBatchIfLarge() {
  return batch_.GetDataSize() < kBatchBytes ? absl::OkStatus() : WriteBatch();
}

absl::Status GenerationWriter::WriteBatch() {
  if (batch_.Count() == 0) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(db_->Fault("live.generation_batch"));
  RETURN_IF_ERROR(db_->Write(&batch_));
  batch_.Clear();
  return absl::OkStatus();
}

}  // namespace reinstate
