#include "server/restore/progress_meter.h"

#include <algorithm>

namespace reinstate {
namespace {

constexpr int64_t kRowsPerReport = 2048;

// Which share of `total` is done after `pass` whole passes and `done` of `expected` in the present
// one.
int64_t Share(int64_t total, int pass, int passes, int64_t done, int64_t expected) {
  const double within =
      expected <= 0 ? 0.0
                    : std::min(1.0, static_cast<double>(done) / static_cast<double>(expected));
  return static_cast<int64_t>(static_cast<double>(total) * (pass + within) / passes);
}

}  // namespace

ProgressMeter::ProgressMeter(const RunControl* control, int passes, int64_t total_rows,
                             int64_t total_bytes)
    : control_(control), passes_(passes), total_rows_(total_rows), total_bytes_(total_bytes) {}

void ProgressMeter::SetTotals(int64_t total_rows, int64_t total_bytes) {
  total_rows_ = total_rows;
  total_bytes_ = total_bytes;
}

void ProgressMeter::BeginPass(state::Phase phase, int64_t rows, int64_t bytes) {
  pass_ = std::min(pass_ + 1, passes_ - 1);
  pass_rows_ = rows;
  pass_bytes_ = bytes;
  rows_ = 0;
  bytes_ = 0;
  control_->ReportPhase(phase);
  Report();
}

absl::Status ProgressMeter::Tick(int64_t bytes) {
  ++rows_;
  bytes_ += bytes;
  if (rows_ % kRowsPerReport != 0) {
    return absl::OkStatus();
  }
  Report();
  return control_->Check();
}

void ProgressMeter::Report() const {
  state::Progress progress;
  progress.set_total_rows(total_rows_);
  progress.set_total_bytes(total_bytes_);
  progress.set_rows(Share(total_rows_, pass_, passes_, rows_, pass_rows_));
  progress.set_bytes(Share(total_bytes_, pass_, passes_, bytes_, pass_bytes_));
  control_->ReportProgress(progress);
}

}  // namespace reinstate
