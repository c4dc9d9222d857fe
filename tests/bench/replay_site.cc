#include "tests/bench/replay_site.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "tests/support/made_up_text.h"

namespace reinstate::bench {
namespace {

constexpr double kSites = 226'000;
constexpr double kLost = 883;
constexpr double kLostRows = 2'200;  // on average
constexpr double kWritten = 640;
constexpr int64_t kWrittenRows = 60;
// A fifth of them has at most 50 rows then, half of them less than 300, and the largest some
// 80,000.
constexpr double kSpread = 2;

constexpr int64_t kSmallest = 2;
constexpr int64_t kLargestOfMost = 5;
constexpr int64_t kSmallestLost = 10;

// So many sizes whose logarithms are distributed normally, the largest first.
std::vector<int64_t> LongTail(size_t sites, double average) {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> lognormal(0, kSpread);
  std::vector<double> shares(sites);
  std::generate(shares.begin(), shares.end(), [&] { return lognormal(random); });
  std::sort(shares.begin(), shares.end(), std::greater<>());
  const double all = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::vector<int64_t> sizes;
  sizes.reserve(sites);
  for (const double share : shares) {
    const double rows = average * static_cast<double>(sites) * share / all;
    sizes.push_back(std::max(kSmallestLost, static_cast<int64_t>(rows)));
  }
  return sizes;
}

}  // namespace

ReplaySite MakeReplaySite(double scale, size_t least_written) {
  const auto sites = static_cast<size_t>(kSites * scale);
  const auto lost = std::max<size_t>(4, static_cast<size_t>(kLost * scale));
  const auto written = std::max(least_written, static_cast<size_t>(kWritten * scale));
  ReplaySite site;
  SplitMix random(1);
  for (size_t i = 0; i < sites; ++i) {
    site.sizes.push_back(kSmallest +
                         static_cast<int64_t>(random.Below(kLargestOfMost - kSmallest + 1)));
  }
  const std::vector<int64_t> lost_sizes = LongTail(lost, kLostRows);
  for (size_t i = 0; i < lost; ++i) {
    site.lost.push_back(i * (sites / lost));
    site.sizes[site.lost.back()] = lost_sizes[i];
  }
  // Lost ones are far apart, so that the next one is not.
  for (size_t i = 0; i < written; ++i) {
    const size_t index = i * (sites / written);
    site.written.push_back(index % (sites / lost) == 0 ? index + 1 : index);
    site.sizes[site.written.back()] = kWrittenRows;
  }
  return site;
}

}  // namespace reinstate::bench
