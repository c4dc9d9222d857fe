#pragma once

#include <cstddef>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/fault_points.h"

namespace rocksdb {
class Env;
}

namespace reinstate {

struct EmbeddedStoreOptions {
  std::string path;                    // a folder; made if it is not there, its parent must be
  std::string label_table = "tenant";  // each of its records is one label of its tenant

  // A session whose changes are larger builds a new generation of its tenant instead of one batch
  // that is held in memory. Small: tenants are copied for less; large: more memory a session.
  size_t max_batch_bytes = 256 << 10;

  // How much of keys the application may write to a tenant while a session works on it, before that
  // session must begin again; and how much of payloads.
  size_t max_journal_bytes = 4 << 20;
  size_t max_journal_payload_bytes = 64 << 20;

  // Memory that is kept for blocks read, those of indexes and filters among them, and for writes
  // until they are flushed.
  size_t block_cache_bytes = 64 << 20;
  size_t write_buffer_bytes = 96 << 20;

  rocksdb::Env* env = nullptr;  // null: the machine's; outlives the store
  const Clock* clock = Clock::System();

  // Places, if not null (it outlives the store): `live.open_cut`, `live.open_tenant`, `live.begin`,
  // `live.read`, `live.apply`, `live.seal`, `live.new_generation` (one was allotted),
  // `live.generation_batch` (before each file or batch of it), `live.before_commit` (nothing is
  // committed then), `live.commit_write` (as if the write had failed), `live.after_commit` (all is,
  // but the answer is COMMIT_UNKNOWN), `live.remove_generation` (before each batch of deletions).
  FaultPoints* faults = nullptr;
};

}  // namespace reinstate
