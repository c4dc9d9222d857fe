#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reinstate::bench {

// The sites of the incident that is replayed, by their indices: some are lost, to others the
// application goes on writing, and of most there is little.
struct ReplaySite {
  std::vector<int64_t> sizes;   // in rows
  std::vector<size_t> lost;     // the largest first
  std::vector<size_t> written;  // none of them is lost
};

// Of 226,000 sites 883 are lost, whose sizes are distributed as a lognormal, 2,200 rows on average;
// the application writes to 640 of 60 rows; the others have 2 to 5 rows. `scale` is a fraction of
// these numbers of sites, of which at least `least_written` are written to.
ReplaySite MakeReplaySite(double scale, size_t least_written);

}  // namespace reinstate::bench
