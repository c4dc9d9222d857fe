// A batch is paused or cancelled while its restores wait for tenants that somebody else works on,
// or for a database that has fallen silent: that holds at once, and others run in a moment.

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/live/postgres/advisory_locks.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/daemon_batches.h"
#include "tests/support/daemon_world.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tcp_proxy.h"

namespace reinstate {
namespace {

// What is promised of a pause and a cancel. A restore waits longer for its tenant, and for a
// database that does not answer.
constexpr absl::Duration kStateTime = absl::Seconds(1);
constexpr absl::Duration kWorkerTime = absl::Seconds(5);

class PostgresBusyTenants : public testing::Test {
 protected:
  PostgresBusyTenants()
      : tracker_(PostgresServer::Shared(), {60, 60, 60, 60, 60, 60, 60, 60}),
        proxy_(tracker_.server()->port()),
        daemon_(Arguments()) {
    daemon_.Start();
    daemon_.TakeSnapshot();
    tracker_.Delete(victims_);
    for (const size_t victim : victims_) {
      EXPECT_THAT(
          holder_->Run(absl::StrCat(
              "SELECT pg_advisory_lock(",
              TenantLockNumber(TenantId::FromStored(tracker_.Tenant(victim)), "session"), ")")),
          IsOk());
    }
  }

  // With a daemon that does not hold restores back after a database was slow to commit.
  std::vector<std::string> Arguments() {
    std::vector<std::string> arguments = tracker_.DaemonArguments(proxy_.port());
    std::ofstream(arguments.back(), std::ios::app)
        << "[store.health]\nmax_commit_latency = \"0s\"\n";
    return arguments;
  }

  // Begins a batch of which all that run wait.
  void BeginBatch() {
    std::vector<std::string> tenants;
    for (const size_t victim : victims_) {
      tenants.push_back(tracker_.Tenant(victim));
    }
    v1::BatchSpec where;
    where.set_store("main");
    batch_ = batches_.Create(MirrorBatch(tenants, where, "the batch"))->id();
    AwaitWait();
  }

  // Until connections of the daemon ask for a tenant, again and again.
  void AwaitWait() {
    batches_.Await(batch_, [](const v1::Batch& batch) { return batch.lines().running() > 0; });
    const absl::Time until = absl::Now() + absl::Seconds(30);
    while (*tracker_.database()->Value(
               "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE "
               "'reinstate rst-%' AND query LIKE '%pg_try_advisory_lock%'") != "t") {
      ASSERT_LT(absl::Now(), until) << "nothing waits for a tenant";
      absl::SleepFor(absl::Milliseconds(10));
    }
  }

  // Pauses the batch, in the time that is promised.
  void Pause() {
    const absl::Time start = absl::Now();
    EXPECT_EQ(batches_.Pause(batch_).state(), v1::BATCH_STATE_PAUSED);
    EXPECT_LT(absl::Now() - start, kStateTime);
    batches_.Await(batch_, [](const v1::Batch& batch) { return batch.lines().running() == 0; });
    EXPECT_LT(absl::Now() - start, kWorkerTime);
  }

  // Whoever is not of the batch is restored in a moment.
  void ExpectFreeWorkers() {
    const absl::Time start = absl::Now();
    const std::string other =
        daemon_.CreateRestore(tracker_.Tenant(kBystander), v1::RESTORE_MODE_MIRROR, "another");
    EXPECT_EQ(daemon_.WaitForEnd(other).state(), v1::RESTORE_STATE_SUCCEEDED);
    EXPECT_LT(absl::Now() - start, kWorkerTime);
  }

  // After a pause, once nobody else has the tenants any more.
  void ExpectToGoOn() {
    batches_.Resume(batch_);
    holder_ = nullptr;
    EXPECT_EQ(batches_.AwaitEnd(batch_).state(), v1::BATCH_STATE_SUCCEEDED);
    tracker_.ExpectAtFirst(victims_);
    tracker_.ExpectAllAsItMustBe();
  }

  static constexpr size_t kBystander = 7;
  // More than run at once.
  const std::vector<size_t> victims_ = {0, 1, 2, 3, 4, 5};
  TrackerWorld tracker_;
  TcpProxy proxy_;
  DaemonWorld daemon_;
  DaemonBatches batches_{&daemon_};
  std::unique_ptr<PlainDatabase> holder_ = tracker_.Connect();
  std::string batch_;
};

TEST_F(PostgresBusyTenants, APauseReachesRestoresThatWaitForTheirTenants) {
  BeginBatch();
  Pause();
  ExpectFreeWorkers();
  ExpectToGoOn();
}

TEST_F(PostgresBusyTenants, ACancelReachesRestoresThatWaitForTheirTenants) {
  BeginBatch();
  const absl::Time start = absl::Now();
  const v1::BatchState state = batches_.Cancel(batch_).state();
  EXPECT_TRUE(state == v1::BATCH_STATE_CANCELLING || state == v1::BATCH_STATE_CANCELLED);
  EXPECT_LT(absl::Now() - start, kStateTime);
  const v1::Batch ended = batches_.AwaitEnd(batch_);
  EXPECT_LT(absl::Now() - start, kWorkerTime);
  EXPECT_EQ(ended.state(), v1::BATCH_STATE_CANCELLED);
  EXPECT_EQ(ended.lines().cancelled(), static_cast<int64_t>(victims_.size()));
  ExpectFreeWorkers();
  tracker_.ExpectAllAsItMustBe();
}

TEST_F(PostgresBusyTenants, APauseReachesRestoresThatWaitForASilentDatabase) {
  BeginBatch();
  proxy_.Inject({.direction = TcpProxy::Direction::kToClient, .action = TcpProxy::Action::kStall});
  absl::SleepFor(absl::Milliseconds(300));  // several times as long as between two questions
  Pause();

  proxy_.Reset();
  ExpectFreeWorkers();
  ExpectToGoOn();
}

}  // namespace
}  // namespace reinstate
