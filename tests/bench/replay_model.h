#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "tests/bench/write_load.h"
#include "tests/support/plain_database.h"

namespace reinstate::bench {

// What every row of every site must be after the replay: of the sites that the application writes
// to, what its writers know; of all others, what they were. The latter is kept as a sum of each
// table of each site, read by plain SQL. Not thread-safe.
class ReplayModel {
 public:
  // Reads the sums of all sites.
  static absl::StatusOr<ReplayModel> Read(PlainDatabase* database);

  // Rows that are not as they must be; of a table of which only the sum is known, at least so many.
  struct Differences {
    int64_t others = 0;  // of sites that were not lost
    int64_t lost = 0;
    int64_t rows = 0;          // that were compared
    int64_t written_rows = 0;  // of them, those of sites that the application writes to
  };
  // Compares every row; nobody may write meanwhile. `lost` are ids of sites.
  absl::StatusOr<Differences> Compare(const WriteLoad& load, const std::set<int64_t>& lost,
                                      PlainDatabase* database) const;

 private:
  struct Sum {
    int64_t rows = 0;
    std::string hashes;  // added up
  };
  using SiteTableId = std::pair<int64_t, size_t>;  // a site's id, the number of a table

  ReplayModel() = default;

  int64_t Rows() const;
  void CompareSums(const ReplayModel& now, const std::set<int64_t>& written,
                   const std::set<int64_t>& lost, Differences* differences) const;

  std::map<SiteTableId, Sum> sums_;
};

}  // namespace reinstate::bench
