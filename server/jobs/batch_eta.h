#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace reinstate {

// Estimates when a batch ends. A restore costs a worker a fixed time and a time a byte, which are
// fitted to those that have ended by least squares, in which none counts for more than twice what
// it should have taken: what holds all up for a moment, as a disk does, would otherwise be taken
// for the cost of the largest that ran then. What is left is worked off at the pace of the last
// minute, that is by as many lanes as were busy on average: a throttle, a limit of the store and
// other batches all show in it. It takes at least as long as the largest of it. The range is narrow
// once many have ended.
//
// Pure: times are given. Not thread-safe.
class BatchEta {
 public:
  struct Estimate {
    bool known = false;
    absl::Duration low;
    absl::Duration high;
  };

  // A restore of `bytes` has ended well at `finished`, after running for `took`.
  void Ended(int64_t bytes, absl::Duration took, absl::Time finished);

  // A restore that has not ended.
  struct Left {
    int64_t bytes = 0;
    absl::Duration ran;  // how long it has run; zero if it is queued
  };

  // Unknown before the first has ended. `lanes`: how many may run at once; `since`: when the batch
  // began to run, or went on after a pause.
  Estimate Of(const std::vector<Left>& left, int lanes, absl::Time since, absl::Time now) const;

  // How long a restore of `bytes` takes; zero before the first has ended.
  absl::Duration Cost(int64_t bytes) const;

 private:
  struct Line {
    double fixed_seconds = 0;
    double seconds_per_byte = 0;

    double Seconds(double bytes) const { return fixed_seconds + seconds_per_byte * bytes; }
  };
  Line Fit() const;
  // To the runs, of which each took at most twice what `most` says, if it is there.
  Line FitWithin(const std::optional<Line>& most) const;
  double BusyLanes(const std::vector<Left>& left, int lanes, absl::Time since,
                   absl::Time now) const;

  struct Run {
    double bytes = 0;
    double seconds = 0;
    absl::Time begin;
    absl::Time end;
  };
  std::deque<Run> last_;  // of those that have ended
  int64_t samples_ = 0;   // how many have
};

}  // namespace reinstate
