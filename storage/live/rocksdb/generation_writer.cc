#include "storage/live/rocksdb/generation_writer.h"

#include "storage/base/status_macros.h"
#include "storage/rocks/slices.h"

namespace reinstate {
namespace {

constexpr size_t kBatchBytes = 1 << 20;

}  // namespace

GenerationWriter::GenerationWriter(EmbeddedDb* db, const TenantId& tenant, uint64_t generation)
    : db_(db),
      generation_(generation),
      prefix_(EmbeddedKeyCodec::GenerationPrefix(tenant, generation)),
      batch_(kBatchBytes + (kBatchBytes / 8)) {}

absl::Status GenerationWriter::Put(std::string_view place, std::string_view payload) {
  key_.assign(prefix_).append(place);
  batch_.Put(db_->records(), key_, ToSlice(payload));
  return FlushIfLarge();
}

absl::Status GenerationWriter::Delete(std::string_view place) {
  key_.assign(prefix_).append(place);
  batch_.Delete(db_->records(), key_);
  return FlushIfLarge();
}

absl::Status GenerationWriter::FlushIfLarge() {
  return batch_.GetDataSize() < kBatchBytes ? absl::OkStatus() : Flush();
}

absl::Status GenerationWriter::Flush() {
  if (batch_.Count() == 0) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(db_->Fault("live.generation_batch"));
  RETURN_IF_ERROR(db_->Write(&batch_));
  batch_.Clear();
  return absl::OkStatus();
}

}  // namespace reinstate
