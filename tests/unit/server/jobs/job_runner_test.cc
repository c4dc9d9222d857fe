#include "server/jobs/job_runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "tests/support/manual_clock.h"

namespace reinstate {
namespace {

// A runner whose jobs wait until they are released or asked to end.
class JobRunnerTest : public testing::Test {
 protected:
  void Make(int threads) {
    runner_ = std::make_unique<JobRunner>(
        JobRunnerOptions{.threads = threads, .clock = &clock_},
        [this](const std::string& id, RunControl* control) { return Work(id, control); },
        [this](const std::string& /*id*/, const JobRunner::View& view) {
          MutexLock lock(&mu_);
          last_view_ = view;
        });
  }

  void TearDown() override { runner_.reset(); }

  JobRunner::Outcome Work(const std::string& id, RunControl* control) {
    MutexLock lock(&mu_);
    ++running_;
    most_ = std::max(most_, running_);
    began_.push_back(id);
    changed_.SignalAll();
    while (!released_.contains(id) && control->Check().ok()) {
      changed_.WaitFor(&mu_, absl::Milliseconds(1));
    }
    if (!control->Check().ok()) {
      ended_by_[id] = ReasonOf(control->Check());
    }
    --running_;
    changed_.SignalAll();
    return outcomes_[id]-- > 0 ? failure_ : JobRunner::Outcome::kDone;
  }

  void Add(const std::string& id, const std::string& tenant = "") {
    runner_->Add({.id = id,
                  .store = "main",
                  .tenant = tenant.empty() ? id : tenant,
                  .queued = clock_.Now()});
  }

  // The next runs of the job, so many, end with `outcome`.
  void Fail(const std::string& id, int times, JobRunner::Outcome outcome) {
    MutexLock lock(&mu_);
    outcomes_[id] = times;
    failure_ = outcome;
  }
  void Release(const std::string& id) {
    MutexLock lock(&mu_);
    released_.insert(id);
  }

  void AwaitBegun(size_t count) {
    MutexLock lock(&mu_);
    while (began_.size() < count) {
      changed_.Wait(&mu_);
    }
  }

  void AwaitIdle(const std::string& id) {
    while (runner_->Find(id).has_value()) {
      std::this_thread::yield();
    }
  }

  ManualClock clock_;
  Mutex mu_;
  CondVar changed_;
  std::set<std::string> released_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> began_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> ended_by_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> outcomes_ ABSL_GUARDED_BY(mu_);  // how often it is to be failure_
  JobRunner::Outcome failure_ ABSL_GUARDED_BY(mu_) = JobRunner::Outcome::kAgain;
  JobRunner::View last_view_ ABSL_GUARDED_BY(mu_);
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  int most_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<JobRunner> runner_;
};

TEST_F(JobRunnerTest, RunsJobsOfDifferentTenantsAtOnceAndNoMoreThanItHasThreads) {
  Make(3);
  for (int i = 0; i < 5; ++i) {
    Add(absl::StrCat("job-", i));
  }
  runner_->Start();
  AwaitBegun(3);
  for (int i = 0; i < 5; ++i) {
    Release(absl::StrCat("job-", i));
  }
  AwaitBegun(5);
  runner_->Stop();
  MutexLock lock(&mu_);
  EXPECT_EQ(most_, 3);
}

TEST_F(JobRunnerTest, RunsJobsOfOneTenantOneAfterTheOther) {
  Make(3);
  for (int i = 0; i < 5; ++i) {
    Add(absl::StrCat("job-", i), "acme");
    Release(absl::StrCat("job-", i));
  }
  runner_->Start();
  AwaitBegun(5);
  runner_->Stop();
  MutexLock lock(&mu_);
  EXPECT_EQ(most_, 1);
  EXPECT_TRUE(std::is_sorted(began_.begin(), began_.end()));
}

TEST_F(JobRunnerTest, EndsARunningJobThatIsCancelled) {
  Make(1);
  Add("job-1");
  EXPECT_FALSE(runner_->Cancel("job-1"));  // does not run yet
  runner_->Start();
  AwaitBegun(1);
  EXPECT_TRUE(runner_->Cancel("job-1"));
  AwaitIdle("job-1");
  MutexLock lock(&mu_);
  EXPECT_EQ(ended_by_["job-1"], "CANCELLED");
}

TEST_F(JobRunnerTest, StopsWhatRunsAndBeginsNothingMore) {
  Make(1);
  Add("job-1");
  Add("job-2");
  runner_->Start();
  AwaitBegun(1);
  runner_->Stop();
  EXPECT_TRUE(runner_->Remove("job-2"));  // is still queued
  MutexLock lock(&mu_);
  EXPECT_EQ(ended_by_["job-1"], "SHUTTING_DOWN");
  EXPECT_EQ(began_.size(), 1U);
}

TEST_F(JobRunnerTest, TriesAgainAfterAWhileWhatCouldNotBeRecorded) {
  Make(1);
  {
    MutexLock lock(&mu_);
    outcomes_["job-1"] = 2;
  }
  Release("job-1");
  Add("job-1");
  runner_->Start();
  AwaitBegun(1);
  AwaitIdle("job-1");
  for (size_t tries = 2; tries <= 3; ++tries) {
    clock_.Advance(absl::Minutes(2));
    AwaitBegun(tries);
    AwaitIdle("job-1");  // the time of the next try counts from when this one has failed
  }
  EXPECT_FALSE(runner_->Remove("job-1"));  // done
}

TEST_F(JobRunnerTest, RunsOnceWhatIsToBeHeldOnceSettled) {
  Make(1);
  {
    MutexLock lock(&mu_);
    outcomes_["job-1"] = 1;
  }
  runner_->HoldOnceSettled("job-1");
  Add("job-1");
  runner_->Start();
  AwaitBegun(1);
  AwaitIdle("job-1");
  clock_.Advance(absl::Minutes(2));
  Release("job-2");
  Add("job-2");
  AwaitBegun(2);
  {
    MutexLock lock(&mu_);
    EXPECT_EQ(began_, (std::vector<std::string>{"job-1", "job-2"})) << "it is held by then";
    EXPECT_EQ(ended_by_["job-1"], "SHUTTING_DOWN") << "it was not to do more";
  }
  Release("job-1");
  runner_->Release({"job-1"});
  AwaitBegun(3);
}

TEST_F(JobRunnerTest, TriesWhatIsNotSettledAgainAlsoWhileItIsHeld) {
  Make(1);
  Fail("job-1", 2, JobRunner::Outcome::kUnsettled);
  Add("job-1");
  runner_->Start();
  AwaitBegun(1);
  runner_->Hold({"job-1"});
  AwaitIdle("job-1");
  for (size_t tries = 2; tries <= 3; ++tries) {
    clock_.Advance(absl::Minutes(2));
    AwaitBegun(tries);
    AwaitIdle("job-1");
  }
  EXPECT_FALSE(runner_->Remove("job-1"));  // done
}

// Who holds it may have looked at it before it ran, when there was nothing to settle.
TEST_F(JobRunnerTest, TriesWhatIsNotSettledAgainAlsoIfItIsHeldOnlyThen) {
  Make(1);
  Fail("job-1", 1, JobRunner::Outcome::kUnsettled);
  Release("job-1");
  Add("job-1");
  runner_->Start();
  AwaitBegun(1);
  AwaitIdle("job-1");
  runner_->Hold({"job-1"});
  clock_.Advance(absl::Minutes(2));
  Release("job-2");
  Add("job-2");
  AwaitBegun(2);
  MutexLock lock(&mu_);
  EXPECT_EQ(began_.at(1), "job-1");
  EXPECT_EQ(ended_by_["job-1"], "SHUTTING_DOWN") << "it was not to do more";
}

TEST_F(JobRunnerTest, HoldsWhatHasSettledAfterAll) {
  Make(1);
  Fail("job-1", 1, JobRunner::Outcome::kUnsettled);
  Release("job-1");
  Add("job-1");
  runner_->Start();
  AwaitBegun(1);
  AwaitIdle("job-1");
  Fail("job-1", 1, JobRunner::Outcome::kAgain);
  clock_.Advance(absl::Minutes(2));
  AwaitBegun(2);
  AwaitIdle("job-1");
  runner_->Hold({"job-1"});
  clock_.Advance(absl::Minutes(2));
  Release("job-2");
  Add("job-2");
  AwaitBegun(3);
  MutexLock lock(&mu_);
  EXPECT_EQ(began_, (std::vector<std::string>{"job-1", "job-1", "job-2"}));
}

TEST_F(JobRunnerTest, ShowsWhatARunningJobReports) {
  runner_ = std::make_unique<JobRunner>(
      JobRunnerOptions{.clock = &clock_},
      [this](const std::string& id, RunControl* control) {
        control->ReportPhase(state::APPLYING);
        state::Progress progress;
        progress.set_rows(7);
        control->ReportProgress(progress);
        return Work(id, control);
      },
      [this](const std::string&, const JobRunner::View& view) {
        MutexLock lock(&mu_);
        last_view_ = view;
      });
  Add("job-1");
  EXPECT_FALSE(runner_->Find("job-1").has_value());
  runner_->Start();
  AwaitBegun(1);
  const auto view = runner_->Find("job-1");
  ASSERT_TRUE(view.has_value());
  EXPECT_EQ(view->phase, state::APPLYING);
  EXPECT_EQ(view->progress.rows(), 7);
  Release("job-1");
  AwaitIdle("job-1");
  MutexLock lock(&mu_);
  EXPECT_EQ(last_view_.progress.rows(), 7);
}

TEST_F(JobRunnerTest, LeavesABlockedTenantQueuedUntilItIsUnblocked) {
  Make(1);
  runner_->Block("main", "acme");
  Add("job-1", "acme");
  Add("job-2", "zenith");
  Release("job-1");
  Release("job-2");
  runner_->Start();
  AwaitBegun(1);
  runner_->Unblock("main", "acme");
  AwaitBegun(2);
  MutexLock lock(&mu_);
  EXPECT_EQ(began_, (std::vector<std::string>{"job-2", "job-1"}));
}

// --- The gate ---

// Holds "main" back once a job of it has begun, until the test lets it go.
class OneAtATime final : public StartGate {
 public:
  void Begin(const Scheduler::Job& job) override {
    if (job.store == "main") {
      LetGo(absl::InfiniteFuture());
    }
  }
  absl::Time HeldUntil(const std::string& store) const override {
    MutexLock lock(&mu_);
    return store == "main" ? held_until_ : absl::InfinitePast();
  }
  void LetGo(absl::Time at) {
    MutexLock lock(&mu_);
    held_until_ = at;
  }

 private:
  mutable Mutex mu_;
  absl::Time held_until_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

class GatedJobRunnerTest : public JobRunnerTest {
 protected:
  void MakeGated(int threads) {
    runner_ = std::make_unique<JobRunner>(
        JobRunnerOptions{.threads = threads, .clock = &clock_, .gate = &gate_},
        [this](const std::string& id, RunControl* control) { return Work(id, control); },
        [](const std::string& /*id*/, const JobRunner::View& /*view*/) {});
    for (const char* id : {"job-1", "job-2", "job-3"}) {
      Add(id);
      Release(id);
    }
    runner_->Add({.id = "other", .store = "wiki", .tenant = "other", .queued = clock_.Now()});
    Release("other");
    runner_->Start();
  }

  size_t begun() {
    MutexLock lock(&mu_);
    return began_.size();
  }

  OneAtATime gate_;
};

TEST_F(GatedJobRunnerTest, AHeldStoreBlocksNoThreadThatOthersCouldUse) {
  MakeGated(2);
  AwaitBegun(2);
  AwaitIdle("job-1");
  AwaitIdle("other");
  EXPECT_EQ(runner_->Depths().at("main").queued, 2);
  EXPECT_FALSE(runner_->Depths().contains("wiki")) << "it has ended";
}

TEST_F(GatedJobRunnerTest, GoesOnWhenItIsToldToAskAgain) {
  MakeGated(2);
  AwaitBegun(2);
  gate_.LetGo(absl::InfinitePast());
  runner_->AskGate("main");
  AwaitBegun(3);
  EXPECT_EQ(runner_->Depths().at("main").queued, 1) << "the next one held it back again";
}

TEST_F(GatedJobRunnerTest, GoesOnByItselfWhenTheTimeHasCome) {
  MakeGated(2);
  AwaitBegun(2);
  gate_.LetGo(clock_.Now() + absl::Seconds(30));
  runner_->AskGate("main");
  EXPECT_EQ(begun(), 2U);
  clock_.Advance(absl::Seconds(30));
  AwaitBegun(3);
}

TEST_F(JobRunnerTest, ALimitThatIsRaisedHoldsAtOnce) {
  Make(3);
  runner_->SetLimit("main", 1);
  for (int i = 0; i < 3; ++i) {
    Add(absl::StrCat("job-", i));
  }
  runner_->Start();
  AwaitBegun(1);
  EXPECT_EQ(runner_->Depths().at("main").running, 1);
  runner_->SetLimit("main", 3);
  AwaitBegun(3);
  for (int i = 0; i < 3; ++i) {
    Release(absl::StrCat("job-", i));
  }
}

}  // namespace
}  // namespace reinstate
