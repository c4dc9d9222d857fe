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

// Takes snapshots: opens a cut of a live store, or is given one of a dump, and writes it into the
// history. Stateless but for
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

  // As Take, of a cut that comes from elsewhere: a dump. Its instant may lie as far back as it
  // likes, but not before that of the lineage's last snapshot (CLOCK_JUMPED).
  absl::StatusOr<SnapshotInfo> Import(Cut* cut, const Order& order);

 private:
  absl::StatusOr<SnapshotInfo> Write(Cut* cut, const Order& order, absl::Duration max_clock_skew);

  const SnapshotterOptions options_;
  History* const history_;
};

}  // namespace reinstate
