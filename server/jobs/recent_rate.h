#pragma once

#include <cstdint>
#include <deque>

#include "absl/time/time.h"

namespace reinstate {

// Where the recent time begins of what has gone on since `since`: the last half of it, a minute at
// most, so that neither its beginning nor what was long ago counts.
absl::Time RecentFrom(absl::Time since, absl::Time now);

// What restores that have ended did in the recent time. Pure: times are given. Not thread-safe.
class RecentRate {
 public:
  // What was done in `time`.
  struct Done {
    absl::Duration time;
    double rows = 0;
    double bytes = 0;

    // Adds what a restore has done that has run for `ran` and goes on.
    void Add(double its_rows, double its_bytes, absl::Duration ran);
    // A second; 0 in no time.
    double RowsPerSecond() const;
    double BytesPerSecond() const;
  };

  // A restore of so many has ended at `finished`, after running for `took`.
  void Ended(int64_t rows, int64_t bytes, absl::Duration took, absl::Time finished);

  // From RecentFrom on; later if restores end so fast that not all of that time are remembered. Of
  // one that had begun before it, its share by time.
  Done Of(absl::Time since, absl::Time now) const;

 private:
  struct Run {
    double rows = 0;
    double bytes = 0;
    absl::Duration took;
    absl::Time end;
  };
  std::deque<Run> last_;
};

}  // namespace reinstate
