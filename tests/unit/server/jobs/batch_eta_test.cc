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
  EXPECT_NEAR(absl::ToDoubleSeconds(eta.Cost(kLarge)), kTruth, 0.1 * kTruth);
  EXPECT_GT(PlainCost(runs, kLarge), 1.2 * kTruth);
}

// A batch that is worked off as the scheduler says, by the clock of the simulation.
class SimulatedBatch {
 public:
  // `workers` of which only so many `lanes` are for this batch.
  SimulatedBatch(uint32_t seed, int lanes, int workers) : lanes_(lanes), workers_(workers) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> rank(0, 1);
    std::normal_distribution<double> noise(1, 0.1);
    scheduler_.SetLimit("main", lanes);
    for (int i = 0; i < 883; ++i) {
      // Pareto: most are small, a few are a thousand times as large.
      const double size = 20'000 / std::pow(1 - 0.999 * rank(random), 0.9);
      bytes_.push_back(static_cast<int64_t>(size));
      took_.push_back(absl::Seconds((0.015 + size / 4e6) * std::max(0.3, noise(random))));
      scheduler_.Add({.id = absl::StrCat(100'000 + i),
                      .store = "main",
                      .tenant = absl::StrCat(i),
                      .size_bytes = bytes_.back(),
                      .queued = kNoon});
    }
    for (const absl::Duration one : took_) {
      work_ += one;
    }
  }

  // Works it off; keeps what is estimated once a quarter of the work is done.
  void Run() {
    Begin();
    absl::Duration done;
    while (!running_.empty()) {
      const auto [end, index] = running_.top();
      running_.pop();
      now_ = end;
      done += took_[index];
      eta_.Ended(bytes_[index], took_[index], kNoon + now_);
      scheduler_.Finish(absl::StrCat(100'000 + index));
      ended_.push_back(index);
      Begin();
      if (asked_at_ == absl::ZeroDuration() && done >= work_ / 4) {
        Ask();
      }
    }
  }

  absl::Duration truth() const { return now_ - asked_at_; }
  BatchEta::Estimate estimate() const { return estimate_; }

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
    std::vector<BatchEta::Left> left;
    for (size_t i = 0; i < bytes_.size(); ++i) {
      if (std::find(ended_.begin(), ended_.end(), i) == ended_.end()) {
        const auto began = began_.find(i);
        left.push_back(
            {bytes_[i], began == began_.end() ? absl::ZeroDuration() : now_ - began->second});
      }
    }
    estimate_ = eta_.Of(left, workers_, kNoon, kNoon + now_);
  }

  const int lanes_;
  const int workers_;
  std::vector<int64_t> bytes_;
  std::vector<absl::Duration> took_;
  absl::Duration work_;
  Scheduler scheduler_{absl::Minutes(10)};
  BatchEta eta_;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> running_;
  std::map<size_t, absl::Duration> began_;
  std::vector<size_t> ended_;
  absl::Duration now_;
  absl::Duration asked_at_;
  BatchEta::Estimate estimate_;
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

TEST(BatchEta, IsWithinAFifthOfTheTruthAfterAQuarterOfTheWork) {
  for (uint32_t seed = 1; seed <= 4; ++seed) {
    for (const auto& [lanes, workers] : std::vector<std::pair<int, int>>{{4, 4}, {8, 8}, {1, 4}}) {
      SimulatedBatch batch(seed, lanes, workers);
      batch.Run();
      ASSERT_TRUE(batch.estimate().known);
      const double truth = absl::ToDoubleSeconds(batch.truth());
      EXPECT_NEAR(Middle(batch.estimate()), truth, 0.2 * truth)
          << "seed " << seed << ", " << lanes << " of " << workers << " lanes";
    }
  }
}

}  // namespace
}  // namespace reinstate
