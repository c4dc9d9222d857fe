// Sessions against each other, and against an application that goes on writing.

#include <atomic>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "tests/conformance/live_store_test.h"

namespace reinstate {
namespace {

const TenantId kAcme = Tenant("acme");
const TenantId kOther = Tenant("other");

class RaceTest : public LiveStoreTest {};
INSTANTIATE_TEST_SUITE_P(Adapters, RaceTest, testing::ValuesIn(AllAdapters()), AdapterName);

TEST_P(RaceTest, KeepsASecondSessionOfTheTenantOutUntilTheFirstIsGone) {
  auto first = Session(kAcme);
  EXPECT_THAT(live()->OpenTenant(kAcme, {.lock_timeout = absl::Milliseconds(50)}),
              FailsWith(Reason::kTenantBusy));
  EXPECT_THAT(live()->OpenTenant(kOther, {.lock_timeout = absl::Milliseconds(50)}), IsOk())
      << "another tenant's is not kept out";
  first = nullptr;
  EXPECT_THAT(live()->OpenTenant(kAcme, {.lock_timeout = absl::Seconds(10)}), IsOk());
}

TEST_P(RaceTest, StopsWaitingForTheLockSoonAfterItIsNotWantedAnyMore) {
  Put(kAcme, "issue", "1", "one");
  auto holder = Transaction(kAcme);
  const absl::Time wanted_until = absl::Now() + absl::Milliseconds(300);
  const auto should_end = [&] {
    return absl::Now() < wanted_until ? absl::OkStatus()
                                      : MakeError(Reason::kShuttingDown, "not wanted any more");
  };
  EXPECT_THAT(
      live()->OpenTenant(kAcme, {.lock_timeout = absl::Minutes(1), .should_end = should_end}),
      FailsWith(Reason::kShuttingDown));
  EXPECT_GE(absl::Now(), wanted_until) << "it waited until then";
  EXPECT_LT(absl::Now() - wanted_until, absl::Seconds(5));

  Apply(holder.get(), {Replace("issue", "1", "one", "uno")});
  EXPECT_THAT(SealAndCommit(holder.get()), IsOk()) << "who has the lock is not disturbed";
  holder = nullptr;
  const auto later = live()->OpenTenant(
      kAcme, {.lock_timeout = absl::Seconds(10), .should_end = [] { return absl::OkStatus(); }});
  ASSERT_THAT(later, IsOk()) << "who gave up has left no lock behind";
  EXPECT_THAT((*later)->Begin(), IsOk());
  EXPECT_EQ(Read(later->get(), "issue"), (Rows{{"1", "uno"}}));
}

TEST_P(RaceTest, KeepsTheLockAcrossCommitAndRollback) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  ASSERT_THAT(session->Rollback(), IsOk());
  EXPECT_THAT(live()->OpenTenant(kAcme, {.lock_timeout = absl::Milliseconds(20)}),
              FailsWith(Reason::kTenantBusy));
  ASSERT_THAT(session->Begin(), IsOk());
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_THAT(live()->OpenTenant(kAcme, {.lock_timeout = absl::Milliseconds(20)}),
              FailsWith(Reason::kTenantBusy));
}

TEST_P(RaceTest, SeesTheCommitOfTheSessionWhoseLockItWaitedFor) {
  Put(kAcme, "issue", "1", "one");
  auto first = Transaction(kAcme);
  std::atomic<bool> waiting = false;
  Rows seen;
  std::thread second([&] {
    waiting = true;
    auto session = Transaction(kAcme);
    seen = Read(session.get(), "issue");
  });
  while (!waiting) {
    std::this_thread::yield();
  }
  Apply(first.get(), {Replace("issue", "1", "one", "uno")});
  EXPECT_THAT(SealAndCommit(first.get()), IsOk());
  first = nullptr;
  second.join();
  EXPECT_EQ(seen, (Rows{{"1", "uno"}}));
}

TEST_P(RaceTest, LosesNothingThatTheApplicationWroteToOtherKeysMeanwhile) {
  Put(kAcme, "issue", "1", "one");
  Put(kAcme, "issue", "2", "two");
  Put(kAcme, "issue", "3", "three");
  auto session = Transaction(kAcme);
  Put(kAcme, "issue", "2", "two, changed");
  Apply(session.get(), {Replace("issue", "1", "one", "uno"), Insert("issue", "5", "five")});
  Erase(kAcme, "issue", "3");
  Put(kAcme, "issue", "4", "four");
  Put(kAcme, "comment", "1", "in a new table");
  ASSERT_THAT(session->Seal(), IsOk());
  Put(kAcme, "issue", "6", "six");
  ASSERT_THAT(session->Commit(Soon()), IsOk());
  EXPECT_EQ(
      Live(kAcme, "issue"),
      (Rows{{"1", "uno"}, {"2", "two, changed"}, {"4", "four"}, {"5", "five"}, {"6", "six"}}));
  EXPECT_EQ(Live(kAcme, "comment"), (Rows{{"1", "in a new table"}}));
}

TEST_P(RaceTest, ChangesNothingIfTheApplicationWroteToTheSameKey) {
  const std::vector<Change> changes = {Delete("issue", "1", "one"),
                                       Replace("issue", "1", "one", "uno")};
  for (const Change& change : changes) {
    Put(kAcme, "issue", "1", "one");
    auto session = Transaction(kAcme);
    Apply(session.get(), {change, Insert("issue", "2", "two")});
    Put(kAcme, "issue", "1", "the application's");
    EXPECT_THAT(SealAndCommit(session.get()), FailsWith(Reason::kLiveChanged));
    session = nullptr;
    EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "the application's"}}));
  }
}

TEST_P(RaceTest, ChangesNothingIfTheApplicationTookTheKeyOfAnInsertion) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Delete("issue", "1", "one"), Insert("issue", "2", "two")});
  Put(kAcme, "issue", "2", "the application's");
  EXPECT_THAT(SealAndCommit(session.get()), FailsWith(Reason::kLiveChanged));
  session = nullptr;
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}, {"2", "the application's"}}));
}

TEST_P(RaceTest, ChangesNothingIfTheApplicationDeletedARowThatItReplaces) {
  Put(kAcme, "issue", "1", "one");
  Put(kAcme, "issue", "2", "two");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Replace("issue", "1", "one", "uno")});
  Erase(kAcme, "issue", "1");
  EXPECT_THAT(SealAndCommit(session.get()), FailsWith(Reason::kLiveChanged));
  session = nullptr;
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"2", "two"}}));
}

TEST_P(RaceTest, CommitsAfterARollbackWhatTheRaceHadPrevented) {
  Put(kAcme, "issue", "1", "one");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Replace("issue", "1", "one", "uno")});
  Put(kAcme, "issue", "1", "one, changed");
  ASSERT_THAT(SealAndCommit(session.get()), FailsWith(Reason::kLiveChanged));
  ASSERT_THAT(session->Rollback(), IsOk());
  ASSERT_THAT(session->Begin(), IsOk());
  Apply(session.get(), {Replace("issue", "1", "one, changed", "uno")});
  EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "uno"}}));
}

TEST_P(RaceTest, DoesNotBringBackATenantThatTheApplicationDeletedMeanwhile) {
  Put(kAcme, "issue", "1", "one");
  Put(kAcme, "issue", "2", "two");
  Put(kOther, "issue", "9", "stays");
  auto session = Transaction(kAcme);
  Apply(session.get(), {Replace("issue", "1", "one", "uno")});
  const auto deleted = application()->DeleteTenant(kAcme);
  ASSERT_THAT(deleted, IsOk());
  EXPECT_EQ(*deleted, 2);
  EXPECT_THAT(SealAndCommit(session.get()), FailsWith(Reason::kLiveChanged));
  session = nullptr;
  EXPECT_EQ(Live(kAcme, "issue"), Rows());
  EXPECT_EQ(Live(kOther, "issue"), (Rows{{"9", "stays"}}));

  session = Transaction(kAcme);
  Apply(session.get(), {Insert("issue", "1", "back")});
  EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "back"}}));
}

TEST_P(RaceTest, CancelsFromAnotherThread) {
  for (int i = 0; i < 500; ++i) {
    Put(kAcme, "issue", std::to_string(i), "payload");
  }
  auto session = Transaction(kAcme);
  std::thread canceller([&] { session->Cancel(); });
  absl::Status status;
  while (status.ok()) {
    const auto stream = session->ReadTable("issue");
    status = stream.status();
    Record record;
    absl::StatusOr<bool> more = true;
    while (status.ok() && more.ok() && *more) {
      more = (*stream)->Next(&record);
      status = more.status();
    }
  }
  canceller.join();
  EXPECT_THAT(status, FailsWith(Reason::kCancelled));
}

// Each record of the application is written once and never again, so that one that is missing
// afterwards was lost, wherever between our view and our commit it came.
TEST_P(RaceTest, LosesNoWriteWhateverItsMoment) {
  constexpr int kWriters = 3;
  constexpr int kWritesEach = 400;
  Put(kAcme, "issue", "0", "0");
  std::atomic<int> done = 0;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([this, writer, &done] {
      for (int i = 0; i < kWritesEach; ++i) {
        Put(kAcme, "log", std::to_string(writer) + "/" + std::to_string(i), "written");
      }
      ++done;
    });
  }
  int committed = 0;
  while (done < kWriters || committed < 5) {
    auto session = Transaction(kAcme);
    Apply(session.get(),
          {Replace("issue", "0", std::to_string(committed), std::to_string(committed + 1))});
    const absl::Status status = SealAndCommit(session.get());
    ASSERT_THAT(status, IsOk());
    ++committed;
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(Live(kAcme, "log").size(), kWriters * kWritesEach);
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"0", std::to_string(committed)}}));
}

// Sessions that each add one to a counter: if two had held the lock at once, or one had worked on a
// view from before its lock, a step would be missing.
TEST_P(RaceTest, LetsSessionsOfOneTenantFollowEachOther) {
  constexpr int kThreads = 4;
  constexpr int kStepsEach = 15;
  Put(kAcme, "counter", "n", "0");
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      for (int step = 0; step < kStepsEach; ++step) {
        auto session = Transaction(kAcme);
        const std::string now = Read(session.get(), "counter").at("n");
        Apply(session.get(), {Replace("counter", "n", now, std::to_string(std::stoi(now) + 1))});
        EXPECT_THAT(SealAndCommit(session.get()), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(Live(kAcme, "counter").at("n"), std::to_string(kThreads * kStepsEach));
}

TEST_P(RaceTest, ServesDifferentTenantsAtTheSameTime) {
  constexpr int kTenants = 6;
  for (int t = 0; t < kTenants; ++t) {
    Put(Tenant("t" + std::to_string(t)), "issue", std::to_string(t), "before");
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kTenants; ++t) {
    threads.emplace_back([this, t] {
      const TenantId tenant = Tenant("t" + std::to_string(t));
      for (int round = 0; round < 5; ++round) {
        auto session = Transaction(tenant);
        const Rows now = Read(session.get(), "issue");
        EXPECT_EQ(now.size(), 1 + round);
        Apply(session.get(),
              {Insert("issue", std::to_string(t) + "+" + std::to_string(round), "x")});
        EXPECT_THAT(SealAndCommit(session.get()), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(Everything().size(), kTenants * 6);
}

// What became of a commit.
class TokenTest : public LiveStoreTest {
 protected:
  // What Resolve may say if the truth is `truth`.
  testing::Matcher<CommitOutcome> Expected(CommitOutcome truth) const {
    return MayResolveTo(GetParam(), truth);
  }
};
INSTANTIATE_TEST_SUITE_P(Adapters, TokenTest, testing::ValuesIn(AllAdapters()), AdapterName);

TEST_P(TokenTest, TellsWhatBecameOfACommit) {
  Put(kAcme, "issue", "1", "one");
  CommitToken committed;
  CommitToken rolled_back;
  CommitToken raced;
  CommitToken late;
  {
    auto session = Transaction(kAcme);
    Apply(session.get(), {Replace("issue", "1", "one", "uno")});
    ASSERT_THAT(SealAndCommit(session.get(), &committed), IsOk());

    ASSERT_THAT(session->Begin(), IsOk());
    Apply(session.get(), {Insert("issue", "2", "two")});
    rolled_back = *session->Seal();
    ASSERT_THAT(session->Rollback(), IsOk());

    ASSERT_THAT(session->Begin(), IsOk());
    Apply(session.get(), {Insert("issue", "3", "three")});
    Put(kAcme, "issue", "3", "the application's");
    ASSERT_FALSE(SealAndCommit(session.get(), &raced).ok());
    ASSERT_THAT(session->Rollback(), IsOk());

    ASSERT_THAT(session->Begin(), IsOk());
    late = *session->Seal();
    ASSERT_FALSE(session->Commit(clock_.Now() - absl::Seconds(1)).ok());
  }
  EXPECT_THAT(Resolve(kAcme, committed), Expected(CommitOutcome::kCommitted));
  EXPECT_THAT(Resolve(kAcme, rolled_back), Expected(CommitOutcome::kNotCommitted));
  EXPECT_THAT(Resolve(kAcme, raced), Expected(CommitOutcome::kNotCommitted));
  EXPECT_THAT(Resolve(kAcme, late), Expected(CommitOutcome::kNotCommitted));
  EXPECT_THAT(Resolve(kAcme, committed), Expected(CommitOutcome::kCommitted)) << "and again";
}

TEST_P(TokenTest, TellsWhatBecameOfASessionThatWasAbandonedBeforeItsCommit) {
  Put(kAcme, "issue", "1", "one");
  CommitToken token;
  {
    auto session = Transaction(kAcme);
    Apply(session.get(), {Insert("issue", "2", "two")});
    token = *session->Seal();
  }
  EXPECT_THAT(Resolve(kAcme, token), Expected(CommitOutcome::kNotCommitted));
}

TEST_P(TokenTest, TellsWhatBecameOfACommitWhoseAnswerWasLost) {
  Put(kAcme, "issue", "1", "one");
  faults_.Arm("live.after_commit",
              [] { return MakeError(Reason::kUnavailable, "the connection broke"); });
  CommitToken token;
  {
    auto session = Transaction(kAcme);
    Apply(session.get(), {Replace("issue", "1", "one", "uno")});
    EXPECT_THAT(SealAndCommit(session.get(), &token), FailsWith(Reason::kCommitUnknown));
  }
  faults_.Disarm("live.after_commit");
  EXPECT_THAT(Resolve(kAcme, token), Expected(CommitOutcome::kCommitted));
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "uno"}}));
}

TEST_P(TokenTest, TellsThatNothingWasCommittedIfItFailedBefore) {
  Put(kAcme, "issue", "1", "one");
  faults_.Arm("live.before_commit",
              [] { return MakeError(Reason::kUnavailable, "the connection broke"); });
  CommitToken token;
  {
    auto session = Transaction(kAcme);
    Apply(session.get(), {Replace("issue", "1", "one", "uno")});
    EXPECT_FALSE(SealAndCommit(session.get(), &token).ok());
  }
  faults_.Disarm("live.before_commit");
  EXPECT_THAT(Resolve(kAcme, token), Expected(CommitOutcome::kNotCommitted));
  EXPECT_EQ(Live(kAcme, "issue"), (Rows{{"1", "one"}}));
}

TEST_P(TokenTest, DoesNotClaimToKnowATokenThatIsNotItsOwn) {
  Put(kAcme, "issue", "1", "one");
  EXPECT_EQ(Resolve(kAcme, {.bytes = "from somewhere else"}), CommitOutcome::kNotKnown);
  EXPECT_EQ(Resolve(kAcme, {.bytes = ""}), CommitOutcome::kNotKnown);
}

TEST_P(TokenTest, StillKnowsATokenAfterManyCommitsAndWeeks) {
  Put(kAcme, "counter", "n", "0");
  auto session = Session(kAcme);
  CommitToken first;
  for (int i = 0; i < 40; ++i) {
    ASSERT_THAT(session->Begin(), IsOk());
    Apply(session.get(), {Replace("counter", "n", std::to_string(i), std::to_string(i + 1))});
    CommitToken token;
    ASSERT_THAT(SealAndCommit(session.get(), &token), IsOk());
    first = i == 0 ? token : first;
    clock_.Advance(absl::Hours(17));
  }
  const auto outcome = session->Resolve(first);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_THAT(*outcome, Expected(CommitOutcome::kCommitted));
}

}  // namespace
}  // namespace reinstate
