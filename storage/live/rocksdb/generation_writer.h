#pragma once

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/live/rocksdb/embedded_db.h"
#include "storage/live/rocksdb/embedded_record_stream.h"
#include "storage/live/rocksdb/generation_files.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// Fills a generation that nobody reads yet with what an older one holds and with changes to it. Not
// thread-safe.
//
// As long as the changes ascend by place, which those of a restore that only inserts do, old
// records and changes are merged into files (GenerationFiles). What comes once they no longer
// ascend, or after Flush, goes through the log in batches without a sync: the synced write that
// later makes the generation the tenant's comes after them in the same log, so it is never
// recovered without them.
class GenerationWriter {
 public:
  // What the generation begins with: a view of the older one and changes that are in memory.
  struct Base {
    GenerationView view;
    Overlay overlay;
  };

  // `db` outlives it. `check` is asked before each old record that is copied; its error is given
  // back.
  GenerationWriter(EmbeddedDb* db, uint64_t generation, Base base,
                   std::function<absl::Status()> check);

  uint64_t generation() const { return generation_; }

  // A place is EmbeddedKeyCodec::Place. Errors of GenerationFiles and EmbeddedDb::Write.
  absl::Status Put(std::string_view place, std::string_view payload);
  absl::Status Delete(std::string_view place);

  // Completes the generation with what was not copied yet, and makes all of it visible.
  absl::Status Flush();

 private:
  bool Ascends(std::string_view place) const {
    return files_ != nullptr && place > std::string_view(last_place_);
  }
  absl::Status AddCornerstone();
  absl::Status AddToFiles(std::string_view place, std::string_view payload);
  absl::Status CopyUpTo(std::string_view place);
  absl::Status FinishFiles();
  absl::Status WriteBatchIfLarge();
  absl::Status WriteBatch();

  EmbeddedDb* const db_;
  const uint64_t generation_;
  const std::string prefix_;
  const std::function<absl::Status()> check_;
  std::string key_;  // reused

  // Until Flush, or the first change that does not ascend:
  std::unique_ptr<const Base> base_;
  std::unique_ptr<OverlaidReader> old_rows_;  // what has yet to be copied
  std::unique_ptr<GenerationFiles> files_;
  bool has_cornerstone_ = false;
  std::string last_place_;  // of the changes

  rocksdb::WriteBatch batch_;  // afterwards
};

}  // namespace reinstate
