#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "storage/history/history.h"
#include "storage/live/live_store.h"

namespace reinstate {

struct SnapshotterOptions {
  int readers = 2;  // shards that are read at once
  CollapseThresholds collapse;
};

// Takes snapshots: opens a cut of a live store and writes it into the history. Stateless but for
// its options; thread-safe.
class Snapshotter {
 public:
  Snapshotter(SnapshotterOptions options, History* history)
      : options_(std::move(options)), history_(history) {}

  struct Order {
    uint32_t lineage = 0;
    std::string store_identity;
    std::string job;
    bool accept_clock_jump = false;
    ProgressCallback progress;
    std::function<bool()> cancelled;
  };

  // Blocks until the snapshot is in the history. Errors of LiveStore::OpenCut and
  // History::TakeSnapshot; the history is unchanged after any.
  absl::StatusOr<SnapshotInfo> Take(LiveStore* store, const Order& order);

 private:
  const SnapshotterOptions options_;
  History* const history_;
};

}  // namespace reinstate
