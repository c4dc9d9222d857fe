#include "server/jobs/store_throttle.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace reinstate {
namespace {

using Limits = StoreThrottle::Limits;
using Size = StoreThrottle::Size;
using Cause = StoreThrottle::Cause;

const absl::Time kNoon = absl::FromUnixSeconds(1'775'000'000);

class StoreThrottleTest : public testing::Test {
 protected:
  // How long the next restore has to wait.
  absl::Duration Wait() const { return throttle_.NextStart(now_, {}).time - now_; }
  Cause WaitsFor() const { return throttle_.NextStart(now_, {}).cause; }

  absl::Time now_ = kNoon;
  StoreThrottle throttle_;
};

TEST_F(StoreThrottleTest, LetsEverythingBeginAtOnceWithoutALimit) {
  for (int i = 0; i < 100; ++i) {
    throttle_.Reserve({.rows = 1'000'000, .bytes = 1'000'000'000}, now_);
    EXPECT_EQ(Wait(), absl::ZeroDuration());
    EXPECT_EQ(WaitsFor(), Cause::kNone);
  }
}

TEST_F(StoreThrottleTest, LetsTheNextOneWaitUntilTheLastOneIsPaidOff) {
  throttle_.SetLimits({.rows_per_second = 100}, now_);
  EXPECT_EQ(Wait(), absl::ZeroDuration()) << "a giant may begin at any time";
  throttle_.Reserve({.rows = 1000, .bytes = 1}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(10));
  EXPECT_EQ(WaitsFor(), Cause::kRows);
  now_ += absl::Seconds(4);
  EXPECT_EQ(Wait(), absl::Seconds(6));
  now_ += absl::Seconds(6);
  EXPECT_EQ(Wait(), absl::ZeroDuration());
  EXPECT_EQ(WaitsFor(), Cause::kNone);
}

TEST_F(StoreThrottleTest, GoesOnWithWhatAnotherOneOwed) {
  throttle_.SetLimits({.rows_per_second = 100, .bytes_per_second = 10}, now_);
  throttle_.Reserve({.rows = 1000, .bytes = 20}, now_);
  now_ += absl::Seconds(4);
  const StoreThrottle::Debts owed = throttle_.Owed(now_);
  EXPECT_EQ(owed.rows, 600);
  EXPECT_EQ(owed.bytes, 0);
  StoreThrottle next;
  next.SetLimits({.rows_per_second = 100}, now_ + absl::Seconds(1));
  next.Owe(owed, now_, now_ + absl::Seconds(1));
  EXPECT_EQ(next.NextStart(now_ + absl::Seconds(1), {}).time, now_ + absl::Seconds(6));
  // The clock was set back meanwhile: nothing has been paid off.
  next.Owe(owed, now_, now_ - absl::Hours(1));
  EXPECT_EQ(next.NextStart(now_ - absl::Hours(1), {}).time,
            now_ - absl::Hours(1) + absl::Seconds(6));
  // What has no limit any more owes nothing.
  StoreThrottle unlimited;
  unlimited.Owe(owed, now_, now_);
  EXPECT_EQ(unlimited.NextStart(now_, {}).cause, Cause::kNone);
}

TEST_F(StoreThrottleTest, WaitsForTheLimitThatIsTheLastToAllowIt) {
  throttle_.SetLimits({.rows_per_second = 100, .bytes_per_second = 1000}, now_);
  throttle_.Reserve({.rows = 100, .bytes = 5000}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(5));
  EXPECT_EQ(WaitsFor(), Cause::kBytes);
  throttle_.Reserve({.rows = 900, .bytes = 0}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(10));
  EXPECT_EQ(WaitsFor(), Cause::kRows);
}

TEST_F(StoreThrottleTest, SaysWhenOneMayBeginThatFollowsOthersWhichHaveYetToBegin) {
  throttle_.SetLimits({.rows_per_second = 100, .bytes_per_second = 1000}, now_);
  throttle_.Reserve({.rows = 100, .bytes = 500}, now_);
  now_ += absl::Milliseconds(500);
  const StoreThrottle::Start after = throttle_.NextStart(now_, {.rows = 900, .bytes = 1000});
  EXPECT_EQ(after.time - now_, absl::Milliseconds(9500));
  EXPECT_EQ(after.cause, Cause::kRows);
  EXPECT_EQ(throttle_.NextStart(now_, {.rows = 900, .bytes = 20'000}).time - now_,
            absl::Seconds(20));
  EXPECT_EQ(Wait(), absl::Milliseconds(500)) << "nothing was taken for them";
}

TEST_F(StoreThrottleTest, SavesNothingUpWhileNobodyRestores) {
  throttle_.SetLimits({.rows_per_second = 100}, now_);
  now_ += absl::Hours(1);
  throttle_.Reserve({.rows = 1000, .bytes = 0}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(10));
}

TEST_F(StoreThrottleTest, GivesBackWhatWasNotNeeded) {
  throttle_.SetLimits({.rows_per_second = 100, .bytes_per_second = 1000}, now_);
  const auto taken = throttle_.Reserve({.rows = 1000, .bytes = 10'000}, now_);
  throttle_.Settle(taken, {.rows = 200, .bytes = 300}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(2));
}

TEST_F(StoreThrottleTest, GivesNothingBackThatTimeHasPaidFor) {
  throttle_.SetLimits({.rows_per_second = 100}, now_);
  const auto taken = throttle_.Reserve({.rows = 1000, .bytes = 0}, now_);
  now_ += absl::Seconds(10);
  throttle_.Settle(taken, {.rows = 0, .bytes = 0}, now_);
  throttle_.Reserve({.rows = 500, .bytes = 0}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(5)) << "ten seconds without a row are no credit";
}

TEST_F(StoreThrottleTest, TakesWhatWasNeededBesides) {
  throttle_.SetLimits({.rows_per_second = 100}, now_);
  const auto taken = throttle_.Reserve({.rows = 0, .bytes = 0}, now_);
  EXPECT_EQ(Wait(), absl::ZeroDuration());
  throttle_.Settle(taken, {.rows = 300, .bytes = 0}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(3));
}

TEST_F(StoreThrottleTest, ALimitThatChangesHoldsAtOnceForWhatIsOwed) {
  throttle_.SetLimits({.rows_per_second = 100}, now_);
  throttle_.Reserve({.rows = 1000, .bytes = 0}, now_);
  now_ += absl::Seconds(5);
  throttle_.SetLimits({.rows_per_second = 500}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(1));
  throttle_.SetLimits({.rows_per_second = 10}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(50));
  throttle_.SetLimits({}, now_);
  EXPECT_EQ(Wait(), absl::ZeroDuration());
}

TEST_F(StoreThrottleTest, WhatBeganBeforeThereWasALimitIsNeitherGivenBackNorTaken) {
  const auto taken = throttle_.Reserve({.rows = 1000, .bytes = 0}, now_);
  throttle_.SetLimits({.rows_per_second = 100}, now_);
  throttle_.Reserve({.rows = 400, .bytes = 0}, now_);
  throttle_.Settle(taken, {.rows = 0, .bytes = 0}, now_);
  EXPECT_EQ(Wait(), absl::Seconds(4));
}

TEST_F(StoreThrottleTest, AClockThatIsSetBackMakesNobodyWaitLonger) {
  throttle_.SetLimits({.rows_per_second = 100}, now_);
  throttle_.Reserve({.rows = 1000, .bytes = 0}, now_);
  now_ -= absl::Hours(1);
  EXPECT_EQ(Wait(), absl::Seconds(10));
  throttle_.Reserve({.rows = 0, .bytes = 0}, now_);
  now_ += absl::Seconds(4);
  EXPECT_EQ(Wait(), absl::Seconds(6));
}

// --- Any load, in simulated time ---

struct Begun {
  absl::Time time;
  Size reserved;
  Size actual;
};

// Begins restores as soon as they may, or a little later. Each ends after a while; many overlap.
class Simulation {
 public:
  Simulation(const Limits& limits, bool give_back) : give_back_(give_back) {
    throttle_.SetLimits(limits, kNoon);
  }

  std::vector<Begun> Run(int restores) {
    for (int i = 0; i < restores; ++i) {
      AwaitNextStart();
      now_ += absl::Milliseconds(*rc::gen::inRange(0, 100));
      const Size size = AnySize();
      const Size actual = give_back_ ? Size{size.rows / 3, size.bytes / 5} : size;
      const auto taken = throttle_.Reserve(size, now_);
      begun_.push_back({.time = now_, .reserved = size, .actual = actual});
      running_.push_back({.end = now_ + absl::Milliseconds(*rc::gen::inRange(1, 20'000)),
                          .taken = taken,
                          .actual = actual});
    }
    return begun_;
  }

 private:
  struct Running {
    absl::Time end;
    StoreThrottle::Reservation taken;
    Size actual;
  };

  static Size AnySize() {
    const int64_t rows = *rc::gen::inRange<int64_t>(0, 50'000);
    return {.rows = rows, .bytes = rows * *rc::gen::inRange<int64_t>(0, 500)};
  }

  // Lets restores end in their time until the next one may begin.
  void AwaitNextStart() {
    while (true) {
      const absl::Time next = throttle_.NextStart(now_, {}).time;
      const auto first =
          std::min_element(running_.begin(), running_.end(),
                           [](const Running& a, const Running& b) { return a.end < b.end; });
      if (first == running_.end() || first->end > next) {
        now_ = next;
        return;
      }
      now_ = std::max(now_, first->end);
      throttle_.Settle(first->taken, first->actual, now_);
      running_.erase(first);
    }
  }

  const bool give_back_;
  absl::Time now_ = kNoon;
  StoreThrottle throttle_;
  std::vector<Begun> begun_;
  std::vector<Running> running_;
};

Limits AnyLimits() {
  return {.rows_per_second = *rc::gen::inRange<int64_t>(1, 5000),
          .bytes_per_second = *rc::gen::inRange<int64_t>(1, 500'000)};
}

// What a budget allows in `time`; with one to spare for rounding.
int64_t Allowed(int64_t per_second, absl::Duration time) {
  return static_cast<int64_t>(absl::ToDoubleSeconds(time) * static_cast<double>(per_second)) + 1;
}

RC_GTEST_PROP(StoreThrottleProperty, NoMinuteTakesMoreThanTheLimitAndOneRestore, ()) {
  const Limits limits = AnyLimits();
  const std::vector<Begun> begun = Simulation(limits, /*give_back=*/false).Run(100);
  for (size_t first = 0; first < begun.size(); ++first) {
    int64_t rows = 0;
    int64_t bytes = 0;
    // All but the last one that begins within the minute.
    for (size_t i = first;
         i + 1 < begun.size() && begun[i + 1].time < begun[first].time + absl::Minutes(1); ++i) {
      rows += begun[i].reserved.rows;
      bytes += begun[i].reserved.bytes;
    }
    RC_ASSERT(rows <= Allowed(limits.rows_per_second, absl::Minutes(1)));
    RC_ASSERT(bytes <= Allowed(limits.bytes_per_second, absl::Minutes(1)));
  }
}

RC_GTEST_PROP(StoreThrottleProperty, WhatIsGivenBackNeverLetsMoreBeWrittenThanTheLimit, ()) {
  const Limits limits = AnyLimits();
  const std::vector<Begun> begun = Simulation(limits, /*give_back=*/true).Run(100);
  int64_t rows = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i + 1 < begun.size(); ++i) {
    rows += begun[i].actual.rows;
    bytes += begun[i].actual.bytes;
    const absl::Duration so_far = begun[i + 1].time - begun[0].time;
    RC_ASSERT(rows <= Allowed(limits.rows_per_second, so_far));
    RC_ASSERT(bytes <= Allowed(limits.bytes_per_second, so_far));
  }
}

RC_GTEST_PROP(StoreThrottleProperty, TheLimitIsUsedUpAsLongAsRestoresWait, ()) {
  const Limits limits{.rows_per_second = *rc::gen::inRange<int64_t>(1, 5000),
                      .bytes_per_second = 0};
  StoreThrottle throttle;
  throttle.SetLimits(limits, kNoon);
  absl::Time now = kNoon;
  int64_t rows = 0;
  for (int i = 0; i < 100; ++i) {
    now = throttle.NextStart(now, {}).time;
    const int64_t size = *rc::gen::inRange<int64_t>(1, 50'000);
    throttle.Reserve({.rows = size, .bytes = size}, now);
    rows += size;
  }
  RC_ASSERT(rows + 1 >=
            Allowed(limits.rows_per_second, throttle.NextStart(now, {}).time - kNoon) - 1);
}

}  // namespace
}  // namespace reinstate
