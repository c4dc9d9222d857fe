#include "server/jobs/recent_rate.h"

#include <algorithm>
#include <cstddef>

namespace reinstate {
namespace {

constexpr absl::Duration kRecent = absl::Minutes(1);
constexpr size_t kRuns = 4096;

// The share of `whole` that `part` is, which is all of nothing.
double ShareOf(absl::Duration part, absl::Duration whole) {
  return part >= whole ? 1 : std::max(0.0, absl::FDivDuration(part, whole));
}

double ASecond(double count, absl::Duration time) {
  return time > absl::ZeroDuration() ? count / absl::ToDoubleSeconds(time) : 0;
}

}  // namespace

absl::Time RecentFrom(absl::Time since, absl::Time now) {
  return now - std::clamp((now - since) / 2, absl::ZeroDuration(), kRecent);
}

void RecentRate::Done::Add(double its_rows, double its_bytes, absl::Duration ran) {
  const double share = ShareOf(time, ran);
  rows += share * its_rows;
  bytes += share * its_bytes;
}

double RecentRate::Done::RowsPerSecond() const { return ASecond(rows, time); }

double RecentRate::Done::BytesPerSecond() const { return ASecond(bytes, time); }

void RecentRate::Ended(int64_t rows, int64_t bytes, absl::Duration took, absl::Time finished) {
  last_.push_back({.rows = static_cast<double>(rows),
                   .bytes = static_cast<double>(bytes),
                   .took = std::max(took, absl::ZeroDuration()),
                   .end = finished});
  if (last_.size() > kRuns) {
    last_.pop_front();
  }
}

RecentRate::Done RecentRate::Of(absl::Time since, absl::Time now) const {
  absl::Time from = RecentFrom(since, now);
  if (last_.size() == kRuns) {
    from = std::clamp(last_.front().end, from, now);
  }
  Done done{.time = now - from};
  for (const Run& run : last_) {
    if (run.end > from) {
      const double share = ShareOf(run.end - from, run.took);
      done.rows += share * run.rows;
      done.bytes += share * run.bytes;
    }
  }
  return done;
}

}  // namespace reinstate
