#include "server/jobs/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <ostream>
#include <queue>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

namespace reinstate {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'775'000'000);
constexpr absl::Duration kAging = absl::Minutes(10);

std::string Id(int number) { return absl::StrFormat("rst-%06d", number); }

Scheduler::Job Job(int number, int64_t size, const std::string& tenant = "") {
  return {.id = Id(number),
          .store = "main",
          .tenant = tenant.empty() ? "tenant-" + std::to_string(number) : tenant,
          .size_bytes = size,
          .queued = kNoon};
}

std::string Take(Scheduler* scheduler, absl::Time now = kNoon) {
  const auto job = scheduler->Take(now);
  return job.has_value() ? job->id : "none";
}

TEST(Scheduler, TakesTheShortestFirst) {
  Scheduler scheduler(kAging);
  scheduler.SetLimit("main", 1);
  for (const auto& [number, size] : std::map<int, int64_t>{{1, 30}, {2, 10}, {3, 20}}) {
    scheduler.Add(Job(number, size));
  }
  for (const int expected : {2, 3, 1}) {
    EXPECT_EQ(Take(&scheduler), Id(expected));
    EXPECT_EQ(Take(&scheduler), "none");
    scheduler.Finish(Id(expected));
  }
}

TEST(Scheduler, TakesTheHighestPriorityBeforeTheShortest) {
  Scheduler scheduler(kAging);
  scheduler.Add(Job(1, 10));
  Scheduler::Job urgent = Job(2, 1000);
  urgent.priority = 1;
  scheduler.Add(urgent);
  EXPECT_EQ(Take(&scheduler), Id(2));
}

TEST(Scheduler, BeginsTheLargestOnceItWouldEndAfterAllOthers) {
  Scheduler scheduler(kAging);
  scheduler.SetLimit("main", 4);
  for (int i = 1; i <= 12; ++i) {
    scheduler.Add(Job(i, i * 10));
  }
  for (int i = 1; i <= 8; ++i) {
    EXPECT_EQ(Take(&scheduler), Id(i));
    if (i >= 4) {
      scheduler.Finish(Id(i - 3));
    }
  }
  EXPECT_EQ(Take(&scheduler), Id(12));  // 120 of 420 that wait, for four
  scheduler.Finish(Id(6));
  EXPECT_EQ(Take(&scheduler), Id(11));
}

TEST(Scheduler, BeginsAnotherLargeOneInTimeIfItWouldEndAfterAllOthers) {
  Scheduler scheduler(kAging);
  for (const auto& [number, size] : std::map<int, int64_t>{{1, 5}, {2, 10}, {3, 50}, {4, 60}}) {
    scheduler.Add(Job(number, size));
  }
  EXPECT_EQ(Take(&scheduler), Id(1));
  EXPECT_EQ(Take(&scheduler), Id(4));
  EXPECT_EQ(Take(&scheduler), Id(3));
  EXPECT_EQ(Take(&scheduler), Id(2));
}

TEST(Scheduler, RunsNoMoreOfAStoreThanItsLimit) {
  Scheduler scheduler(kAging);
  scheduler.SetLimit("main", 2);
  for (int i = 1; i <= 3; ++i) {
    scheduler.Add(Job(i, 10));
  }
  Scheduler::Job other = Job(4, 10);
  other.store = "other";
  scheduler.Add(other);
  EXPECT_NE(Take(&scheduler), "none");
  EXPECT_NE(Take(&scheduler), "none");
  EXPECT_NE(Take(&scheduler), "none");
  EXPECT_EQ(Take(&scheduler), "none");
  EXPECT_EQ(scheduler.running(), 3U);
}

TEST(Scheduler, RunsOneJobOfATenantAtATimeInTheirOrder) {
  Scheduler scheduler(kAging);
  scheduler.Add(Job(2, 1, "acme"));
  scheduler.Add(Job(1, 100, "acme"));
  EXPECT_EQ(Take(&scheduler), Id(1));
  EXPECT_EQ(Take(&scheduler), "none");
  scheduler.Finish(Id(1));
  EXPECT_EQ(Take(&scheduler), Id(2));
}

TEST(Scheduler, RunsAJobAgainThatIsAddedWhileItRunsOnceItHasEnded) {
  Scheduler scheduler(kAging);
  scheduler.Add(Job(1, 10));
  EXPECT_EQ(Take(&scheduler), Id(1));
  scheduler.Add(Job(1, 10));
  EXPECT_EQ(Take(&scheduler), "none");
  scheduler.Finish(Id(1));
  EXPECT_EQ(Take(&scheduler), Id(1));
  scheduler.Finish(Id(1));
  EXPECT_EQ(Take(&scheduler), "none");
}

TEST(Scheduler, KeepsTenantsOfTheSameNameInDifferentStoresApart) {
  Scheduler scheduler(kAging);
  Scheduler::Job other = Job(2, 1, "acme");
  other.store = "other";
  scheduler.Add(Job(1, 1, "acme"));
  scheduler.Add(other);
  EXPECT_EQ(Take(&scheduler), Id(1));
  EXPECT_EQ(Take(&scheduler), Id(2));
}

TEST(Scheduler, LeavesABlockedTenantInTheQueue) {
  Scheduler scheduler(kAging);
  scheduler.Add(Job(1, 1, "acme"));
  scheduler.Block("main", "acme");
  EXPECT_EQ(Take(&scheduler), "none");
  scheduler.Unblock("main", "acme");
  EXPECT_EQ(Take(&scheduler), Id(1));
}

TEST(Scheduler, KeepsAHeldJobBackUntilItIsReleased) {
  Scheduler scheduler(kAging);
  scheduler.Hold(Id(1));  // before it is queued
  scheduler.Add(Job(1, 1));
  scheduler.Add(Job(2, 100));
  scheduler.Hold(Id(3));
  scheduler.Add(Job(3, 1));
  EXPECT_TRUE(scheduler.IsHeld(Id(1)));
  EXPECT_EQ(Take(&scheduler), Id(2));
  EXPECT_EQ(Take(&scheduler), "none");
  EXPECT_TRUE(scheduler.Remove(Id(3)));
  scheduler.Release(Id(1));
  scheduler.Release(Id(1));
  EXPECT_EQ(Take(&scheduler), Id(1));
}

TEST(Scheduler, AHeldJobDoesNotStandInTheWayOfALaterOneOfItsTenant) {
  Scheduler scheduler(kAging);
  scheduler.Add(Job(1, 1, "acme"));
  scheduler.Add(Job(2, 1, "acme"));
  scheduler.Hold(Id(1));
  EXPECT_EQ(Take(&scheduler), Id(2));
}

TEST(Scheduler, GivesAQueuedJobAnotherPriority) {
  Scheduler scheduler(kAging);
  scheduler.SetLimit("main", 1);
  for (int i = 1; i <= 3; ++i) {
    scheduler.Add(Job(i, i));
  }
  EXPECT_TRUE(scheduler.SetPriority(Id(3), 1));
  EXPECT_TRUE(scheduler.SetPriority(Id(1), -1));
  EXPECT_EQ(scheduler.BytesUpTo(Id(3), kNoon), 3);
  EXPECT_EQ(Take(&scheduler), Id(3));
  EXPECT_FALSE(scheduler.SetPriority(Id(3), 5));  // it runs
  EXPECT_FALSE(scheduler.SetPriority(Id(9), 5));
  scheduler.Finish(Id(3));
  EXPECT_EQ(Take(&scheduler), Id(2));
}

TEST(Scheduler, LetsAJobWaitForItsTimeAndSaysWhenThatIs) {
  Scheduler scheduler(kAging);
  Scheduler::Job later = Job(1, 1);
  later.not_before = kNoon + absl::Seconds(5);
  scheduler.Add(later);
  EXPECT_EQ(Take(&scheduler), "none");
  EXPECT_EQ(scheduler.NextStart(kNoon), kNoon + absl::Seconds(5));
  EXPECT_EQ(Take(&scheduler, kNoon + absl::Seconds(5)), Id(1));
  EXPECT_EQ(scheduler.NextStart(kNoon), std::nullopt);
}

TEST(Scheduler, HoldsBackAStoreUntilItsTimeWhileOthersGoOn) {
  Scheduler scheduler(kAging);
  scheduler.Add(Job(1, 1));
  Scheduler::Job other = Job(2, 100);
  other.store = "wiki";
  scheduler.Add(other);
  scheduler.HoldStore("main", kNoon + absl::Seconds(5));
  EXPECT_EQ(Take(&scheduler), Id(2));
  EXPECT_EQ(Take(&scheduler), "none");
  EXPECT_EQ(scheduler.NextStart(kNoon), kNoon + absl::Seconds(5));
  EXPECT_EQ(Take(&scheduler, kNoon + absl::Seconds(5)), Id(1));
}

TEST(Scheduler, AHeldStoreMayBeLetGoEarlierThanWasSaid) {
  Scheduler scheduler(kAging);
  scheduler.Add(Job(1, 1));
  scheduler.HoldStore("main", absl::InfiniteFuture());
  EXPECT_EQ(Take(&scheduler, kNoon + absl::Hours(24)), "none");
  EXPECT_EQ(scheduler.NextStart(kNoon), std::nullopt) << "no time is known";
  scheduler.HoldStore("main", absl::InfinitePast());
  EXPECT_EQ(Take(&scheduler), Id(1));
}

TEST(Scheduler, AJobWaitsForItsOwnTimeAndForThatOfItsStore) {
  Scheduler scheduler(kAging);
  Scheduler::Job later = Job(1, 1);
  later.not_before = kNoon + absl::Seconds(5);
  scheduler.Add(later);
  scheduler.HoldStore("main", kNoon + absl::Seconds(2));
  EXPECT_EQ(scheduler.NextStart(kNoon), kNoon + absl::Seconds(5));
  scheduler.HoldStore("main", kNoon + absl::Seconds(9));
  EXPECT_EQ(scheduler.NextStart(kNoon), kNoon + absl::Seconds(9));
  EXPECT_EQ(Take(&scheduler, kNoon + absl::Seconds(8)), "none");
  EXPECT_EQ(Take(&scheduler, kNoon + absl::Seconds(9)), Id(1));
}

TEST(Scheduler, TakesAJobOutOfTheQueueButNotWhenItRuns) {
  Scheduler scheduler(kAging);
  scheduler.Add(Job(1, 1));
  scheduler.Add(Job(2, 2));
  EXPECT_TRUE(scheduler.Remove(Id(2)));
  EXPECT_FALSE(scheduler.Remove(Id(2)));
  EXPECT_EQ(Take(&scheduler), Id(1));
  EXPECT_FALSE(scheduler.Remove(Id(1)));
}

TEST(Scheduler, GivesOneStepOfPriorityForEachAgingWaited) {
  Scheduler scheduler(kAging);
  scheduler.SetLimit("main", 1);
  scheduler.Add(Job(1, 1000));
  Scheduler::Job fresh = Job(2, 1);
  fresh.queued = kNoon + kAging;
  scheduler.Add(fresh);
  EXPECT_EQ(Take(&scheduler, kNoon + kAging), Id(1));
}

TEST(Scheduler, TakesNoPriorityAwayWhenTheClockStepsBack) {
  Scheduler scheduler(kAging);
  Scheduler::Job urgent = Job(1, 1);
  urgent.queued = kNoon + absl::Hours(24);
  urgent.priority = 1;
  scheduler.Add(Job(2, 1));
  scheduler.Add(urgent);
  EXPECT_EQ(Take(&scheduler), Id(1));
}

TEST(Scheduler, CountsTheJobsOfEachStore) {
  Scheduler scheduler(kAging);
  EXPECT_TRUE(scheduler.Depths().empty());
  for (int number = 1; number <= 3; ++number) {
    scheduler.Add(Job(number, 10));
  }
  Scheduler::Job other = Job(4, 20);
  other.store = "wiki";
  scheduler.Add(other);
  EXPECT_EQ(Take(&scheduler), Id(1));
  scheduler.Block("wiki", "tenant-9");
  const auto depths = scheduler.Depths();
  ASSERT_EQ(depths.size(), 2U);
  EXPECT_EQ(depths.at("main").queued, 2);
  EXPECT_EQ(depths.at("main").running, 1);
  EXPECT_EQ(depths.at("main").blocked_tenants, 0);
  EXPECT_EQ(depths.at("wiki").queued, 1);
  EXPECT_EQ(depths.at("wiki").running, 0);
  EXPECT_EQ(depths.at("wiki").blocked_tenants, 1);
}

TEST(Scheduler, CountsTheBytesThatComeBeforeAJob) {
  Scheduler scheduler(kAging);
  for (int i = 1; i <= 4; ++i) {
    scheduler.Add(Job(i, i * 10));
  }
  EXPECT_EQ(scheduler.BytesUpTo(Id(3), kNoon), 10 + 20 + 30);
  EXPECT_EQ(scheduler.BytesUpTo(Id(9), kNoon), 0);
}

// --- Fairness, with simulated time ---

struct Arrival {
  absl::Duration at;
  int64_t size;  // seconds of work
};

struct Outcome {
  std::vector<absl::Duration> waited;  // from arrival to end, in the order of arrivals
  absl::Duration makespan;

  absl::Duration Mean() const {
    absl::Duration sum;
    for (const absl::Duration one : waited) {
      sum += one;
    }
    return sum / static_cast<int64_t>(waited.size());
  }
};

// Works `arrivals` (ascending) off with `lanes` workers. `take` decides as Scheduler does.
class Simulation {
 public:
  Simulation(std::vector<Arrival> arrivals, int lanes, absl::Duration aging)
      : arrivals_(std::move(arrivals)), lanes_(lanes), scheduler_(aging) {
    outcome_.waited.resize(arrivals_.size());
  }

  // Makes all sizes look alike to the scheduler, which then goes by the order of arrival.
  Simulation& FirstComeFirstServed() {
    sizes_matter_ = false;
    return *this;
  }

  Outcome Run() {
    while (next_ < arrivals_.size() || scheduler_.queued() + scheduler_.running() > 0) {
      const absl::Duration arrival =
          next_ < arrivals_.size() ? arrivals_[next_].at : absl::InfiniteDuration();
      const absl::Duration end = running_.empty() ? absl::InfiniteDuration() : running_.top().first;
      now_ = std::min(arrival, end);
      arrival <= end ? Arrive() : End();
      if (next_ < arrivals_.size() && arrivals_[next_].at == now_) {
        continue;  // a list is queued as a whole
      }
      while (scheduler_.running() < static_cast<size_t>(lanes_) && Begin()) {
      }
    }
    outcome_.makespan = now_;
    return outcome_;
  }

 private:
  using Ending = std::pair<absl::Duration, int>;

  void Arrive() {
    const int number = static_cast<int>(next_++);
    Scheduler::Job job = Job(number, sizes_matter_ ? arrivals_[next_ - 1].size : 1);
    job.queued = kNoon + now_;
    scheduler_.Add(job);
  }

  void End() {
    const int number = running_.top().second;
    running_.pop();
    scheduler_.Finish(Id(number));
    outcome_.waited[static_cast<size_t>(number)] = now_ - arrivals_[static_cast<size_t>(number)].at;
  }

  bool Begin() {
    const auto job = scheduler_.Take(kNoon + now_);
    if (!job.has_value()) {
      return false;
    }
    const int number = std::stoi(job->id.substr(4));
    running_.emplace(now_ + absl::Seconds(arrivals_[static_cast<size_t>(number)].size), number);
    return true;
  }

  const std::vector<Arrival> arrivals_;
  const int lanes_;
  bool sizes_matter_ = true;
  Scheduler scheduler_;
  size_t next_ = 0;
  absl::Duration now_;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> running_;
  Outcome outcome_;
};

// 200 customers with a long tail of sizes, all lost at once.
std::vector<Arrival> Incident() {
  std::vector<Arrival> arrivals;
  for (int64_t i = 1; i <= 200; ++i) {
    arrivals.push_back({absl::ZeroDuration(), std::max<int64_t>(1, 2000 / i)});
  }
  std::shuffle(arrivals.begin(), arrivals.end(), std::mt19937(7));
  return arrivals;
}

TEST(SchedulerFairness, BringsMostCustomersBackSoonerThanInOrderOfArrival) {
  const absl::Duration ours = Simulation(Incident(), 4, absl::InfiniteDuration()).Run().Mean();
  const absl::Duration first_come =
      Simulation(Incident(), 4, absl::InfiniteDuration()).FirstComeFirstServed().Run().Mean();
  EXPECT_LT(ours, first_come * 0.6);
}

TEST(SchedulerFairness, KeepsTheTailShort) {
  const Outcome outcome = Simulation(Incident(), 4, absl::InfiniteDuration()).Run();
  absl::Duration work;
  for (const Arrival& arrival : Incident()) {
    work += absl::Seconds(arrival.size);
  }
  // Nothing can be faster than the largest alone or all lanes at work. The shortest first alone
  // would begin the largest last.
  const absl::Duration least = std::max(absl::Seconds(2000), work / 4);
  EXPECT_LT(outcome.makespan, least * 1.2);
}

// 883 sites that are lost at once; the list names them in no order.
std::vector<Arrival> Sites(uint32_t seed, const std::function<double(std::mt19937*)>& size) {
  std::mt19937 random(seed);
  std::vector<Arrival> sites;
  for (int i = 0; i < 883; ++i) {
    sites.push_back({absl::ZeroDuration(), std::max<int64_t>(1, std::llround(size(&random)))});
  }
  return sites;
}

double Rank(std::mt19937* random) { return std::uniform_real_distribution<double>(0, 1)(*random); }

struct Tail {
  const char* name;
  std::function<double(std::mt19937*)> size;  // seconds
  // The mean completion at most so many times that of list order. Nothing is sooner than the
  // shortest first, so that it is the tail that decides how low this can be.
  double mean;
};

void PrintTo(const Tail& tail, std::ostream* out) { *out << tail.name; }

const std::vector<Tail>& Tails() {
  static const std::vector<Tail>* const tails = new std::vector<Tail>{
      {"1/x", [](std::mt19937* random) { return 100 / (1 - 0.999 * Rank(random)); }, 0.45},
      {"1/x^1.5",
       [](std::mt19937* random) { return 100 / std::pow(1 - 0.9999 * Rank(random), 1 / 1.5); },
       0.65},
      {"lognormal, 1",
       [](std::mt19937* random) {
         return 100 * std::lognormal_distribution<double>(0, 1)(*random);
       },
       0.55},
      {"lognormal, 2",
       [](std::mt19937* random) {
         return 100 * std::lognormal_distribution<double>(0, 2)(*random);
       },
       0.35},
      {"replay",  // the rows as there, and for each site besides as much as for its first 490
       [](std::mt19937* random) {
         return 250 + 152 * std::lognormal_distribution<double>(0, 2)(*random);
       },
       0.45},
      {"exponential",
       [](std::mt19937* random) { return 100 * std::exponential_distribution<double>(1)(*random); },
       0.6},
      {"all alike", [](std::mt19937*) { return 100; }, 1.01}};
  return *tails;
}

// The mean if they are worked off in this order.
absl::Duration MeanInOrder(const std::vector<Arrival>& sites, int lanes) {
  std::priority_queue<absl::Duration, std::vector<absl::Duration>, std::greater<>> free;
  for (int i = 0; i < lanes; ++i) {
    free.push(absl::ZeroDuration());
  }
  absl::Duration sum;
  for (const Arrival& site : sites) {
    const absl::Duration end = free.top() + absl::Seconds(site.size);
    free.pop();
    free.push(end);
    sum += end;
  }
  return sum / static_cast<int64_t>(sites.size());
}

// The mean if the shortest came first, which is the least that is possible.
absl::Duration LeastMean(std::vector<Arrival> sites, int lanes) {
  std::sort(sites.begin(), sites.end(),
            [](const Arrival& a, const Arrival& b) { return a.size < b.size; });
  return MeanInOrder(sites, lanes);
}

absl::Duration LeastMakespan(const std::vector<Arrival>& sites, int lanes) {
  absl::Duration work;
  absl::Duration longest;
  for (const Arrival& site : sites) {
    work += absl::Seconds(site.size);
    longest = std::max(longest, absl::Seconds(site.size));
  }
  return std::max(work / lanes, longest);
}

class SchedulerOrder : public testing::TestWithParam<std::tuple<Tail, uint32_t>> {};

TEST_P(SchedulerOrder, BringsTheSitesOfAListBackSoonAndTheLastNotMuchLaterThanIsPossible) {
  const auto& [tail, seed] = GetParam();
  const std::vector<Arrival> sites = Sites(seed, tail.size);
  for (const int lanes : {2, 4, 8}) {
    SCOPED_TRACE(absl::StrFormat("%s, seed %d, lanes %d", tail.name, seed, lanes));
    const Outcome ours = Simulation(sites, lanes, absl::InfiniteDuration()).Run();
    EXPECT_LE(ours.Mean(), MeanInOrder(sites, lanes) * tail.mean);
    EXPECT_LE(ours.Mean(), LeastMean(sites, lanes) * 1.4);
    EXPECT_LE(ours.makespan, LeastMakespan(sites, lanes) * 1.1);
  }
}

INSTANTIATE_TEST_SUITE_P(OfTails, SchedulerOrder,
                         testing::Combine(testing::ValuesIn(Tails()), testing::Values(1U, 2U)),
                         [](const auto& tested) {
                           std::string name =
                               absl::StrFormat("%s_seed_%d", std::get<0>(tested.param).name,
                                               std::get<1>(tested.param));
                           absl::c_replace_if(
                               name, [](char c) { return !absl::ascii_isalnum(c); }, '_');
                           return name;
                         });

TEST(SchedulerFairness, LetsNobodyWaitForEverWhileShortOnesKeepComing) {
  std::vector<Arrival> arrivals = {{absl::ZeroDuration(), 2}, {absl::ZeroDuration(), 300}};
  // More short ones than one lane can do.
  for (int i = 0; i < 1500; ++i) {
    arrivals.push_back({absl::Seconds(i), 1});
  }
  const Outcome aging = Simulation(arrivals, 1, kAging).Run();
  EXPECT_LT(aging.waited[1], kAging + absl::Seconds(400));
  // The control arm: without aging it waits until there are no short ones left.
  const Outcome none = Simulation(arrivals, 1, absl::InfiniteDuration()).Run();
  EXPECT_GT(none.waited[1], absl::Seconds(1500));
}

}  // namespace
}  // namespace reinstate
