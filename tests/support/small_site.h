#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/snapshot/snapshotter.h"
#include "storage/base/fault_points.h"
#include "storage/history/history.h"
#include "storage/live/memory/memory_store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"
#include "tests/support/unreliable_file_system.h"

namespace reinstate {

// A store in memory, a history on disk, and a clock that both go by. Members throw the test off
// with a failure where the site itself does not work. Not thread-safe.
class SmallSite {
 public:
  SmallSite();

  MemoryStore& store() { return store_; }
  History& history() { return *history_; }
  ManualClock& clock() { return clock_; }
  FaultPoints& faults() { return faults_; }                 // of the history
  FileSystemFaults& file_system() { return file_system_; }  // that the history is in
  uint32_t lineage() const { return lineage_; }

  void Put(const std::string& tenant, const std::string& table, const std::string& key,
           const std::string& payload);
  void Delete(const std::string& tenant, const std::string& table, const std::string& key);
  void DeleteTenant(const std::string& tenant);

  // A snapshot of the store by a Snapshotter; the clock is a minute later afterwards.
  absl::StatusOr<SnapshotInfo> TrySnapshot(const std::string& store_identity);
  SnapshotInfo TakeSnapshot();

 private:
  const TempDir folder_;
  ManualClock clock_;
  FaultPoints faults_;
  FileSystemFaults file_system_;
  const std::unique_ptr<rocksdb::Env> env_ = MakeUnreliableEnv(&file_system_);
  MemoryStore store_;
  std::unique_ptr<History> history_;
  uint32_t lineage_ = 0;
};

}  // namespace reinstate
