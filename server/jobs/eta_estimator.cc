#include "server/jobs/eta_estimator.h"

#include <algorithm>

namespace reinstate {
namespace {

constexpr size_t kSamples = 64;
constexpr double kNarrowest = 0.2;
// Before, a job's own rate says more about its start than about its course.
constexpr absl::Duration kLeastMeasured = absl::Milliseconds(200);

}  // namespace

void EtaEstimator::Started(const std::string& id, absl::Time now) {
  running_[id] = Job{.started = now, .progress = {}};
}

void EtaEstimator::Progressed(const std::string& id, const state::Progress& progress) {
  if (const auto found = running_.find(id); found != running_.end()) {
    found->second.progress = progress;
  }
}

void EtaEstimator::Ended(const std::string& id, int64_t size_bytes, bool to_the_end,
                         absl::Time now) {
  const auto found = running_.find(id);
  if (found == running_.end()) {
    return;
  }
  const absl::Duration elapsed = now - found->second.started;
  running_.erase(found);
  if (!to_the_end || elapsed <= absl::ZeroDuration()) {
    return;
  }
  samples_.push_back({size_bytes, elapsed});
  sampled_bytes_ += size_bytes;
  sampled_time_ += elapsed;
  if (samples_.size() > kSamples) {
    sampled_bytes_ -= samples_.front().bytes;
    sampled_time_ -= samples_.front().elapsed;
    samples_.pop_front();
  }
}

double EtaEstimator::PooledRate() const {
  const double seconds = absl::ToDoubleSeconds(sampled_time_);
  return seconds <= 0 ? 0 : static_cast<double>(sampled_bytes_) / seconds;
}

EtaEstimator::Estimate EtaEstimator::FromRates(int64_t bytes, double one_rate, double other_rate) {
  Estimate estimate;
  if (one_rate <= 0) {
    one_rate = other_rate;
  }
  if (other_rate <= 0) {
    other_rate = one_rate;
  }
  if (one_rate <= 0) {
    return estimate;
  }
  const auto left = static_cast<double>(std::max<int64_t>(0, bytes));
  estimate.known = true;
  estimate.low = absl::Seconds(left / std::max(one_rate, other_rate) * (1 - kNarrowest));
  estimate.high = absl::Seconds(left / std::min(one_rate, other_rate) * (1 + kNarrowest));
  return estimate;
}

EtaEstimator::Estimate EtaEstimator::Running(const std::string& id, absl::Time now) const {
  const auto found = running_.find(id);
  if (found == running_.end()) {
    return {};
  }
  const state::Progress& progress = found->second.progress;
  const absl::Duration elapsed = now - found->second.started;
  if (progress.total_bytes() == 0) {
    return {};
  }
  double own_rate = 0;
  double rows_per_second = 0;
  if (elapsed >= kLeastMeasured) {
    own_rate = static_cast<double>(progress.bytes()) / absl::ToDoubleSeconds(elapsed);
    rows_per_second = static_cast<double>(progress.rows()) / absl::ToDoubleSeconds(elapsed);
  }
  Estimate estimate = FromRates(progress.total_bytes() - progress.bytes(), own_rate, PooledRate());
  estimate.rows_per_second = rows_per_second;
  return estimate;
}

EtaEstimator::Estimate EtaEstimator::Queued(int64_t bytes_up_to, int lanes) const {
  // At best all lanes work for those before it, at worst one of them does.
  const double rate = PooledRate();
  return FromRates(bytes_up_to, rate * std::max(1, lanes), rate);
}

}  // namespace reinstate
