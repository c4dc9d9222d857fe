#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "storage/live/rocksdb/embedded_db.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// Removes generations that no head names any more, in a thread of its own, by deleting record by
// record in small batches: views that are open keep seeing them, and no range deletion is involved.
// What is to be removed is listed in the database (EmbeddedKeyCodec::RetiredKey), so that the next
// process goes on with it.
//
// Thread-safe. The destructor stops it between two batches.
class GenerationRemover {
 public:
  // Begins with what the database lists. `db` outlives it.
  static absl::StatusOr<std::unique_ptr<GenerationRemover>> Start(EmbeddedDb* db);

  ~GenerationRemover();
  GenerationRemover(const GenerationRemover&) = delete;
  GenerationRemover& operator=(const GenerationRemover&) = delete;

  // Has `generation` removed, which is listed, and which neither a head names nor a session fills.
  void Enqueue(const TenantId& tenant, uint64_t generation);

  // Blocks until nothing is left to be removed.
  void WaitUntilDone();

 private:
  using Item = std::pair<TenantId, uint64_t>;

  explicit GenerationRemover(EmbeddedDb* db) : db_(db) {}

  absl::Status LoadListed();
  void Run();
  bool AwaitItem(Item* item);
  absl::Status Remove(const Item& item);

  EmbeddedDb* const db_;
  std::atomic<bool> stopping_ = false;

  Mutex mu_;
  CondVar changed_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mu_);  // the first is being removed
  std::thread thread_;
};

}  // namespace reinstate
