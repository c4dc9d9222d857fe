#include "server/restore/undo_writer.h"

#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kChunkBytes = 256 << 10;

}  // namespace

absl::Status UndoWriter::Add(const Action& action, const std::string& table) {
  state::UndoChunk::Row* row = chunk_.add_rows();
  row->set_table(table);
  row->set_key(action.key);
  if (action.kind != ChangeKind::kDelete) {
    AppendRowHash(action.key, action.new_payload, row->mutable_left_hash());
  }
  if (action.kind != ChangeKind::kInsert) {
    row->set_had_row(true);
    row->set_old_payload(action.old_payload);
  }
  ++rows_;
  chunk_bytes_ += table.size() + action.key.size() + action.old_payload.size() + 32;
  return chunk_bytes_ < kChunkBytes ? absl::OkStatus() : WriteChunk();
}

absl::Status UndoWriter::WriteChunk() {
  chunk_.SerializeToString(&bytes_);
  RETURN_IF_ERROR(state_->AppendUndo(restore_, chunks_, bytes_));
  digest_.Add(bytes_);
  ++chunks_;
  chunk_.Clear();
  chunk_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status UndoWriter::Finish(state::Intent* intent) {
  if (chunk_.rows_size() > 0) {
    RETURN_IF_ERROR(WriteChunk());
  }
  intent->set_undo_chunks(chunks_);
  intent->set_undo_rows(rows_);
  intent->set_undo_digest(digest_.Finish());
  return absl::OkStatus();
}

}  // namespace reinstate
