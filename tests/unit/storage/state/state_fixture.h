#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "storage/base/error.h"
#include "storage/state/state_store.h"
#include "storage/state/undo_digest.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// A state in a temporary folder, and records to put into it.
class StateFixture : public ::testing::Test {
 protected:
  StateOptions Options() {
    StateOptions options;
    options.path = folder_.path() + "/state";
    options.clock = &clock_;
    options.reserve_bytes = 1 << 20;
    return options;
  }

  void Open() { Open(Options()); }
  void Open(const StateOptions& options) {
    store_.reset();
    auto opened = StateStore::Open(options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  static state::RestoreRecord Restore(const std::string& id, const std::string& tenant = "acme") {
    state::RestoreRecord record;
    record.set_id(id);
    record.mutable_order()->set_store("main");
    record.mutable_order()->set_tenant(tenant);
    return record;
  }

  static AuditDraft Audit(const std::string& action, const std::string& subject) {
    AuditDraft draft;
    draft.set_action(action);
    draft.set_subject(subject);
    draft.mutable_actor()->set_name("ada");
    return draft;
  }

  static state::UndoChunk Chunk(const std::string& key, size_t payload_bytes = 10) {
    state::UndoChunk chunk;
    auto* row = chunk.add_rows();
    row->set_table("issues");
    row->set_key(key);
    row->set_had_row(true);
    row->set_old_payload(std::string(payload_bytes, 'p'));
    return chunk;
  }

  absl::Status Create(const std::string& id, const std::string& tenant = "acme") {
    return store_->CreateRestore(RequestKey(), Restore(id, tenant), Audit("restore.created", id))
        .status();
  }

  // Appends `chunks` chunks of undo and returns the intent that describes them.
  state::Intent AppendUndo(const std::string& id, int64_t chunks) {
    UndoDigest digest;
    for (int64_t i = 0; i < chunks; ++i) {
      const state::UndoChunk chunk = Chunk("key" + std::to_string(i));
      EXPECT_TRUE(store_->AppendUndo(id, i, chunk.SerializeAsString()).ok());
      digest.Add(chunk);
    }
    state::Intent intent;
    intent.set_undo_chunks(chunks);
    intent.set_undo_digest(digest.Finish());
    return intent;
  }

  absl::Status End(const std::string& id, state::JobState state) {
    auto record = store_->GetRestore(id);
    if (!record.ok()) {
      return record.status();
    }
    record->set_state(state);
    std::optional<state::Certificate> certificate;
    if (state == state::SUCCEEDED) {
      certificate.emplace().set_restore(id);
      record->set_undo_expires_us(absl::ToUnixMicros(clock_.Now() + absl::Hours(24 * 30)));
    }
    return store_->RecordOutcome(*record, certificate, Audit("restore.ended", id));
  }

  // Creates a restore that succeeds, with two chunks of undo.
  void Succeed(const std::string& id) {
    ASSERT_TRUE(Create(id).ok());
    ASSERT_TRUE(store_->RecordIntent(id, AppendUndo(id, 2)).ok());
    ASSERT_TRUE(End(id, state::SUCCEEDED).ok());
  }

  absl::StatusOr<int64_t> CountUndo(const std::string& id) {
    int64_t chunks = 0;
    const absl::Status status = store_->ReadUndo(id, [&](const state::UndoChunk&) {
      ++chunks;
      return absl::OkStatus();
    });
    return status.ok() ? absl::StatusOr<int64_t>(chunks) : status;
  }

  TempDir folder_;
  ManualClock clock_;
  std::unique_ptr<StateStore> store_;
};

}  // namespace reinstate
