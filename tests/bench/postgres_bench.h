#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "tests/bench/figure_report.h"

namespace reinstate::bench {

struct PostgresBenchSettings {
  std::string cli;   // the program `reinstate`
  std::string work;  // a folder for data
  double scale = 1;
  int repeats = 3;
};

// The figures of the main job on PostgreSQL, each against what one would do without us, on the same
// server in the same run: COPY from ready-made files, pg_dump, and pg_restore into a scratch
// database. Returns the daemon's peak memory.
absl::StatusOr<int64_t> MeasurePostgres(const PostgresBenchSettings& settings,
                                        FigureReport* report);

}  // namespace reinstate::bench
