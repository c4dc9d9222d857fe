#pragma once

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/live/rocksdb/embedded_db.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// Fills a generation that nobody reads yet, in batches. They go through the log without a sync:
// the synced write that later makes the generation the tenant's comes after them in the same log,
// so it is never recovered without them. Not thread-safe.
class GenerationWriter {
 public:
  // `db` outlives it.
  GenerationWriter(EmbeddedDb* db, const TenantId& tenant, uint64_t generation);

  uint64_t generation() const { return generation_; }

  // A place is EmbeddedKeyCodec::Place.
  absl::Status Put(std::string_view place, std::string_view payload);
  absl::Status Delete(std::string_view place);

  // Writes what is buffered, so that readers see it.
  absl::Status Flush();

 private:
  absl::Status FlushIfLarge();

  EmbeddedDb* const db_;
  const uint64_t generation_;
  const std::string prefix_;
  std::string key_;  // reused
  rocksdb::WriteBatch batch_;
};

}  // namespace reinstate
