#include "server/jobs/store_governor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "storage/live/memory/memory_store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/wrapped_store.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// Adds up what it is told, by reason.
class HeldTimes final : public JobObserver {
 public:
  void RestoreEnded(const state::RestoreRecord& /*restore*/) override {}
  void HistoryJobEnded(const state::HistoryJob& /*job*/) override {}
  void RestoresHeldBack(const std::string& store, const std::string& reason,
                        absl::Duration time) override {
    MutexLock lock(&mu_);
    held_[store + " " + reason] += time;
  }

  std::map<std::string, absl::Duration> all() const {
    MutexLock lock(&mu_);
    return held_;
  }

 private:
  mutable Mutex mu_;
  std::map<std::string, absl::Duration> held_ ABSL_GUARDED_BY(mu_);
};

// A governor of "main" and "wiki", which are as healthy as the test says.
class StoreGovernorTest : public testing::Test {
 protected:
  StoreGovernorTest() { Make(absl::Hours(1)); }

  void Make(absl::Duration probe_every) {
    governor_ = std::make_unique<StoreGovernor>(
        StoreGovernorOptions{.probe_every = probe_every, .clock = &clock_, .observer = &held_},
        StoreGovernor::Queue{.jobs =
                                 [this](const std::string& store) {
                                   MutexLock lock(&mu_);
                                   return jobs_[store];
                                 },
                             .ask_again =
                                 [this](const std::string& store) {
                                   MutexLock lock(&mu_);
                                   ++asked_[store];
                                 }});
    governor_->AddStore("main", &main_);
    governor_->AddStore("wiki", &wiki_);
  }

  void SetJobs(const std::string& store, int64_t queued, int64_t running) {
    MutexLock lock(&mu_);
    jobs_[store] = {.queued = queued, .running = running};
  }

  int Asked(const std::string& store) {
    MutexLock lock(&mu_);
    return asked_[store];
  }

  void Suffers(const std::string& pressure) {
    main_hooks_.health = [pressure] {
      return StoreHealth{.writable = true, .pressure = pressure, .detail = "It hurts."};
    };
  }
  void IsWell() {
    main_hooks_.health = [] { return StoreHealth(); };
  }

  static Scheduler::Job Job(const std::string& id, int64_t rows, int64_t bytes) {
    return {.id = id,
            .store = "main",
            .tenant = id,
            .size_rows = rows,
            .size_bytes = bytes,
            .queued = absl::UnixEpoch()};
  }

  bool MayBegin(const std::string& store) { return governor_->HeldUntil(store) <= clock_.Now(); }

  ManualClock clock_;
  MemoryStore memory_{MemoryStoreOptions{.id = "memory"}};
  StoreHooks main_hooks_;
  StoreHooks wiki_hooks_;
  WrappedStore main_{&memory_, &main_hooks_};
  WrappedStore wiki_{&memory_, &wiki_hooks_};
  HeldTimes held_;
  Mutex mu_;
  std::map<std::string, StoreGovernor::Jobs> jobs_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> asked_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<StoreGovernor> governor_;
};

TEST_F(StoreGovernorTest, HoldsNothingBackAtFirst) {
  EXPECT_TRUE(MayBegin("main"));
  EXPECT_FALSE(governor_->HoldingBack("main").has_value());
}

TEST_F(StoreGovernorTest, HoldsBackByWhatTheLastRestoreTookAndSaysSo) {
  governor_->SetLimits("main", {.rows_per_second = 100, .bytes_per_second = 0});
  governor_->Begin(Job("rst-1", 1000, 1));
  EXPECT_EQ(governor_->HeldUntil("main"), clock_.Now() + absl::Seconds(10));
  const auto hold = governor_->HoldingBack("main");
  ASSERT_TRUE(hold.has_value());
  EXPECT_EQ(hold->reason, "rows_per_second");
  EXPECT_THAT(hold->sentence, HasSubstr("100 rows a second"));
  EXPECT_THAT(hold->sentence, HasSubstr("in 10 s"));
  EXPECT_TRUE(MayBegin("wiki"));
  clock_.Advance(absl::Seconds(10));
  EXPECT_TRUE(MayBegin("main"));
  EXPECT_FALSE(governor_->HoldingBack("main").has_value());
}

TEST_F(StoreGovernorTest, GivesBackAtTheEndWhatWasNotWrittenAndHasTheQueueAskAgain) {
  governor_->SetLimits("main", {.rows_per_second = 100, .bytes_per_second = 0});
  governor_->Begin(Job("rst-1", 1000, 1));
  const int before = Asked("main");
  governor_->Settle("rst-1", {.rows = 300, .bytes = 1});
  EXPECT_EQ(governor_->HeldUntil("main"), clock_.Now() + absl::Seconds(3));
  EXPECT_EQ(Asked("main"), before + 1);
  governor_->Settle("rst-1", {.rows = 0, .bytes = 0});
  EXPECT_EQ(governor_->HeldUntil("main"), clock_.Now() + absl::Seconds(3)) << "once";
}

TEST_F(StoreGovernorTest, AChangedLimitHoldsAtOnce) {
  governor_->SetLimits("main", {.rows_per_second = 100, .bytes_per_second = 0});
  governor_->Begin(Job("rst-1", 1000, 1));
  const int before = Asked("main");
  governor_->SetLimits("main", {.rows_per_second = 1000, .bytes_per_second = 0});
  EXPECT_EQ(governor_->HeldUntil("main"), clock_.Now() + absl::Seconds(1));
  EXPECT_EQ(Asked("main"), before + 1);
  governor_->SetLimits("main", {});
  EXPECT_TRUE(MayBegin("main"));
}

TEST_F(StoreGovernorTest, HoldsAStoreUnderPressureBackUntilTwoProbesInARowAreGood) {
  SetJobs("main", 1, 1);
  Suffers("wal_growth");
  governor_->Look("main");
  EXPECT_EQ(governor_->HeldUntil("main"), absl::InfiniteFuture());
  const auto hold = governor_->HoldingBack("main");
  ASSERT_TRUE(hold.has_value());
  EXPECT_EQ(hold->reason, "wal_growth");
  EXPECT_EQ(hold->sentence, "It hurts.");
  EXPECT_TRUE(MayBegin("wiki"));

  IsWell();
  governor_->Look("main");
  EXPECT_FALSE(MayBegin("main")) << "once is not enough";
  Suffers("commit_latency");
  governor_->Look("main");
  EXPECT_EQ(governor_->HoldingBack("main")->reason, "commit_latency");
  IsWell();
  governor_->Look("main");
  EXPECT_FALSE(MayBegin("main")) << "it counts anew";
  governor_->Look("main");
  EXPECT_TRUE(MayBegin("main"));
  EXPECT_EQ(Asked("main"), 5) << "the queue asks after each look";
}

TEST_F(StoreGovernorTest, AStoreThatOnlyTakesNoWritesIsNotHeldBack) {
  SetJobs("main", 1, 0);
  main_hooks_.health = [] {
    return StoreHealth{.writable = false, .pressure = "", .detail = "It is a standby."};
  };
  governor_->Look("main");
  EXPECT_TRUE(MayBegin("main")) << "a restore is to fail with what is wrong";
}

TEST_F(StoreGovernorTest, AsksOnlyStoresThatHaveJobsAndForgetsWhatItSawBefore) {
  int probes = 0;
  main_hooks_.health = [&probes] {
    ++probes;
    return StoreHealth{.writable = true, .pressure = "wal_growth", .detail = ""};
  };
  governor_->Look("main");
  EXPECT_EQ(probes, 0);
  SetJobs("main", 0, 1);
  governor_->Look("main");
  EXPECT_EQ(probes, 1);
  EXPECT_FALSE(MayBegin("main"));
  EXPECT_THAT(governor_->HoldingBack("main")->sentence, HasSubstr("wal_growth"));
  SetJobs("main", 0, 0);
  governor_->Look("main");
  EXPECT_EQ(probes, 1);
  EXPECT_TRUE(MayBegin("main"));
}

TEST_F(StoreGovernorTest, TellsHowLongRestoresWaitedAndForWhat) {
  governor_->SetLimits("main", {.rows_per_second = 100, .bytes_per_second = 1000});
  SetJobs("main", 5, 1);
  governor_->Begin(Job("rst-1", 200, 1));  // 2 s
  clock_.Advance(absl::Seconds(5));
  governor_->Begin(Job("rst-2", 100, 3000));  // 3 s, by the bytes
  clock_.Advance(absl::Seconds(1));
  IsWell();
  governor_->Look("main");
  EXPECT_THAT(held_.all(), ElementsAre(Pair("main bytes_per_second", absl::Seconds(1)),
                                       Pair("main rows_per_second", absl::Seconds(2))));
  Suffers("slot_headroom");
  governor_->Look("main");
  clock_.Advance(absl::Seconds(7));
  governor_->Look("main");
  EXPECT_EQ(held_.all().at("main slot_headroom"), absl::Seconds(7));
  EXPECT_EQ(held_.all().at("main bytes_per_second"), absl::Seconds(1)) << "one reason at a time";
}

TEST_F(StoreGovernorTest, CountsNoWaitingWhileNothingIsQueued) {
  governor_->SetLimits("main", {.rows_per_second = 1, .bytes_per_second = 0});
  SetJobs("main", 0, 1);
  governor_->Begin(Job("rst-1", 200, 1));
  clock_.Advance(absl::Seconds(50));
  IsWell();
  governor_->Look("main");
  SetJobs("main", 1, 1);
  clock_.Advance(absl::Seconds(4));
  governor_->Look("main");
  EXPECT_THAT(held_.all(), ElementsAre(Pair("main rows_per_second", absl::Seconds(4))));
}

TEST_F(StoreGovernorTest, AStoreThatDoesNotAnswerHoldsUpNeitherCallersNorOtherStores) {
  Make(absl::Milliseconds(1));
  SetJobs("main", 1, 0);
  SetJobs("wiki", 1, 0);
  Mutex mu;
  CondVar changed;
  bool asked = false;
  bool released = false;
  main_hooks_.health = [&] {
    MutexLock lock(&mu);
    asked = true;
    changed.SignalAll();
    while (!released) {
      changed.Wait(&mu);
    }
    return StoreHealth();
  };
  wiki_hooks_.health = [] {
    return StoreHealth{.writable = true, .pressure = "write_stall", .detail = "It is slow."};
  };
  governor_->Start();
  {
    MutexLock lock(&mu);
    while (!asked) {
      changed.Wait(&mu);
    }
  }
  const int before = Asked("wiki");
  while (Asked("wiki") < before + 3) {
    std::this_thread::yield();
  }
  EXPECT_EQ(governor_->HoldingBack("wiki")->reason, "write_stall");
  EXPECT_TRUE(MayBegin("main"));
  governor_->Begin(Job("rst-1", 1, 1));
  governor_->Settle("rst-1", {.rows = 1, .bytes = 1});
  {
    MutexLock lock(&mu);
    released = true;
    changed.SignalAll();
  }
  governor_->Shutdown();
}

TEST_F(StoreGovernorTest, AnUnknownStoreIsNotGoverned) {
  governor_->SetLimits("other", {.rows_per_second = 1, .bytes_per_second = 0});
  Scheduler::Job job = Job("rst-1", 1000, 1000);
  job.store = "other";
  governor_->Begin(job);
  governor_->Look("other");
  EXPECT_TRUE(MayBegin("other"));
  EXPECT_FALSE(governor_->HoldingBack("other").has_value());
  EXPECT_THAT(held_.all(), IsEmpty());
}

}  // namespace
}  // namespace reinstate
