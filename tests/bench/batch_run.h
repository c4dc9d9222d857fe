#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reinstate/v1/batch_service.pb.h"
#include "tests/bench/batch_calls.h"

namespace reinstate::bench {

// How a batch went, as seen by the one who waited for it.
struct BatchRun {
  struct Sample {
    absl::Time at;
    v1::Progress progress;
  };

  absl::Time begin;  // when the list was at hand
  absl::Time asked;  // when the batch was asked for, the list being resolved
  absl::Time end;    // when all were known to be restored and verified
  v1::Batch batch;
  std::vector<v1::BatchLine> lines;
  std::vector<Sample> samples;  // of the progress, in the order of time
  std::string holding_back;     // what last held it back; empty if nothing did
};

// Restores the tenants with these names from the newest snapshot, and waits for it. `on_created`
// may be null. INTERNAL unless every line was restored and has a certificate.
absl::StatusOr<BatchRun> RestoreList(
    const std::vector<std::string>& names,
    const std::function<absl::Status(const v1::Batch&)>& on_created, BatchCalls* calls);

// From the call that creates the batch to the end of the first restore.
absl::Duration TimeToFirst(const BatchRun& run);

// How many milliseconds a worker spent on each tenant that had at most this many rows.
std::vector<double> WorkerMilliseconds(const BatchRun& run, int64_t most_rows);

// What was said of the time left when this share of the bytes was done, and what was the case.
struct EtaCheck {
  absl::Duration low;
  absl::Duration high;
  absl::Duration truth;

  // By how many percent of the truth the middle of the range is off.
  double PercentOff() const;
};
// Nothing if no time was shown from then on.
std::optional<EtaCheck> CheckEta(const BatchRun& run, double share);

}  // namespace reinstate::bench
