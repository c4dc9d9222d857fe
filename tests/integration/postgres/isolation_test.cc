// No row of another tenant changes by a restore: writers go on through the snapshot, the deletion
// of 200 of 2,000 tenants, their restore by four workers, and the undo of some. At the end every
// row of everybody is compared with what the writers know.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/postgres_site_config.h"
#include "tests/support/restore_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

constexpr int kSites = 2'000;
constexpr int64_t kRows = 44'000;
constexpr size_t kOneIn = 10;  // is deleted
constexpr int kWriters = 4;
constexpr int kWorkers = 4;
constexpr size_t kUndone = 25;

// Runs all of these restores to their end, several at once, and returns how many did not succeed.
int RunAll(const std::vector<std::string>& restores, RestoreWorld* world) {
  std::atomic<size_t> next = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> workers;
  workers.reserve(kWorkers);
  for (int i = 0; i < kWorkers; ++i) {
    workers.emplace_back([&] {
      for (size_t restore = next++; restore < restores.size(); restore = next++) {
        const state::RestoreRecord ended = world->Run(restores[restore]);
        if (ended.state() != state::SUCCEEDED) {
          ++failed;
          ADD_FAILURE() << ended.failure().reason() << ": " << ended.failure().message();
        }
      }
    });
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  return failed;
}

class PostgresIsolation : public testing::Test {
 protected:
  PostgresIsolation()
      : tracker_(PostgresServer::Shared(), LongTailSizes(kSites, kRows)),
        store_(OpenSiteStore(tracker_.server()->OnTcp(tracker_.database_name()))),
        world_(store_.get(), /*records=*/nullptr) {
    const std::vector<size_t> order = tracker_.site().BySize();
    std::vector<std::vector<size_t>> written(kWriters);
    for (size_t rank = 0; rank < order.size(); ++rank) {
      if (rank % kOneIn == 2) {
        victims_.push_back(order[rank]);
      } else {
        written[rank % kWriters].push_back(order[rank]);
      }
    }
    for (int i = 0; i < kWriters; ++i) {
      writers_.push_back(tracker_.Write(written[i], static_cast<uint64_t>(i) + 1));
    }
  }

  // Every other one as a mirror.
  std::vector<std::string> Restores(const SnapshotInfo& point) {
    std::vector<std::string> restores;
    for (const size_t victim : victims_) {
      const state::Mode mode = victim % 2 == 0 ? state::MIRROR : state::CREATE_MISSING;
      restores.push_back(world_.Create(RestoreWorld::Order(tracker_.Tenant(victim), point, mode)));
    }
    return restores;
  }

  void StopWriters() {
    for (const auto& writer : writers_) {
      EXPECT_THAT(writer->Stop(), IsOk());
      EXPECT_GT(writer->commits(), 50) << "it must have written meanwhile";
    }
  }

  TrackerWorld tracker_;
  const std::unique_ptr<LiveStore> store_;
  RestoreWorld world_;
  std::vector<size_t> victims_;  // the largest first
  std::vector<std::unique_ptr<SiteWriter>> writers_;
};

TEST_F(PostgresIsolation, TwoHundredRestoresTouchNobodyElseWhileAllOthersWrite) {
  const SnapshotInfo point = world_.TakeSnapshot();
  tracker_.Delete(victims_);
  EXPECT_EQ(victims_.size(), 200);

  const std::vector<std::string> restores = Restores(point);
  EXPECT_EQ(RunAll(restores, &world_), 0);
  tracker_.ExpectAtFirst(victims_);

  for (size_t i = 0; i < kUndone; ++i) {
    const size_t chosen = i * restores.size() / kUndone;
    state::RestoreOrder undo;
    undo.set_store("main");
    undo.set_tenant(tracker_.Tenant(victims_[chosen]));
    undo.set_undo_of(restores[chosen]);
    const state::RestoreRecord undone = world_.Restore(undo);
    EXPECT_EQ(undone.state(), state::SUCCEEDED) << undone.failure().message();
    tracker_.expected()->Forget(tracker_.Id(victims_[chosen]));
  }
  StopWriters();
  tracker_.ExpectAllAsItMustBe();
}

}  // namespace
}  // namespace reinstate
