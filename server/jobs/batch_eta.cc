#include "server/jobs/batch_eta.h"

#include <algorithm>
#include <cmath>

namespace reinstate {
namespace {

constexpr double kNarrowest = 0.05;
constexpr double kWidest = 0.5;
// The pace is that of this time until now, of at most so many restores.
constexpr absl::Duration kPaceTime = absl::Minutes(1);
constexpr size_t kPaceRuns = 4096;
// At first all lanes are taken to be busy; this is worth so much of measured time.
constexpr absl::Duration kPriorTime = absl::Milliseconds(200);

}  // namespace

void BatchEta::Ended(int64_t bytes, absl::Duration took, absl::Time finished) {
  const auto size = static_cast<double>(bytes);
  const double seconds = absl::ToDoubleSeconds(std::max(took, absl::ZeroDuration()));
  ++samples_;
  sum_bytes_ += size;
  sum_seconds_ += seconds;
  sum_bytes_squared_ += size * size;
  sum_products_ += size * seconds;
  last_.push_back({.begin = finished - took, .end = finished});
  if (last_.size() > kPaceRuns) {
    last_.pop_front();
  }
}

double BatchEta::BusyLanes(const std::vector<Left>& left, int lanes, absl::Time since,
                           absl::Time now) const {
  absl::Time from = std::max(since, now - kPaceTime);
  if (last_.size() == kPaceRuns) {
    from = std::max(from, last_.front().end);
  }
  absl::Duration busy = lanes * kPriorTime;
  const auto add = [&](absl::Time begin, absl::Time end) {
    busy += std::max(absl::ZeroDuration(), std::min(end, now) - std::max(begin, from));
  };
  for (const Run& run : last_) {
    add(run.begin, run.end);
  }
  for (const Left& one : left) {
    add(now - one.ran, now);
  }
  const absl::Duration time = kPriorTime + std::max(absl::ZeroDuration(), now - from);
  return std::min<double>(lanes, absl::FDivDuration(busy, time));
}

// With both parts at least zero: a part that would be negative is left out.
BatchEta::Line BatchEta::Fit() const {
  const auto n = static_cast<double>(samples_);
  const double spread = n * sum_bytes_squared_ - sum_bytes_ * sum_bytes_;
  if (spread > 0) {
    const double slope = (n * sum_products_ - sum_bytes_ * sum_seconds_) / spread;
    const double fixed = (sum_seconds_ - slope * sum_bytes_) / n;
    if (slope >= 0 && fixed >= 0) {
      return {.fixed_seconds = fixed, .seconds_per_byte = slope};
    }
    if (fixed < 0) {
      return {.fixed_seconds = 0, .seconds_per_byte = sum_products_ / sum_bytes_squared_};
    }
  }
  return {.fixed_seconds = sum_seconds_ / n, .seconds_per_byte = 0};
}

absl::Duration BatchEta::Cost(int64_t bytes) const {
  if (samples_ == 0) {
    return absl::ZeroDuration();
  }
  const Line line = Fit();
  return absl::Seconds(line.fixed_seconds + line.seconds_per_byte * static_cast<double>(bytes));
}

BatchEta::Estimate BatchEta::Of(const std::vector<Left>& left, int lanes, absl::Time since,
                                absl::Time now) const {
  if (samples_ == 0) {
    return {};
  }
  absl::Duration sum;
  absl::Duration largest;
  for (const Left& one : left) {
    const absl::Duration rest = std::max(absl::ZeroDuration(), Cost(one.bytes) - one.ran);
    sum += rest;
    largest = std::max(largest, rest);
  }
  const double busy = BusyLanes(left, std::max(1, lanes), since, now);
  const absl::Duration likely = std::max(sum / busy, largest);
  const double width =
      std::clamp(1 / std::sqrt(static_cast<double>(samples_)), kNarrowest, kWidest);
  return {.known = true, .low = likely * (1 - width), .high = likely * (1 + width)};
}

}  // namespace reinstate
