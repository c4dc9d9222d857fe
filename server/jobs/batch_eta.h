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
// - What is left is worked off at the pace of the last half of the time, a minute at most, that is
//   by as many lanes as were busy on average: a throttle, a limit of the store and other batches
//   all show in it. At least it fills these lanes to the end; at most it is handed out to them as
//   the scheduler does it, and no restore goes faster when there are fewer.
//
// The range holds both, and is narrow once they meet and many have ended.
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

  Costs Fit() const;
  // To `runs`, of which the first `large` are the large ones; none counts for more than `most`
  // allows, unless it is null.
  static Costs FitWithin(const Sizes& runs, size_t large, const Costs* most);
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
