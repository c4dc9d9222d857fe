#include "tests/bench/write_load.h"

#include <utility>

#include "absl/time/clock.h"

namespace reinstate::bench {
namespace {

constexpr absl::Duration kConnecting = absl::Seconds(2);  // before the first is due
constexpr absl::Duration kCatchingUp = absl::Seconds(5);  // with what was late

}  // namespace

WriteLoad::WriteLoad(const PostgresSite& site, const std::vector<size_t>& sites,
                     std::string conninfo)
    : conninfo_(std::move(conninfo)) {
  for (const size_t index : sites) {
    ids_.push_back(site.SiteId(index));
    expected_.Set(ids_.back(), MadeUpRows(site, index));
  }
}

void WriteLoad::Begin() {
  {
    MutexLock lock(&mu_);
    commits_.clear();
  }
  const absl::Time first = absl::Now() + kConnecting;
  const size_t share = ids_.size() / kWriters;
  for (int i = 0; i < kWriters; ++i) {
    const auto begin = ids_.begin() + static_cast<ptrdiff_t>(share * static_cast<size_t>(i));
    writers_.push_back(std::make_unique<SiteWriter>(
        conninfo_, std::vector<int64_t>(begin, begin + static_cast<ptrdiff_t>(share)), seed_++,
        &expected_,
        WriterPace{.first = first + kEvery * i / kWriters,
                   .every = kEvery,
                   .on_commit = [this](absl::Time due, absl::Duration latency) {
                     MutexLock lock(&mu_);
                     commits_.push_back({.due = due, .latency = latency});
                   }}));
  }
  absl::SleepFor(kConnecting);
}

absl::Status WriteLoad::End() {
  absl::SleepFor(kCatchingUp);
  absl::Status status;
  for (const auto& writer : writers_) {
    status.Update(writer->Stop());
  }
  writers_.clear();
  return status;
}

std::vector<double> WriteLoad::Latencies(absl::Time from, absl::Time to) const {
  MutexLock lock(&mu_);
  std::vector<double> milliseconds;
  for (const Commit& commit : commits_) {
    if (commit.due >= from && commit.due < to) {
      milliseconds.push_back(absl::ToDoubleMilliseconds(commit.latency));
    }
  }
  return milliseconds;
}

}  // namespace reinstate::bench
