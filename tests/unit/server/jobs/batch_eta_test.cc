#include "server/jobs/batch_eta.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/jobs/scheduler.h"

namespace reinstate {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'775'000'000);

BatchEta::Estimate Of(const BatchEta& eta, const std::vector<BatchEta::Left>& left, int lanes) {
  return eta.Of(left, lanes, kNoon, kNoon);
}

double Middle(const BatchEta::Estimate& estimate) {
  return absl::ToDoubleSeconds((estimate.low + estimate.high) / 2);
}

TEST(BatchEta, KnowsNothingBeforeTheFirstHasEnded) {
  const BatchEta eta;
  EXPECT_FALSE(Of(eta, {{.bytes = 100, .ran = absl::ZeroDuration()}}, 4).known);
  EXPECT_EQ(eta.Cost(100), absl::ZeroDuration());
}

TEST(BatchEta, FindsTheFixedCostAndTheCostOfAByte) {
  BatchEta eta;
  for (const int64_t bytes : {1000, 5000, 20'000}) {
    eta.Ended(bytes, absl::Milliseconds(20) + absl::Microseconds(bytes), kNoon);
  }
  EXPECT_NEAR(absl::ToDoubleSeconds(eta.Cost(0)), 0.02, 1e-6);
  EXPECT_NEAR(absl::ToDoubleSeconds(eta.Cost(1'000'000)), 1.02, 1e-4);
}

TEST(BatchEta, TakesAtLeastAsLongAsTheLargest) {
  BatchEta eta;
  eta.Ended(1000, absl::Seconds(1), kNoon);
  eta.Ended(2000, absl::Seconds(2), kNoon);
  const auto estimate = Of(eta, {{.bytes = 10'000, .ran = {}}, {.bytes = 1000, .ran = {}}}, 8);
  ASSERT_TRUE(estimate.known);
  EXPECT_NEAR(absl::ToDoubleSeconds((estimate.low + estimate.high) / 2), 10, 0.01);
}

TEST(BatchEta, TakesOffWhatHasRunAndIsNeverNegative) {
  BatchEta eta;
  eta.Ended(1000, absl::Seconds(1), kNoon);
  eta.Ended(2000, absl::Seconds(2), kNoon);
  const auto half = Of(eta, {{.bytes = 10'000, .ran = absl::Seconds(5)}}, 1);
  EXPECT_NEAR(absl::ToDoubleSeconds((half.low + half.high) / 2), 5, 0.01);
  const auto over = Of(eta, {{.bytes = 10'000, .ran = absl::Seconds(50)}}, 1);
  EXPECT_EQ(over.high, absl::ZeroDuration());
}

// What plain least squares say of `bytes`, with runs given as bytes and seconds.
double PlainCost(const std::vector<std::pair<double, double>>& runs, double bytes) {
  double sum_bytes = 0;
  double sum_seconds = 0;
  for (const auto& [size, seconds] : runs) {
    sum_bytes += size;
    sum_seconds += seconds;
  }
  const auto n = static_cast<double>(runs.size());
  double squares = 0;
  double products = 0;
  for (const auto& [size, seconds] : runs) {
    squares += (size - sum_bytes / n) * (size - sum_bytes / n);
    products += (size - sum_bytes / n) * (seconds - sum_seconds / n);
  }
  return sum_seconds / n + products / squares * (bytes - sum_bytes / n);
}

TEST(BatchEta, IsNotMisledByThoseThatWereHeldUpForAMoment) {
  BatchEta eta;
  std::vector<std::pair<double, double>> runs;
  for (int i = 1; i <= 400; ++i) {
    const int64_t bytes = i * int64_t{1000};
    absl::Duration took = absl::Milliseconds(20) + absl::Microseconds(bytes / 2);
    if (i > 380 && i % 5 == 0) {
      took += absl::Milliseconds(1500);  // the largest so far, by a disk
    }
    eta.Ended(bytes, took, kNoon);
    runs.emplace_back(bytes, absl::ToDoubleSeconds(took));
  }
  constexpr int64_t kLarge = 10'000'000;
  constexpr double kTruth = 5.02;
  EXPECT_NEAR(absl::ToDoubleSeconds(eta.Cost(kLarge)), kTruth, 0.15 * kTruth);
  EXPECT_GT(PlainCost(runs, kLarge), 1.2 * kTruth);
}

// What restores are like: their bytes, and the seconds that so many bytes take.
struct Kind {
  std::function<double(std::mt19937*)> bytes;
  std::function<double(double bytes)> seconds;
};

// Pareto: most are small, a few are a thousand times as large.
Kind ParetoKind() {
  return {.bytes =
              [](std::mt19937* random) {
                const double rank = std::uniform_real_distribution<double>(0, 1)(*random);
                return 20'000 / std::pow(1 - 0.999 * rank, 0.9);
              },
          .seconds = [](double bytes) { return 0.015 + bytes / 4e6; }};
}

// As the replay was seen to be: what is small waits for disks, while large ones at once share
// processors, and cost more a byte.
Kind ReplayKind() {
  return {.bytes =
              [](std::mt19937* random) {
                return 65'000 * std::lognormal_distribution<double>(0, 2)(*random);
              },
          .seconds =
              [](double bytes) {
                return 0.025 + bytes * (0.150e-6 + 0.085e-6 * std::min(1.0, bytes / 870'000));
              }};
}

// A batch that is worked off as the scheduler says, by the clock of the simulation.
class SimulatedBatch {
 public:
  // `workers` of which only so many `lanes` are for this batch.
  SimulatedBatch(const Kind& kind, uint32_t seed, int lanes, int workers)
      : lanes_(lanes), workers_(workers) {
    std::mt19937 random(seed);
    std::normal_distribution<double> noise(1, 0.1);
    scheduler_.SetLimit("main", lanes);
    for (int i = 0; i < 883; ++i) {
      const double size = kind.bytes(&random);
      bytes_.push_back(static_cast<int64_t>(size));
      took_.push_back(absl::Seconds(kind.seconds(size) * std::max(0.3, noise(random))));
      scheduler_.Add({.id = absl::StrCat(100'000 + i),
                      .store = "main",
                      .tenant = absl::StrCat(i),
                      .size_bytes = bytes_.back(),
                      .queued = kNoon});
    }
    for (const int64_t one : bytes_) {
      all_bytes_ += one;
    }
  }

  // Works it off; keeps what is estimated once a quarter of the bytes is done.
  void Run() {
    Begin();
    int64_t done = 0;
    while (!running_.empty()) {
      const auto [end, index] = running_.top();
      running_.pop();
      now_ = end;
      done += bytes_[index];
      eta_.Ended(bytes_[index], took_[index], kNoon + now_);
      scheduler_.Finish(absl::StrCat(100'000 + index));
      ended_.push_back(index);
      Begin();
      if (asked_at_ == absl::ZeroDuration() && done >= all_bytes_ / 4) {
        Ask();
      }
    }
  }

  // Of the estimate once a quarter was done.
  double truth() const { return absl::ToDoubleSeconds(now_ - asked_at_); }
  double makespan() const { return absl::ToDoubleSeconds(now_); }

  // Goes by those besides its own.
  void SetEarlier(std::vector<BatchEta::Sample> earlier) { earlier_ = std::move(earlier); }
  // The last of its own, as the next batch has them.
  std::vector<BatchEta::Sample> Last(size_t count) const {
    std::vector<BatchEta::Sample> last;
    for (size_t i = ended_.size() - std::min(count, ended_.size()); i < ended_.size(); ++i) {
      last.push_back({bytes_[ended_[i]], took_[ended_[i]]});
    }
    return last;
  }
  // Before anything is begun.
  BatchEta::Estimate AtStart() const {
    std::vector<BatchEta::Left> left;
    for (const int64_t one : bytes_) {
      left.push_back({one, absl::ZeroDuration()});
    }
    return BatchEta().Of(left, lanes_, kNoon, kNoon, earlier_);
  }
  BatchEta::Estimate estimate() const { return estimate_; }
  // By plain least squares, and all lanes at work to the end.
  double plain() const { return plain_; }

 private:
  using Ending = std::pair<absl::Duration, size_t>;

  void Begin() {
    while (scheduler_.running() < static_cast<size_t>(lanes_)) {
      const auto job = scheduler_.Take(kNoon + now_);
      if (!job.has_value()) {
        return;
      }
      const auto index = static_cast<size_t>(std::stoi(job->tenant));
      began_[index] = now_;
      running_.emplace(now_ + took_[index], index);
    }
  }

  void Ask() {
    asked_at_ = now_;
    std::vector<std::pair<double, double>> runs;
    for (const size_t i : ended_) {
      runs.emplace_back(bytes_[i], absl::ToDoubleSeconds(took_[i]));
    }
    std::vector<BatchEta::Left> left;
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if (std::find(ended_.begin(), ended_.end(), i) == ended_.end()) {
        const auto began = began_.find(i);
        left.push_back(
            {bytes_[i], began == began_.end() ? absl::ZeroDuration() : now_ - began->second});
        const double cost = PlainCost(runs, static_cast<double>(bytes_[i]));
        plain_ += std::max(0.0, cost - absl::ToDoubleSeconds(left.back().ran)) / lanes_;
      }
    }
    estimate_ = eta_.Of(left, workers_, kNoon, kNoon + now_, earlier_);
  }

  const int lanes_;
  const int workers_;
  std::vector<int64_t> bytes_;
  std::vector<absl::Duration> took_;
  int64_t all_bytes_ = 0;
  Scheduler scheduler_{absl::Minutes(10)};
  BatchEta eta_;
  std::vector<BatchEta::Sample> earlier_;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> running_;
  std::map<size_t, absl::Duration> began_;
  std::vector<size_t> ended_;
  absl::Duration now_;
  absl::Duration asked_at_;
  BatchEta::Estimate estimate_;
  double plain_ = 0;
};

TEST(BatchEta, GoesByThePaceOfTheLastMinute) {
  BatchEta eta;
  const absl::Time now = kNoon + absl::Hours(1);
  // One second of work in each ten: something holds it back.
  for (int i = 0; i < 100; ++i) {
    eta.Ended(1000, absl::Seconds(1), now - absl::Seconds(10) * i);
  }
  const std::vector<BatchEta::Left> left(60, {.bytes = 1000, .ran = {}});
  EXPECT_NEAR(Middle(eta.Of(left, 4, kNoon, now)), 600, 250);
  // After a pause that is forgotten.
  EXPECT_NEAR(Middle(eta.Of(left, 4, now, now)), 15, 1);
}

TEST(BatchEta, IsWithinAFifthOfTheTruthAfterAQuarterOfTheBytes) {
  for (const Kind& kind : {ParetoKind(), ReplayKind()}) {
    for (uint32_t seed = 1; seed <= 2; ++seed) {
      for (const auto& [lanes, workers] :
           std::vector<std::pair<int, int>>{{4, 4}, {8, 8}, {1, 4}}) {
        SimulatedBatch batch(kind, seed, lanes, workers);
        batch.Run();
        ASSERT_TRUE(batch.estimate().known);
        EXPECT_NEAR(Middle(batch.estimate()), batch.truth(), 0.2 * batch.truth())
            << "seed " << seed << ", " << lanes << " of " << workers << " lanes";
      }
    }
  }
}

TEST(BatchEta, IsNotMisledWhereLargeOnesCostMoreAByteThanSmallOnes) {
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    SimulatedBatch batch(ReplayKind(), seed, 4, 4);
    batch.Run();
    const double off = std::abs(Middle(batch.estimate()) - batch.truth());
    EXPECT_LT(off, 0.2 * batch.truth()) << seed;
    EXPECT_LT(off, 0.9 * (batch.truth() - batch.plain())) << seed;
  }
}

TEST(BatchEta, SaysForTheLastOnesWhatLiesBetweenFullLanesAndOneALane) {
  BatchEta eta;
  for (int i = 1; i <= 100; ++i) {
    eta.Ended(1000, absl::Seconds(1), kNoon);
    eta.Ended(2000, absl::Seconds(2), kNoon);
  }
  // Five of 10 s for four lanes: 12.5 s if they shared them evenly, 20 s one after the other.
  const std::vector<BatchEta::Left> left(5, {.bytes = 10'000, .ran = {}});
  const BatchEta::Estimate estimate = Of(eta, left, 4);
  EXPECT_GT(Middle(estimate), 13);
  EXPECT_LT(Middle(estimate), 16);
  EXPECT_LE(absl::ToDoubleSeconds(estimate.low), 12.5);
  EXPECT_GE(absl::ToDoubleSeconds(estimate.high), 17);
}

TEST(BatchEta, IsNotNothingWhileALargeOneTakesLongerThanItShould) {
  BatchEta eta;
  for (int i = 0; i < 20; ++i) {
    eta.Ended(10, absl::Milliseconds(100), kNoon);
    eta.Ended(1000, absl::Milliseconds(200), kNoon);
  }
  // By the line it would have taken 1.1 s, in proportion 2 s.
  const auto estimate = Of(eta, {{.bytes = 10'000, .ran = absl::Milliseconds(1500)}}, 1);
  EXPECT_GT(Middle(estimate), 0.05);
  EXPECT_LT(Middle(estimate), 0.5);
}

// --- By earlier restores ---

TEST(BatchEta, KnowsByTheLastRestoresOfAnotherBatchHowLongThisOneTakes) {
  for (const Kind& kind : {ParetoKind(), ReplayKind()}) {
    for (uint32_t seed = 1; seed <= 4; ++seed) {
      SimulatedBatch before(kind, 100 + seed, 4, 4);
      before.Run();
      SimulatedBatch batch(kind, seed, 4, 4);
      batch.SetEarlier(before.Last(512));
      const BatchEta::Estimate estimate = batch.AtStart();
      batch.Run();
      ASSERT_TRUE(estimate.known);
      EXPECT_EQ(estimate.own, 0);
      EXPECT_NEAR(Middle(estimate), batch.makespan(), 0.3 * batch.makespan()) << "seed " << seed;
    }
  }
}

TEST(BatchEta, IsNoLessCertainAfterAQuarterBecauseOfEarlierOnesThatWereAnother) {
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    SimulatedBatch alone(ParetoKind(), seed, 4, 4);
    alone.Run();
    SimulatedBatch misled(ParetoKind(), seed, 4, 4);
    misled.SetEarlier(std::vector<BatchEta::Sample>(512, {1000, absl::Minutes(10)}));
    misled.Run();
    EXPECT_EQ(misled.estimate().low, alone.estimate().low);
    EXPECT_EQ(misled.estimate().high, alone.estimate().high);
    EXPECT_EQ(misled.estimate().own, 1);
    EXPECT_GT(Middle(misled.AtStart()), 100 * misled.makespan()) << "nothing there would mislead";
  }
}

TEST(BatchEta, ItsOwnCountForTheShareThatTheyHaveOfATenthOfTheBytes) {
  const std::vector<BatchEta::Sample> earlier(4, {1000, absl::Seconds(10)});
  std::vector<BatchEta::Left> left(100, {.bytes = 1000, .ran = {}});
  BatchEta eta;
  const auto middle = [&] { return Middle(eta.Of(left, 1, kNoon, kNoon, earlier)); };
  EXPECT_NEAR(middle(), 1000, 1);
  for (int i = 0; i < 5; ++i) {
    eta.Ended(1000, absl::Seconds(1), kNoon);
    left.pop_back();
  }
  EXPECT_NEAR(middle(), (950 + 95) / 2.0, 1);
  for (int i = 0; i < 5; ++i) {
    eta.Ended(1000, absl::Seconds(1), kNoon);
    left.pop_back();
  }
  EXPECT_NEAR(middle(), 90, 1);
}

TEST(BatchEta, IsNeverSureOfWhatItKnowsByEarlierOnes) {
  const std::vector<BatchEta::Sample> earlier(512, {1000, absl::Seconds(1)});
  const std::vector<BatchEta::Left> left(100, {.bytes = 1000, .ran = {}});
  const auto estimate = BatchEta().Of(left, 1, kNoon, kNoon, earlier);
  EXPECT_LE(estimate.low, absl::Seconds(75));
  EXPECT_GE(estimate.high, absl::Seconds(125));
}

}  // namespace
}  // namespace reinstate
