#include "server/jobs/history_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "server/jobs/witness_keeper.h"
#include "tests/unit/server/jobs/jobs_fixture.h"

namespace reinstate {
namespace {

class HistoryJobsTest : public JobsFixture {
 protected:
  void SetUp() override {
    for (const char* key : {"1", "2", "3"}) {
      site_.Put("acme", "issues", key, "payload");
    }
    Begin({});
  }

  void TearDown() override { jobs_.reset(); }

  // Begins a process, without starting its jobs.
  void Begin(const StoreSchedule& schedule) {
    jobs_.reset();
    if (begun_) {
      OpenState();
    }
    begun_ = true;
    HistoryJobsOptions options;
    options.schedules["main"] = schedule;
    options.clock = &site_.clock();
    options.observer = &ended_;
    jobs_ = *HistoryJobs::Create(options, registry_.get(), &site_.history(), state_.get());
  }

  void Start() { ASSERT_THAT(jobs_->Start(), IsOk()); }

  static state::HistoryJob Order(state::JobKind kind, const std::string& snapshot = "") {
    state::HistoryJob job;
    job.set_kind(kind);
    job.set_store("main");
    job.set_snapshot(snapshot);
    *job.mutable_actor() = Ada();
    return job;
  }

  std::string Create(state::JobKind kind, const std::string& snapshot = "") {
    const auto job = jobs_->CreateJob(RequestKey(), Order(kind, snapshot), false);
    EXPECT_THAT(job, IsOk());
    return job->id();
  }

  void AwaitState(const std::string& id, state::JobState state) {
    Await([&](auto on_change) { return jobs_->WatchJob(id, std::move(on_change)); },
          [&] { return jobs_->GetJob(id)->state() == state; });
  }

  std::string Snapshot() {
    const std::string id = Create(state::TAKE_SNAPSHOT);
    AwaitState(id, state::SUCCEEDED);
    return jobs_->GetJob(id)->snapshot();
  }

  std::vector<std::string> Witnessed() {
    std::vector<std::string> snapshots;
    const auto witnesses = state_->Witnesses();
    for (const state::WitnessRecord& witness : *witnesses) {
      snapshots.push_back(witness.snapshot());
    }
    return snapshots;
  }

  // Blocks until that many jobs of the store have succeeded.
  void AwaitSucceeded(size_t count) {
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    size_t succeeded = 0;
    while (succeeded < count && absl::Now() < give_up) {
      succeeded = 0;
      const auto jobs = jobs_->ListJobs("main", "", 100);
      for (const state::HistoryJob& job : *jobs) {
        succeeded += job.state() == state::SUCCEEDED ? 1 : 0;
      }
    }
    EXPECT_EQ(succeeded, count);
  }

  bool begun_ = false;
  EndedJobs ended_;
  std::unique_ptr<HistoryJobs> jobs_;
};

TEST_F(HistoryJobsTest, TakesASnapshotAndKeepsItsWitness) {
  Start();
  const std::string id = Create(state::TAKE_SNAPSHOT);
  AwaitState(id, state::SUCCEEDED);
  const auto job = jobs_->GetJob(id);
  EXPECT_EQ(job->snapshot(), "snap-1-1");
  EXPECT_EQ(job->progress().rows(), 3);
  const auto info = site_.history().GetSnapshot(*SnapshotId::Parse("snap-1-1"));
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->job, id);
  ASSERT_EQ(state_->Witnesses()->size(), 1U);
  EXPECT_EQ(state_->Witnesses()->at(0).root_digest(), info->root_digest);
}

TEST_F(HistoryJobsTest, TellsWhatBecameOfAJob) {
  const std::string cancelled = Create(state::TAKE_SNAPSHOT);
  ASSERT_THAT(jobs_->CancelJob(cancelled, Ada(), "why"), IsOk());
  Start();
  Snapshot();
  jobs_->Shutdown();
  EXPECT_EQ(ended_.all(),
            std::vector<std::string>({"TAKE_SNAPSHOT CANCELLED", "TAKE_SNAPSHOT SUCCEEDED"}));
}

TEST_F(HistoryJobsTest, VerifiesASnapshot) {
  Start();
  const std::string snapshot = Snapshot();
  AwaitState(Create(state::VERIFY_SNAPSHOT, snapshot), state::SUCCEEDED);
}

TEST_F(HistoryJobsTest, RefusesWhatIsNotThere) {
  state::HistoryJob job = Order(state::TAKE_SNAPSHOT);
  job.set_store("nope");
  EXPECT_THAT(jobs_->CreateJob(RequestKey(), job, false), FailsWith(Reason::kStoreNotFound));
  EXPECT_THAT(jobs_->CreateJob(RequestKey(), Order(state::VERIFY_SNAPSHOT, "snap-1-9"), false),
              FailsWith(Reason::kSnapshotNotFound));
  EXPECT_THAT(jobs_->CreateJob(RequestKey(), Order(state::VERIFY_SNAPSHOT, "snap-9-1"), false),
              FailsWith(Reason::kSnapshotNotFound));
  EXPECT_THAT(jobs_->CreateJob(RequestKey(), Order(state::VERIFY_SNAPSHOT, "x"), false),
              FailsWith(Reason::kPointInvalid));
  EXPECT_THAT(jobs_->CreateJob(RequestKey(), Order(state::JOB_KIND_UNSPECIFIED), false),
              FailsWith(Reason::kInvalidArgument));
  EXPECT_THAT(jobs_->GetJob("job-nope"), FailsWith(Reason::kJobNotFound));
  EXPECT_EQ(jobs_->ListJobs("", "", 10)->size(), 0U);
}

TEST_F(HistoryJobsTest, MakesOneJobOfTheSameRequestAndNoneWhenItOnlyValidates) {
  EXPECT_EQ(jobs_->CreateJob(RequestKey(), Order(state::TAKE_SNAPSHOT), true)->id(), "");
  const RequestKey request{"r1", "TakeSnapshot", "digest"};
  const auto first = jobs_->CreateJob(request, Order(state::TAKE_SNAPSHOT), false);
  const auto second = jobs_->CreateJob(request, Order(state::TAKE_SNAPSHOT), false);
  EXPECT_EQ(first->id(), second->id());
  EXPECT_EQ(jobs_->ListJobs("main", "", 10)->size(), 1U);
}

TEST_F(HistoryJobsTest, DoesNotTakeASnapshotTwiceAfterACrashBeforeItsRecord) {
  const std::string id = Create(state::TAKE_SNAPSHOT);
  // As an earlier process that ended between the snapshot and the record of it.
  Snapshotter snapshotter(SnapshotterOptions(), &site_.history());
  ASSERT_THAT(
      snapshotter.Take(&site_.store(),
                       {.lineage = site_.lineage(), .store_identity = "small-site", .job = id}),
      IsOk());
  Begin({});
  Start();
  AwaitState(id, state::SUCCEEDED);
  EXPECT_EQ(jobs_->GetJob(id)->snapshot(), "snap-1-1");
  EXPECT_EQ(site_.history().ListSnapshots(site_.lineage())->size(), 1U);
  EXPECT_EQ(Witnessed(), std::vector<std::string>({"snap-1-1"}));
}

TEST_F(HistoryJobsTest, RunsAnInterruptedJobAgain) {
  const std::string id = Create(state::TAKE_SNAPSHOT);
  ASSERT_THAT(state_->UpdateHistoryJob(id,
                                       [](state::HistoryJob* job) {
                                         job->set_state(state::RUNNING);
                                         return absl::OkStatus();
                                       }),
              IsOk());
  Begin({});
  Start();
  AwaitState(id, state::SUCCEEDED);
}

TEST_F(HistoryJobsTest, CancelsAQueuedJobForGood) {
  const std::string id = Create(state::TAKE_SNAPSHOT);
  EXPECT_EQ(jobs_->CancelJob(id, Person("eve"), "not now")->state(), state::CANCELLED);
  EXPECT_EQ(jobs_->CancelJob(id, Ada(), "why")->state(), state::CANCELLED);
  const state::AuditEntry audited = Audited("snapshot.take_cancelled");
  EXPECT_EQ(audited.actor().name(), "eve");
  EXPECT_THAT(audited.details(), testing::HasSubstr(R"("reason":"not now")"));
  EXPECT_THAT(audited.details(), testing::HasSubstr(R"("ordered_by":"ada")"));
  Begin({});
  Start();
  const std::string next = Create(state::TAKE_SNAPSHOT);
  AwaitState(next, state::SUCCEEDED);
  EXPECT_THAT(jobs_->CancelJob(next, Ada(), "why"), FailsWith(Reason::kNotCancellable));
  EXPECT_EQ(jobs_->GetJob(next)->snapshot(), "snap-1-1");
}

TEST_F(HistoryJobsTest, SaysWhyASnapshotFailed) {
  Start();
  Snapshot();
  site_.clock().Advance(-absl::Hours(5));
  const std::string id = Create(state::TAKE_SNAPSHOT);
  AwaitState(id, state::FAILED);
  EXPECT_EQ(jobs_->GetJob(id)->failure().reason(), "CLOCK_JUMPED");
  EXPECT_FALSE(jobs_->GetJob(id)->failure().retryable());
  EXPECT_EQ(Witnessed().size(), 1U);
}

TEST_F(HistoryJobsTest, NotesACollapse) {
  for (int i = 0; i < 10; ++i) {
    site_.Put("tenant-" + std::to_string(i), "issues", "1", "payload");
  }
  Start();
  Snapshot();
  for (int i = 0; i < 10; ++i) {
    site_.DeleteTenant("tenant-" + std::to_string(i));
  }
  site_.clock().Advance(absl::Minutes(1));
  const std::string id = Create(state::TAKE_SNAPSHOT);
  AwaitState(id, state::SUCCEEDED);
  EXPECT_TRUE(jobs_->GetJob(id)->needs_a_look());
  ASSERT_EQ(jobs_->GetJob(id)->notes_size(), 1);
  EXPECT_NE(jobs_->GetJob(id)->notes(0).find("10 tenants are gone"), std::string::npos);
}

class VerificationTest : public HistoryJobsTest {
 protected:
  // Begins to verify a snapshot, and returns once it is between two tenants. It goes on when it has
  // been asked to end, and the rest would be an error.
  std::string BeginToVerify() {
    for (const char* tenant : {"first", "second", "third"}) {
      site_.Put(tenant, "issues", "1", "payload");
    }
    Start();
    const std::string snapshot = Snapshot();
    site_.faults().Arm("history.verifying", [this] {
      MutexLock lock(&mu_);
      if (reached_) {
        return asked_ ? MakeError(Reason::kCorrupt, "it went on after it was asked to end")
                      : absl::OkStatus();
      }
      reached_ = true;
      changed_.SignalAll();
      while (!asked_) {
        changed_.Wait(&mu_);
      }
      return absl::OkStatus();
    });
    const std::string id = Create(state::VERIFY_SNAPSHOT, snapshot);
    MutexLock lock(&mu_);
    while (!reached_) {
      changed_.Wait(&mu_);
    }
    return id;
  }

  void GoOn() {
    MutexLock lock(&mu_);
    asked_ = true;
    changed_.SignalAll();
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool reached_ ABSL_GUARDED_BY(mu_) = false;
  bool asked_ ABSL_GUARDED_BY(mu_) = false;
};

TEST_F(VerificationTest, EndsBeforeTheNextTenantWhenItIsCancelled) {
  const std::string id = BeginToVerify();
  ASSERT_THAT(jobs_->CancelJob(id, Person("eve"), "not now"), IsOk());
  ASSERT_THAT(jobs_->CancelJob(id, Ada(), "me too"), IsOk());
  GoOn();
  AwaitState(id, state::CANCELLED);
  const state::AuditEntry audited = Audited("snapshot.verify_cancelled");
  EXPECT_EQ(audited.actor().name(), "eve");
  EXPECT_THAT(audited.details(), testing::HasSubstr(R"("reason":"not now")"));
}

// --- Retention and witnesses ---

TEST_F(HistoryJobsTest, HasNoWitnessOfWhatRetentionDropped) {
  StoreSchedule schedule;
  schedule.retention.keep_last = 1;
  schedule.retention.grace = absl::Hours(24);
  Begin(schedule);
  Start();
  const std::string first = Snapshot();
  site_.Put("acme", "issues", "4", "payload");
  site_.clock().Advance(absl::Hours(1));
  const std::string second = Snapshot();
  AwaitState(Create(state::APPLY_RETENTION), state::SUCCEEDED);
  EXPECT_EQ(Witnessed(), (std::vector<std::string>{first, second}));  // hidden, not dropped
  site_.clock().Advance(absl::Hours(25));
  AwaitState(Create(state::APPLY_RETENTION), state::SUCCEEDED);
  EXPECT_EQ(Witnessed(), std::vector<std::string>({second}));
  EXPECT_EQ(site_.history().ListSnapshots(site_.lineage())->size(), 1U);
}

// Retention that was interrupted before (`dropped` false) or after it dropped the first snapshot.
class InterruptedRetentionTest : public HistoryJobsTest,
                                 public testing::WithParamInterface<bool> {};

TEST_P(InterruptedRetentionTest, LeavesWitnessesThatFitAndAreSettledAtTheNextStart) {
  const bool dropped = GetParam();
  RetentionPolicy policy;
  policy.keep_last = 1;
  policy.grace = absl::ZeroDuration();
  Start();
  const std::string first = Snapshot();
  site_.Put("acme", "issues", "4", "payload");
  site_.clock().Advance(absl::Hours(1));
  const std::string second = Snapshot();
  WitnessKeeper keeper(&site_.history(), state_.get());
  ASSERT_THAT(keeper.BeforeRetention(site_.lineage(), policy, site_.clock().Now()), IsOk());
  if (dropped) {
    for (int runs = 0; runs < 2; ++runs) {  // hides, then drops
      ASSERT_THAT(site_.history().ApplyRetention(site_.lineage(), policy, {}), IsOk());
      site_.clock().Advance(absl::Seconds(1));
    }
    ASSERT_EQ(site_.history().ListSnapshots(site_.lineage())->size(), 1U);
  }
  // Known, so that the state does not look like an older copy; but not insisted on.
  EXPECT_EQ(Witnessed(), (std::vector<std::string>{first, second}));
  EXPECT_TRUE(state_->Witnesses()->at(0).may_be_gone());

  Begin({});
  Start();
  EXPECT_EQ(Witnessed(),
            dropped ? std::vector<std::string>{second} : (std::vector<std::string>{first, second}));
  const auto settled = state_->Witnesses();
  for (const state::WitnessRecord& witness : *settled) {
    EXPECT_FALSE(witness.may_be_gone());
  }
}

INSTANTIATE_TEST_SUITE_P(BeforeAndAfter, InterruptedRetentionTest, testing::Bool());

// --- Schedule ---

TEST_F(HistoryJobsTest, TakesScheduledSnapshotsAndAppliesRetentionAfterEach) {
  StoreSchedule schedule;
  schedule.every = absl::Hours(1);
  Begin(schedule);
  Start();
  AwaitSucceeded(2);
  site_.clock().Advance(absl::Hours(1));
  AwaitSucceeded(4);
  const auto jobs = jobs_->ListJobs("main", "", 100);
  ASSERT_EQ(jobs->size(), 4U);
  EXPECT_EQ(jobs->at(0).kind(), state::APPLY_RETENTION);
  EXPECT_EQ(jobs->at(1).kind(), state::TAKE_SNAPSHOT);
  EXPECT_TRUE(jobs->at(1).scheduled());
  EXPECT_EQ(jobs->at(1).actor().name(), "reinstated");
  EXPECT_EQ(site_.history().ListSnapshots(site_.lineage())->size(), 2U);
}

TEST_F(HistoryJobsTest, TriesAScheduledSnapshotAgainAfterAMinuteIfItCouldNotBeOrdered) {
  StoreSchedule schedule;
  schedule.every = absl::Hours(24);
  Begin(schedule);
  Start();
  AwaitSucceeded(2);
  std::atomic<int> tries = 0;
  state_faults_.Arm("state.before_batch", [&] {
    ++tries;
    return MakeError(Reason::kNoSpace, "the disk is full");
  });
  site_.clock().Advance(absl::Hours(24));
  while (tries == 0) {
    std::this_thread::yield();
  }
  state_faults_.Disarm("state.before_batch");
  site_.clock().Advance(absl::Minutes(1));
  AwaitSucceeded(4);
}

TEST_F(HistoryJobsTest, RemembersTheScheduleOverARestart) {
  StoreSchedule schedule;
  schedule.every = absl::Hours(1);
  Begin(schedule);
  Start();
  AwaitSucceeded(2);
  Begin(schedule);
  Start();
  const std::string id = Create(state::VERIFY_SNAPSHOT, "snap-1-1");
  AwaitState(id, state::SUCCEEDED);
  EXPECT_EQ(site_.history().ListSnapshots(site_.lineage())->size(), 1U);
}

}  // namespace
}  // namespace reinstate
