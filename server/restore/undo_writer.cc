#include "server/restore/undo_writer.h"

#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kChunkBytes = 256 << 10;

}  // namespace

absl::Status UndoWriter::Add(const Action& action, const std::string& table) {
  state::UndoChunk::Row& row = *row_.mutable_rows(0);
  row.set_table(table);
  row.set_key(action.key);
  row.mutable_left_hash()->clear();
  if (action.kind != ChangeKind::kDelete) {
    AppendRowHash(action.key, action.new_payload, row.mutable_left_hash());
  }
  row.set_had_row(action.kind != ChangeKind::kInsert);
  row.set_old_payload(action.old_payload);
  // Chunks one after the other are the chunk of all of their rows.
  row_.AppendToString(&bytes_);
  ++rows_;
  return bytes_.size() < kChunkBytes ? absl::OkStatus() : WriteChunk();
}

absl::Status UndoWriter::WriteChunk() {
  RETURN_IF_ERROR(state_->AppendUndo(restore_, chunks_, bytes_));
  digest_.Add(bytes_);
  ++chunks_;
  bytes_.clear();
  return absl::OkStatus();
}

absl::Status UndoWriter::Finish(state::Intent* intent) {
  if (!bytes_.empty()) {
    RETURN_IF_ERROR(WriteChunk());
  }
  intent->set_undo_chunks(chunks_);
  intent->set_undo_rows(rows_);
  intent->set_undo_digest(digest_.Finish());
  return absl::OkStatus();
}

}  // namespace reinstate
