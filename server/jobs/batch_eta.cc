#include "server/jobs/batch_eta.h"

#include <algorithm>
#include <cmath>

namespace reinstate {
namespace {

constexpr double kNarrowest = 0.05;
constexpr double kWidest = 0.5;
// The pace is that of this time until now.
constexpr absl::Duration kPaceTime = absl::Minutes(1);
// Pace and costs are those of at most so many restores.
constexpr size_t kRuns = 4096;
// What a restore counts for at most, of what it should have taken; and how often what they should
// have taken is found out anew by that.
constexpr double kMostOfExpected = 2;
constexpr int kFits = 4;
// At first all lanes are taken to be busy; this is worth so much of measured time.
constexpr absl::Duration kPriorTime = absl::Milliseconds(200);

}  // namespace

void BatchEta::Ended(int64_t bytes, absl::Duration took, absl::Time finished) {
  ++samples_;
  last_.push_back({.bytes = static_cast<double>(bytes),
                   .seconds = absl::ToDoubleSeconds(std::max(took, absl::ZeroDuration())),
                   .begin = finished - took,
                   .end = finished});
  if (last_.size() > kRuns) {
    last_.pop_front();
  }
}

double BatchEta::BusyLanes(const std::vector<Left>& left, int lanes, absl::Time since,
                           absl::Time now) const {
  absl::Time from = std::max(since, now - kPaceTime);
  if (last_.size() == kRuns) {
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
BatchEta::Line BatchEta::FitWithin(const std::optional<Line>& most) const {
  const auto n = static_cast<double>(last_.size());
  double sum_bytes = 0;
  double sum_seconds = 0;
  double sum_bytes_squared = 0;
  double sum_products = 0;
  for (const Run& run : last_) {
    const double seconds =
        most ? std::min(run.seconds, kMostOfExpected * most->Seconds(run.bytes)) : run.seconds;
    sum_bytes += run.bytes;
    sum_seconds += seconds;
    sum_bytes_squared += run.bytes * run.bytes;
    sum_products += run.bytes * seconds;
  }
  const double spread = n * sum_bytes_squared - sum_bytes * sum_bytes;
  if (spread > 0) {
    const double slope = (n * sum_products - sum_bytes * sum_seconds) / spread;
    const double fixed = (sum_seconds - slope * sum_bytes) / n;
    if (slope >= 0 && fixed >= 0) {
      return {.fixed_seconds = fixed, .seconds_per_byte = slope};
    }
    if (fixed < 0) {
      return {.fixed_seconds = 0, .seconds_per_byte = sum_products / sum_bytes_squared};
    }
  }
  return {.fixed_seconds = sum_seconds / n, .seconds_per_byte = 0};
}

BatchEta::Line BatchEta::Fit() const {
  std::optional<Line> line;
  for (int i = 0; i < kFits; ++i) {
    line = FitWithin(line);
  }
  return *line;
}

absl::Duration BatchEta::Cost(int64_t bytes) const {
  return samples_ == 0 ? absl::ZeroDuration()
                       : absl::Seconds(Fit().Seconds(static_cast<double>(bytes)));
}

BatchEta::Estimate BatchEta::Of(const std::vector<Left>& left, int lanes, absl::Time since,
                                absl::Time now) const {
  if (samples_ == 0) {
    return {};
  }
  const Line line = Fit();
  absl::Duration sum;
  absl::Duration largest;
  for (const Left& one : left) {
    const absl::Duration cost = absl::Seconds(line.Seconds(static_cast<double>(one.bytes)));
    const absl::Duration rest = std::max(absl::ZeroDuration(), cost - one.ran);
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
