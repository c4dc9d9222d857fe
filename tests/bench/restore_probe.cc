#include "tests/bench/restore_probe.h"

#include <utility>

#include "absl/time/clock.h"
#include "storage/base/status_macros.h"

namespace reinstate::bench {

RestoreProbe::RestoreProbe(std::vector<std::string> restores, BatchCalls* calls)
    : restores_(std::move(restores)), calls_(calls), thread_([this] { status_ = Run(); }) {}

RestoreProbe::~RestoreProbe() { (void)End(); }

absl::Status RestoreProbe::Run() {
  for (size_t i = 0; i == 0 || !stop_; ++i) {
    const absl::Time start = absl::Now();
    RETURN_IF_ERROR(Ask(restores_[i % restores_.size()]));
    outcome_.milliseconds.push_back(absl::ToDoubleMilliseconds(absl::Now() - start));
    absl::SleepFor(kEvery);
  }
  return absl::OkStatus();
}

absl::Status RestoreProbe::Ask(const std::string& restore) {
  absl::Status status = calls_->GetRestore(restore).status();
  while (absl::IsUnavailable(status)) {
    ++outcome_.refused;
    absl::SleepFor(kEvery);
    status = calls_->GetRestore(restore).status();
  }
  return status;
}

absl::StatusOr<RestoreProbe::Outcome> RestoreProbe::End() {
  stop_ = true;
  if (thread_.joinable()) {
    thread_.join();
  }
  RETURN_IF_ERROR(status_);
  return outcome_;
}

}  // namespace reinstate::bench
