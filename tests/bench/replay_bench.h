#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "tests/bench/figure_report.h"

namespace reinstate::bench {

struct ReplayBenchSettings {
  std::string work;  // a folder for data
  double scale = 1;
};

// The figures of the day of the incident: hundreds of tenants among many are deleted from a
// PostgreSQL that goes on being written to, and come back by one batch from a list. Against COPY of
// the same rows from ready-made files, into the same server under the same load. Returns the
// daemon's peak memory.
absl::StatusOr<int64_t> MeasureReplay(const ReplayBenchSettings& settings, FigureReport* report);

}  // namespace reinstate::bench
