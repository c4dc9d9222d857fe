#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

#include "server/jobs/restore_manager.h"
#include "server/jobs/store_registry.h"
#include "server/rpc/store_monitor.h"
#include "storage/base/clock.h"
#include "storage/history/history.h"

namespace reinstate {

// How the stores are, found out at each scrape: their restores that have not ended, their
// snapshots, whether they answer. Waits for no store. What cannot be found out is left out, so that
// an alert on its absence sees it.
//
// Thread-safe. Borrows its sources, which outlive it.
class StoreMetrics final : public prometheus::Collectable {
 public:
  struct Sources {
    const StoreRegistry* stores = nullptr;
    const StoreMonitor* monitor = nullptr;
    const History* history = nullptr;
    const RestoreManager* restores = nullptr;
    const Clock* clock = Clock::System();
  };

  explicit StoreMetrics(const Sources& sources) : sources_(sources) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Sources sources_;
};

}  // namespace reinstate
