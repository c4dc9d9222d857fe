// PostgreSQL is restarted in the middle of a batch: what ran is rolled back and run again, and the
// batch ends as if nothing had been, with exactly one restore of each tenant.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/daemon_batches.h"
#include "tests/support/daemon_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kVictims = 36;
constexpr size_t kBystanders = 4;  // the sites after them

std::unique_ptr<PostgresServer> StartServer() {
  auto server = PostgresServer::Start({.fsync = false, .settings = {}});
  EXPECT_THAT(server, IsOk());
  return *std::move(server);
}

std::vector<int64_t> Sizes() {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < kVictims; ++i) {
    sizes.push_back(600 + 100 * static_cast<int64_t>(i % 9));
  }
  sizes.resize(kVictims + kBystanders, 60);
  return sizes;
}

class PostgresRestart : public testing::Test {
 protected:
  PostgresRestart()
      : server_(StartServer()),
        tracker_(server_.get(), Sizes()),
        daemon_(tracker_.DaemonArguments()),
        victims_(kVictims) {
    std::iota(victims_.begin(), victims_.end(), 0);
    daemon_.Start();
    daemon_.TakeSnapshot();
    tracker_.Delete(victims_);
  }

  void CreateBatch() {
    std::vector<std::string> tenants;
    for (const size_t victim : victims_) {
      tenants.push_back(tracker_.Tenant(victim));
    }
    v1::BatchSpec where;
    where.set_store("main");
    batch_ = *batches_.Create(MirrorBatch(tenants, where, "the batch"));
  }

  void AwaitBatch(const std::function<bool(const v1::Batch&)>& holds) {
    batch_ = batches_.Await(batch_.id(), holds, absl::Milliseconds(2));
  }

  // Ends the server, by `end`, once so many tenants are back and more are on the way, and starts it
  // again after `away`.
  void RestartAfter(int64_t restored, void (PostgresServer::*end)(),
                    absl::Duration away = absl::ZeroDuration()) {
    AwaitBatch([&](const v1::Batch& batch) {
      return batch.lines().succeeded() >= restored && batch.lines().running() > 0;
    });
    ASSERT_LT(batch_.lines().succeeded(), static_cast<int64_t>(kVictims)) << "too late";
    (server_.get()->*end)();
    absl::SleepFor(away);
    ASSERT_THAT(server_->Resume(), IsOk());
  }

  // All are back, by one restore each, and nobody else was touched.
  void ExpectDoneOnce() {
    AwaitBatch(HasEnded);
    EXPECT_EQ(batch_.state(), v1::BATCH_STATE_SUCCEEDED) << batch_.DebugString();
    EXPECT_EQ(batch_.lines().succeeded(), kVictims);
    tracker_.Reconnect();
    tracker_.ExpectAtFirst(victims_);
    tracker_.ExpectAllAsItMustBe();

    const std::vector<v1::Restore> restores = batches_.Restores();
    std::map<std::string, int> done;
    for (const v1::Restore& restore : restores) {
      EXPECT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED) << restore.failure().message();
      ++done[restore.tenant().tenant()];
      repeated_ += restore.attempts() > 1 ? 1 : 0;
    }
    EXPECT_EQ(restores.size(), kVictims);
    EXPECT_EQ(done.size(), kVictims);
  }

  std::unique_ptr<PostgresServer> server_;
  TrackerWorld tracker_;
  DaemonWorld daemon_;
  DaemonBatches batches_{&daemon_};
  std::vector<size_t> victims_;
  v1::Batch batch_;
  int repeated_ = 0;  // restores that took more than one attempt, as far as that is recorded
};

TEST_F(PostgresRestart, RestartsInTheMiddleOfABatchFailNoRestoreAndRepeatNone) {
  CreateBatch();
  ASSERT_NO_FATAL_FAILURE(RestartAfter(4, &PostgresServer::Stop));
  ASSERT_NO_FATAL_FAILURE(RestartAfter(12, &PostgresServer::Crash));
  ASSERT_NO_FATAL_FAILURE(RestartAfter(20, &PostgresServer::Stop));
  ExpectDoneOnce();
  // One that its store fails for long is postponed, and then its attempts count anew.
  EXPECT_TRUE(repeated_ > 0 || absl::StrContains(daemon_.daemon()->Output(), "job interrupted"))
      << "the restarts must have struck restores";
}

TEST_F(PostgresRestart, RestoresWaitForADatabaseThatIsAwayAndSayWhy) {
  CreateBatch();
  AwaitBatch([](const v1::Batch& batch) {
    return batch.lines().succeeded() >= 4 && batch.lines().running() > 0;
  });
  server_->Stop();
  AwaitBatch([](const v1::Batch& batch) {
    return batch.lines().running() == 0 && batch.holding_back_size() > 0;
  });
  EXPECT_THAT(batch_.holding_back(), ElementsAre(HasSubstr("main: ")));
  EXPECT_THAT(batch_.holding_back(0), HasSubstr("cannot connect to the database"));
  EXPECT_EQ(batch_.lines().failed(), 0);
  ASSERT_THAT(server_->Resume(), IsOk());
  ExpectDoneOnce();
  EXPECT_EQ(batch_.holding_back_size(), 0);
}

}  // namespace
}  // namespace reinstate
