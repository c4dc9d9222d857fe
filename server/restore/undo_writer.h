#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/restore/action_log.h"
#include "storage/state/state_store.h"
#include "storage/state/undo_digest.h"

namespace reinstate {

// Writes the undo of a restore in chunks while its actions are applied. Borrows the state store.
// Not thread-safe.
class UndoWriter {
 public:
  UndoWriter(StateStore* state, std::string restore) : state_(state), restore_(std::move(restore)) {
    row_.add_rows();
  }

  // How to take back `action`, on the table with identity `table`. Errors of
  // StateStore::AppendUndo.
  absl::Status Add(const Action& action, const std::string& table);

  // Writes what is left and notes count and digest in `*intent`. Once, after all actions.
  absl::Status Finish(state::Intent* intent);

 private:
  absl::Status WriteChunk();

  StateStore* const state_;
  const std::string restore_;
  state::UndoChunk row_;  // of one row, whose memory is reused
  std::string bytes_;     // of the present chunk
  int64_t chunks_ = 0;
  int64_t rows_ = 0;
  UndoDigest digest_;
};

}  // namespace reinstate
