#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "server/restore/spill_file.h"
#include "storage/live/tenant_session.h"
#include "storage/model/digest.h"

namespace reinstate {

// What a plan does to one row.
struct Action {
  ChangeKind kind = ChangeKind::kInsert;
  uint32_t table = 0;  // index into the plan's tables
  std::string key;
  std::string old_payload;  // empty for kInsert
  std::string new_payload;  // empty for kDelete
};

// The actions of a plan in the order of their application: all deletions, then all replacements,
// then all insertions. Never wholly in memory. Not thread-safe.
class ActionLog {
 public:
  // `spill_folder` as of SpillFile; `memory_bytes` for all of it.
  ActionLog(const std::string& spill_folder, int64_t memory_bytes);

  // Actions of one kind come by ascending table and key. Errors of SpillFile::Append.
  absl::Status Append(const Action& action);

  int64_t count(ChangeKind kind) const { return spills_[static_cast<size_t>(kind)].items(); }
  int64_t size() const;

  // SHA-256 over table, key, kind, and the hashes of the old and the new payload of each action, in
  // order. Nothing may be appended afterwards; to be called once.
  std::string FinishDigest();

  // Calls `visit` with each action in order, until it fails.
  absl::Status ForEach(const std::function<absl::Status(const Action&)>& visit) const;

 private:
  void AddToDigest(const Action& action);

  std::array<SpillFile, 3> spills_;  // by kind, in the order of application
  std::array<Digest, 3> digests_;
  std::array<std::string, 3> pending_;  // of what has yet to go into the digests
  std::string buffer_;
};

// The hash by which an undo, a plan's digest and evidence recognise a row: XXH3-128 over key and
// payload. Independent of any history, so that it outlives the snapshot. 16 bytes.
void AppendRowHash(std::string_view key, std::string_view payload, std::string* out);
std::string RowHash(std::string_view key, std::string_view payload);

}  // namespace reinstate
