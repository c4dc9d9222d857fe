#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace reinstate {

// Estimates when a batch ends, between the least and the most that it can take, nearer to the
// least:
//
// - A restore costs a worker a fixed time and a time a byte, by a line through the means of the
//   large and of the small ones that have ended. Since the shortest come first, what is left is
//   larger than all of them: at least it goes on along that line, at most in proportion to the
//   large ones, whose fixed part may be what many at once cost each other. None counts for more
//   than half as much again as it should have taken: what holds all up for a moment, as a disk
//   does, would otherwise be taken for the cost of the largest that ran then.
// - As long as those that have ended have less than a tenth of the bytes, what earlier restores
// took
//   counts for the rest of that tenth: the first to end are the smallest, and say little of the
//   others.
// - What is left is worked off at the pace of the last half of the time, a minute at most, that is
//   by as many lanes as were busy on average: a throttle, a limit of the store and other batches
//   all show in it. At least it fills these lanes to the end; at most it is handed out to them as
//   the scheduler does it, and no restore goes faster when there are fewer.
//
// The range holds both, and is narrow once they meet and many have ended. It is never that narrow
// as long as earlier ones count, which may have found the store otherwise.
//
// Pure: times are given. Not thread-safe.
class BatchEta {
 public:
  struct Estimate {
    bool known = false;
    absl::Duration low;
    absl::Duration high;  // infinite if only the least is known
    double own = 0;  // how much the batch's own restores count, at most 1; the rest are earlier
  };

  // A restore of `bytes` has ended well at `finished`, after running for `took`.
  void Ended(int64_t bytes, absl::Duration took, absl::Time finished);

  // A restore that has not ended.
  struct Left {
    int64_t bytes = 0;
    absl::Duration ran;  // how long it has run; zero if it is queued
  };

  // What an earlier restore took.
  struct Sample {
    int64_t bytes = 0;
    absl::Duration took;
  };

  // Unknown before the first has ended, if there are no `earlier` ones. `lanes`: how many may run
  // at once; `since`: when the batch began to run, or went on after a pause; `now` if it does not
  // run.
  Estimate Of(const std::vector<Left>& left, int lanes, absl::Time since, absl::Time now,
              const std::vector<Sample>& earlier = {}) const;

  // How long a restore of `bytes` takes, by the line; zero before the first has ended.
  absl::Duration Cost(int64_t bytes) const;

 private:
  // What a restore costs a worker.
  struct Costs {
    double fixed_seconds = 0;
    double seconds_per_byte = 0;
    double most_per_byte = 0;  // with the fixed part

    double Least(double bytes) const { return fixed_seconds + seconds_per_byte * bytes; }
    double Most(double bytes) const;
  };
  // Bytes and seconds of restores.
  using Sizes = std::vector<std::pair<double, double>>;

  Sizes Own() const;
  static Costs Fit(Sizes runs);
  // To `runs`, of which the first `large` are the large ones; none counts for more than `most`
  // allows, unless it is null.
  static Costs FitWithin(const Sizes& runs, size_t large, const Costs* most);
  double BusyLanes(const std::vector<Left>& left, int lanes, absl::Time since,
                   absl::Time now) const;
  // By costs that are known by so many; the range is at least so wide, for its middle.
  static Estimate By(const Costs& costs, int64_t samples, double narrowest,
                     const std::vector<Left>& left, double busy_lanes);
  double OwnShare(const std::vector<Left>& left) const;

  struct Run {
    double bytes = 0;
    double seconds = 0;
    absl::Time begin;
    absl::Time end;
  };
  std::deque<Run> last_;  // of those that have ended
  int64_t samples_ = 0;   // how many have
  double bytes_ = 0;      // of all of them
};

}  // namespace reinstate
