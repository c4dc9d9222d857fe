#include "storage/history/run_watch.h"

#include <utility>

#include "storage/base/error.h"

namespace reinstate {
namespace {

constexpr uint32_t kRowsBetweenLooks = 1024;

}  // namespace

void RunWatch::BeginStep(const char* step) {
  step_ = step;
  rows_ = 0;
  bytes_ = 0;
  Report();
}

absl::Status RunWatch::Tally::CountRow(int64_t bytes) {
  ++rows_;
  bytes_ += bytes;
  if (calls_++ % kRowsBetweenLooks != 0) {
    return absl::OkStatus();
  }
  Tell();
  watch_->Report();
  return watch_->CheckCancelled();
}

void RunWatch::Tally::Tell() {
  watch_->rows_.fetch_add(std::exchange(rows_, 0), std::memory_order_relaxed);
  watch_->bytes_.fetch_add(std::exchange(bytes_, 0), std::memory_order_relaxed);
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
