#include "storage/history/run_watch.h"

#include "storage/base/error.h"

namespace reinstate {
namespace {

constexpr int64_t kRowsBetweenLooks = 1024;

}  // namespace

void RunWatch::BeginStep(const char* step) {
  step_ = step;
  rows_ = 0;
  bytes_ = 0;
  Report();
}

absl::Status RunWatch::CountRow(int64_t bytes) {
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  if (rows_.fetch_add(1, std::memory_order_relaxed) % kRowsBetweenLooks != 0) {
    return absl::OkStatus();
  }
  Report();
  return CheckCancelled();
}

absl::Status RunWatch::StopIfFailed(const absl::Status& status) {
  if (status.ok()) {
    return status;
  }
  MutexLock lock(&mu_);
  if (first_error_.ok()) {
    first_error_ = status;
    failed_ = true;
  }
  return first_error_;
}

absl::Status RunWatch::CheckCancelled() const {
  if (failed_) {
    MutexLock lock(&mu_);
    return first_error_;
  }
  if (work_.cancelled && work_.cancelled()) {
    return MakeError(Reason::kCancelled, "The work was cancelled.");
  }
  return absl::OkStatus();
}

void RunWatch::Report() const {
  if (work_.progress) {
    work_.progress(
        {.rows = rows_, .bytes = bytes_, .total_rows = total_rows_, .step = step_.load()});
  }
}

}  // namespace reinstate
