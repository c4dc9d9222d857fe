#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Estimates when jobs end, from their bytes and the throughput that was measured: of the job itself
// and of the last ones that ended. The range is as wide as the two differ, and never narrower than
// a fifth either way.
//
// Pure: times are given. Not thread-safe.
class EtaEstimator {
 public:
  struct Estimate {
    bool known = false;
    double rows_per_second = 0;
    absl::Duration low;
    absl::Duration high;
  };

  void Started(const std::string& id, absl::Time now);
  void Progressed(const std::string& id, const state::Progress& progress);
  // `size_bytes` counts towards the measured throughput only if the job was done to its end.
  void Ended(const std::string& id, int64_t size_bytes, bool to_the_end, absl::Time now);

  // The end of a running job. Unknown before its first progress if nothing has ended yet.
  Estimate Running(const std::string& id, absl::Time now) const;

  // The end of a queued job, where `bytes_up_to` are its own and those of the jobs before it, which
  // `lanes` work off at once.
  Estimate Queued(int64_t bytes_up_to, int lanes) const;

 private:
  struct Job {
    absl::Time started;
    state::Progress progress;
  };
  struct Sample {
    int64_t bytes = 0;
    absl::Duration elapsed;
  };

  static Estimate FromRates(int64_t bytes, double one_rate, double other_rate);
  // Bytes a second of one lane; 0 if nothing was measured yet.
  double PooledRate() const;

  std::map<std::string, Job> running_;
  std::deque<Sample> samples_;  // the last ones
  int64_t sampled_bytes_ = 0;
  absl::Duration sampled_time_;
};

}  // namespace reinstate
