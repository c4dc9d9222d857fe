#include "tests/bench/control_probe.h"

#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate::bench {
namespace {

constexpr absl::Duration kEvery = absl::Milliseconds(2);

bool IsDue(const v1::Batch& batch, double share) {
  return batch.lines().running() > 0 &&
         static_cast<double>(batch.progress().bytes_done()) >=
             share * static_cast<double>(batch.progress().bytes_total());
}

// Asks until `holds`. FAILED_PRECONDITION if the batch has ended and it does not.
absl::StatusOr<v1::Batch> AskUntil(const std::string& id, BatchCalls* calls,
                                   const std::function<bool(const v1::Batch&)>& holds) {
  while (true) {
    ASSIGN_OR_RETURN(v1::Batch batch, calls->Get(id));
    if (holds(batch)) {
      return batch;
    }
    if (HasEnded(batch)) {
      return absl::FailedPreconditionError("The batch has ended before.");
    }
    absl::SleepFor(kEvery);
  }
}

}  // namespace

absl::StatusOr<StopTimes> StopBatchAt(double share, const std::string& batch,
                                      const std::function<absl::Status()>& stop,
                                      v1::BatchState state, BatchCalls* calls) {
  ASSIGN_OR_RETURN(const v1::Batch before,
                   AskUntil(batch, calls, [&](const v1::Batch& now) { return IsDue(now, share); }));
  StopTimes times{.running = before.lines().running()};
  const absl::Time begin = absl::Now();
  RETURN_IF_ERROR(stop());
  RETURN_IF_ERROR(AskUntil(batch, calls, [&](const v1::Batch& now) {
                    return now.state() == state || HasEnded(now);
                  }).status());
  times.state = absl::Now() - begin;
  RETURN_IF_ERROR(AskUntil(batch, calls, [](const v1::Batch& now) {
                    return now.lines().running() == 0;
                  }).status());
  times.free = absl::Now() - begin;
  return times;
}

}  // namespace reinstate::bench
