#include "server/metrics/store_metrics.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "server/snapshot/snapshot_tally.h"

namespace reinstate {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

class GaugeFamily {
 public:
  GaugeFamily(std::string name, std::string help) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = prometheus::MetricType::Gauge;
  }

  void Add(std::vector<ClientMetric::Label> labels, double value) {
    ClientMetric& metric = family_.metric.emplace_back();
    metric.label = std::move(labels);
    metric.gauge.value = value;
  }

  MetricFamily Take() { return std::move(family_); }

 private:
  MetricFamily family_;
};

MetricFamily Restores(const StoreMetrics::Sources& sources) {
  GaugeFamily restores("reinstate_restores",
                       "Restores and undos that have not ended, by state; those that are queued "
                       "are the depth of the queue.");
  const std::map<std::string, RestoreManager::Load> loads = sources.restores->Loads();
  for (const ServedStore* store : sources.stores->List()) {
    const auto found = loads.find(store->name);
    const RestoreManager::Load load = found == loads.end() ? RestoreManager::Load() : found->second;
    const auto add = [&](const char* state, int64_t number) {
      restores.Add({{"store", store->name}, {"state", state}}, static_cast<double>(number));
    };
    add("queued", load.queued);
    add("running", load.running);
    add("in_doubt", load.in_doubt);
  }
  return restores.Take();
}

MetricFamily Ready(const StoreMetrics::Sources& sources) {
  GaugeFamily ready("reinstate_store_ready",
                    "1 if the store answered when it was last asked, and is the one that its name "
                    "is bound to; else 0.");
  for (const ServedStore* store : sources.stores->List()) {
    ready.Add({{"store", store->name}}, sources.monitor->Last(store->name).status.ok() ? 1 : 0);
  }
  return ready.Take();
}

void AddSnapshots(const StoreMetrics::Sources& sources, std::vector<MetricFamily>* families) {
  GaugeFamily number("reinstate_snapshots", "Snapshots that a restore can go back to.");
  GaugeFamily collapsed("reinstate_collapsed_snapshots",
                        "Those of them that bear a mark of collapse which nobody has lifted.");
  GaugeFamily age("reinstate_last_good_snapshot_age_seconds",
                  "Since the instant of the newest snapshot that bears no mark of collapse: what "
                  "a restore would lose. Absent if there is none.");
  GaugeFamily unresolved("reinstate_unresolved_tables",
                         "Tables of that snapshot of which nobody has said whose their rows are: "
                         "it is incomplete, and restores that would touch them are refused.");
  for (const ServedStore* store : sources.stores->List()) {
    const absl::StatusOr<SnapshotTally> tally = TallySnapshots(*sources.history, store->lineage);
    if (!tally.ok()) {
      spdlog::warn("snapshots cannot be counted store={}: {}", store->name,
                   std::string(tally.status().message()));
      continue;
    }
    number.Add({{"store", store->name}}, static_cast<double>(tally->visible));
    collapsed.Add({{"store", store->name}}, static_cast<double>(tally->collapsed));
    if (tally->last_good.has_value()) {
      age.Add({{"store", store->name}},
              absl::ToDoubleSeconds(tally->AgeOfLastGood(sources.clock->Now())));
      const std::vector<CoveredTable>& tables = tally->last_good->tables;
      unresolved.Add({{"store", store->name}},
                     static_cast<double>(
                         std::count_if(tables.begin(), tables.end(),
                                       [](const CoveredTable& table) { return !table.owned; })));
    }
  }
  families->push_back(number.Take());
  families->push_back(collapsed.Take());
  families->push_back(age.Take());
  families->push_back(unresolved.Take());
}

}  // namespace

std::vector<MetricFamily> StoreMetrics::Collect() const {
  std::vector<MetricFamily> families;
  families.push_back(Restores(sources_));
  families.push_back(Ready(sources_));
  AddSnapshots(sources_, &families);
  return families;
}

}  // namespace reinstate
