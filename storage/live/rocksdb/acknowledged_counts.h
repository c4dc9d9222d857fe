#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reinstate {

// How many synced writes the store has acknowledged, a shard of tenants, in a file beside the
// database. The database counts the same in the writes themselves. If it has fewer at open, it has
// lost some that were acknowledged: RocksDB's recovery takes damage in the middle of the log, or a
// cut-off MANIFEST, for the end of it, and opens without an error.
//
// The file is written without a sync, after the write that it counts was synced. So it outlives the
// process, it is never ahead of the database, and after a crash of the machine it may be behind,
// which makes the check weaker but never wrong.
//
// File: kShards cells of 16 bytes, little-endian: the count, and XXH3-64 of shard and count. A cell
// whose hash is wrong, or a missing file, counts as 0.
//
// Not synchronised: a cell may only be used by the holder of its shard's latch.
class AcknowledgedCounts {
 public:
  static constexpr uint32_t kShards = 256;

  // Opens the file or makes it. UNAVAILABLE, NO_SPACE.
  static absl::StatusOr<std::unique_ptr<AcknowledgedCounts>> Open(const std::string& path);

  ~AcknowledgedCounts();
  AcknowledgedCounts(const AcknowledgedCounts&) = delete;
  AcknowledgedCounts& operator=(const AcknowledgedCounts&) = delete;

  // The count as of Open.
  uint64_t AtOpen(uint32_t shard) const { return at_open_[shard]; }

  // Whether any write was acknowledged before Open.
  bool AnyAtOpen() const;

  // Notes the count of a write that was synced. A failure to write the file makes the check weaker
  // and does not undo the write, so it is not reported.
  void Set(uint32_t shard, uint64_t count);

 private:
  explicit AcknowledgedCounts(int file) : file_(file) {}

  const int file_;
  std::array<uint64_t, kShards> at_open_ = {};
};

}  // namespace reinstate
