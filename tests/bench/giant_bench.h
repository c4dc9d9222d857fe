#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "tests/bench/figure_report.h"

namespace reinstate::bench {

// A giant against ordinary tenants, each of twice the memory that a restore may take. There are
// several of these, so that the caches of the daemon, whose size is fixed, are full in both cases.
// `folder` is for data. Returns the daemon's peak memory.
absl::StatusOr<int64_t> MeasureGiant(const std::string& folder, double scale, FigureReport* report);

}  // namespace reinstate::bench
