#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/state/change_set.h"
#include "storage/state/state.pb.h"
#include "storage/state/state_database.h"

namespace reinstate {

// The undo of restores, in chunks. A restore appends its chunks in order without syncing; how many
// there are and their digest go into its intent, whose synced batch makes all of them durable.
//
// Thread-safe; the chunks of one restore come from one thread at a time. Borrows the database.
class UndoLog {
 public:
  using Visitor = std::function<absl::Status(const state::UndoChunk&)>;

  explicit UndoLog(StateDatabase* database) : database_(database) {}

  // Chunk 0 begins anew: call DeleteAll and commit it first if an earlier attempt has left chunks.
  // INTERNAL if `chunk` is not the next.
  absl::Status Append(const std::string& restore, int64_t chunk, std::string_view rows);

  // INTERNAL unless `intent` says as many chunks as this process has appended.
  absl::Status Check(const std::string& restore, const state::Intent& intent) const;

  // Forgets what was appended so far; the chunks stay.
  void Forget(const std::string& restore);

  // Whether there is any chunk.
  absl::StatusOr<bool> HasChunks(const std::string& restore) const;

  // Adds the deletion of all chunks of `restore` to `change`.
  absl::Status DeleteAll(const std::string& restore, ChangeSet* change) const;

  // Visits the chunks in order, then checks their number and digest against `intent`: SHORTFALL,
  // until when nothing of what was visited may be relied on.
  absl::Status Read(const std::string& restore, const state::Intent& intent,
                    const Visitor& visit) const;

  // The first restore after `restore` (the first of all if empty) that has chunks; empty if none.
  absl::StatusOr<std::string> NextRestore(const std::string& restore) const;

 private:
  StateDatabase* const database_;
  mutable Mutex mu_;
  std::map<std::string, int64_t> appended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
