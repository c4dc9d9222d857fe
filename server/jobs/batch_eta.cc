#include "server/jobs/batch_eta.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <queue>
#include <utility>

#include "server/jobs/recent_rate.h"

namespace reinstate {
namespace {

constexpr double kNarrowest = 0.05;
constexpr double kNarrowestByEarlier = 0.25;
constexpr double kWidest = 0.5;
// Once those that have ended have this share of the bytes, earlier ones do not count any more.
constexpr double kOwnAlone = 0.1;
// Pace and costs are those of at most so many restores.
constexpr size_t kRuns = 4096;
// The large ones are those that have this share of the bytes, and so many at least.
constexpr double kLargeShare = 1.0 / 3;
constexpr size_t kLeastLarge = 8;
// What a restore counts for at most, of what it should have taken; and how often what they should
// have taken is found out anew by that.
constexpr double kMostOfExpected = 1.5;
constexpr int kFits = 4;
// At first all lanes are taken to be busy; this is worth so much of measured time.
constexpr absl::Duration kPriorTime = absl::Milliseconds(200);
// Between two restores a lane is idle for a moment: of this share of a lane it is taken for a whole
// one.
constexpr double kWholeLane = 0.3;

// The most is taken for at most so many times the least, and so much of the way from one to the
// other is gone: a fixed part of the costs is the rule.
constexpr double kFarthestApart = 10;
constexpr double kTowardsMost = 0.25;

struct Mean {
  double bytes = 0;
  double seconds = 0;
};

// When the last ends, in seconds: `running` have so much left, `queued` are yet to begin, ascending
// by bytes and given with their costs. As Scheduler: the shortest first, but the largest as soon as
// it would end after all the others.
double HandOut(const std::vector<double>& running,
               const std::vector<std::pair<double, double>>& queued, size_t lanes) {
  std::priority_queue<double, std::vector<double>, std::greater<>> ends(running.begin(),
                                                                        running.end());
  double last = running.empty() ? 0 : *std::max_element(running.begin(), running.end());
  double waiting = 0;
  for (const auto& [bytes, seconds] : queued) {
    waiting += bytes;
  }
  auto first = queued.begin();
  auto behind = queued.end();
  for (double now = 0; first != behind;) {
    if (ends.size() >= lanes) {
      now = ends.top();
      ends.pop();
      continue;
    }
    const auto others = static_cast<double>(ends.size());
    const bool largest = others > 0 && (behind - 1)->first >= waiting / (others + 1);
    const auto [bytes, seconds] = largest ? *--behind : *first++;
    waiting -= bytes;
    ends.push(now + seconds);
    last = std::max(last, now + seconds);
  }
  return last;
}

}  // namespace

double BatchEta::Costs::Most(double bytes) const {
  return std::max(Least(bytes), most_per_byte * bytes);
}

void BatchEta::Ended(int64_t bytes, absl::Duration took, absl::Time finished) {
  ++samples_;
  bytes_ += static_cast<double>(bytes);
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
  absl::Time from = RecentFrom(since, now);
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
BatchEta::Costs BatchEta::FitWithin(const Sizes& runs, size_t large, const Costs* most) {
  const auto mean = [&](size_t begin, size_t end) {
    Mean mean;
    for (size_t i = begin; i < end; ++i) {
      const auto& [bytes, seconds] = runs[i];
      mean.bytes += bytes;
      mean.seconds +=
          most == nullptr ? seconds : std::min(seconds, kMostOfExpected * most->Least(bytes));
    }
    const auto count = static_cast<double>(std::max<size_t>(1, end - begin));
    return Mean{.bytes = mean.bytes / count, .seconds = mean.seconds / count};
  };
  const Mean of_large = mean(0, large);
  const Mean of_small = mean(large, runs.size());
  const bool differ = large < runs.size() && of_large.bytes > of_small.bytes;
  Costs costs{.most_per_byte = of_large.bytes > 0 ? of_large.seconds / of_large.bytes : 0};
  if (differ) {
    costs.seconds_per_byte =
        std::max(0.0, (of_large.seconds - of_small.seconds) / (of_large.bytes - of_small.bytes));
    costs.fixed_seconds = of_large.seconds - costs.seconds_per_byte * of_large.bytes;
  }
  if (!differ || costs.fixed_seconds < 0) {
    costs.fixed_seconds = of_large.bytes > 0 ? 0 : of_large.seconds;
    costs.seconds_per_byte = costs.most_per_byte;
  }
  return costs;
}

BatchEta::Sizes BatchEta::Own() const {
  Sizes runs;
  runs.reserve(last_.size());
  for (const Run& run : last_) {
    runs.emplace_back(run.bytes, run.seconds);
  }
  return runs;
}

BatchEta::Costs BatchEta::Fit(Sizes runs) {
  double bytes = 0;
  for (const auto& run : runs) {
    bytes += run.first;
  }
  std::sort(runs.begin(), runs.end(), std::greater<>());
  size_t large = 0;
  const size_t least = std::min(kLeastLarge, (runs.size() + 1) / 2);
  for (double sum = 0; large < least || (large < runs.size() && sum < kLargeShare * bytes);) {
    sum += runs[large++].first;
  }
  Costs costs = FitWithin(runs, large, nullptr);
  for (int i = 1; i < kFits; ++i) {
    costs = FitWithin(runs, large, &costs);
  }
  return costs;
}

absl::Duration BatchEta::Cost(int64_t bytes) const {
  return samples_ == 0 ? absl::ZeroDuration()
                       : absl::Seconds(Fit(Own()).Least(static_cast<double>(bytes)));
}

BatchEta::Estimate BatchEta::By(const Costs& costs, int64_t samples, double narrowest,
                                const std::vector<Left>& left, double busy_lanes) {
  double sum_least = 0;
  double sum_most = 0;
  double largest = 0;
  std::vector<double> running;
  Sizes queued;
  for (const Left& one : left) {
    const auto bytes = static_cast<double>(one.bytes);
    const double ran = absl::ToDoubleSeconds(one.ran);
    const double least = std::max(0.0, costs.Least(bytes) - ran);
    const double most = std::max(0.0, costs.Most(bytes) - ran);
    sum_least += least;
    sum_most += most;
    largest = std::max(largest, least);
    if (one.ran > absl::ZeroDuration()) {
      running.push_back(most);
    } else {
      queued.emplace_back(bytes, most);
    }
  }
  std::sort(queued.begin(), queued.end());
  const auto whole = static_cast<size_t>(std::max(1.0, std::ceil(busy_lanes - kWholeLane)));
  const double most = std::max(sum_most / busy_lanes, HandOut(running, queued, whole));
  const double least = std::max({sum_least / busy_lanes, largest, most / kFarthestApart});
  const absl::Duration likely =
      absl::Seconds(std::pow(least, 1 - kTowardsMost) * std::pow(most, kTowardsMost));
  const double apart = most > 0 ? (most - least) / (most + least) : 0;
  const double width =
      std::clamp(std::max(apart, 1 / std::sqrt(static_cast<double>(samples))), narrowest, kWidest);
  return {.known = true, .low = likely * (1 - width), .high = likely * (1 + width)};
}

// How much those that have ended count.
double BatchEta::OwnShare(const std::vector<Left>& left) const {
  double all = bytes_;
  for (const Left& one : left) {
    all += static_cast<double>(one.bytes);
  }
  if (all <= 0) {
    return samples_ > 0 ? 1 : 0;
  }
  return std::min(1.0, bytes_ / (kOwnAlone * all));
}

BatchEta::Estimate BatchEta::Of(const std::vector<Left>& left, int lanes, absl::Time since,
                                absl::Time now, const std::vector<Sample>& earlier) const {
  if (samples_ == 0 && earlier.empty()) {
    return {};
  }
  const double busy = BusyLanes(left, std::max(1, lanes), since, now);
  const double own_share = earlier.empty() ? 1 : OwnShare(left);
  Estimate own;
  if (samples_ > 0) {
    own = By(Fit(Own()), samples_, kNarrowest, left, busy);
    own.own = own_share;
  }
  if (own_share >= 1) {
    return own;
  }
  Sizes runs;
  runs.reserve(earlier.size());
  for (const Sample& sample : earlier) {
    runs.emplace_back(static_cast<double>(sample.bytes), absl::ToDoubleSeconds(sample.took));
  }
  const auto samples = static_cast<int64_t>(runs.size());
  Estimate mixed = By(Fit(std::move(runs)), samples, kNarrowestByEarlier, left, busy);
  mixed.low += own_share * (own.low - mixed.low);
  mixed.high += own_share * (own.high - mixed.high);
  mixed.own = own_share;
  return mixed;
}

}  // namespace reinstate
