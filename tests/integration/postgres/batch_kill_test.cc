// kill -9 of the daemon while a batch puts back tenants of PostgreSQL, or takes that back: every
// tenant is as before or as after, the batch goes on by itself and restores each once, and the
// writers of others lose nothing. Also where the database goes down with the daemon.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/batch_killer.h"
#include "tests/support/daemon_batches.h"
#include "tests/support/daemon_world.h"
#include "tests/support/lost_tenants.h"
#include "tests/support/postgres_site_config.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kVictims = 12;
const std::vector<size_t> kBystanders = {kVictims, kVictims + 1, kVictims + 2};

// In the order in which a restore passes them.
const std::vector<std::string> kPlaces = {
    "restore.planning",      "live.apply",           "restore.verifying",
    "restore.before_intent", "restore.after_intent", "live.before_commit",
    "live.after_commit",     "restore.after_commit", "state.before_batch",
};

std::vector<int64_t> Sizes() {
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < kVictims; ++i) {
    sizes.push_back(20 + 400 / static_cast<int64_t>(i + 1));
  }
  sizes.resize(kVictims + kBystanders.size(), 60);
  return sizes;
}

// The first sites of a tracker, which were deleted since a snapshot, and begun anew.
class LostSites final : public LostTenants {
 public:
  // Borrows both; the daemon runs.
  LostSites(TrackerWorld* tracker, DaemonWorld* daemon) : tracker_(tracker) {
    daemon->TakeSnapshot();
    std::vector<size_t> sites(kVictims);
    std::iota(sites.begin(), sites.end(), 0);
    for (const size_t site : sites) {
      at_point_[{kSiteStore, tracker->Tenant(site)}] = tracker->Read(site);
    }
    tracker->Delete(sites);
    for (const size_t site : sites) {
      const std::string tenant = tracker->Tenant(site);
      tracker->Run(absl::StrCat("INSERT INTO sites VALUES (", tenant, ", 'new ", tenant,
                                "', 'free', 1, '{}', now())"));
      before_[{kSiteStore, tracker->Tenant(site)}] = tracker->Read(site);
    }
  }

  std::vector<std::string> Lines() const override {
    std::vector<std::string> lines;
    for (size_t site = 0; site < kVictims; ++site) {
      lines.push_back(tracker_->Tenant(site));
    }
    return lines;
  }

  v1::BatchSpec Where() const override {
    v1::BatchSpec where;
    where.set_store(kSiteStore);
    return where;
  }

  Parts All() const override {
    Parts parts;
    for (const auto& [part, rows] : at_point_) {
      parts.insert(part);
    }
    return parts;
  }

  Parts FindRestored(const std::string& when) override {
    tracker_->AwaitDaemonGone();
    Parts restored;
    for (size_t site = 0; site < kVictims; ++site) {
      const Part part = {kSiteStore, tracker_->Tenant(site)};
      const SiteRows found = tracker_->Read(site);
      if (found == at_point_[part]) {
        restored.insert(part);
      } else {
        EXPECT_TRUE(found == before_[part]) << part.tenant << " is between, killed " << when;
      }
    }
    return restored;
  }

  // Also that nobody else was touched, once they have ended their writing.
  void ExpectRestored(const Parts& parts) override {
    for (size_t site = 0; site < kVictims; ++site) {
      const Part part = {kSiteStore, tracker_->Tenant(site)};
      const SiteRows& wanted = parts.contains(part) ? at_point_[part] : before_[part];
      tracker_->expected()->Set(tracker_->Id(site), wanted);
      EXPECT_TRUE(tracker_->Read(site) == wanted) << part.tenant;
    }
  }

 private:
  TrackerWorld* const tracker_;
  std::map<Part, SiteRows> at_point_;
  std::map<Part, SiteRows> before_;
};

TEST(PostgresBatchKill, AtEveryStepLosesNothingAndRepeatsNothing) {
  TrackerWorld tracker(PostgresServer::Shared(), Sizes());
  DaemonWorld daemon(tracker.DaemonArguments());
  daemon.Start();
  LostSites lost(&tracker, &daemon);
  const std::unique_ptr<SiteWriter> writer = tracker.Write(kBystanders, /*seed=*/5);
  BatchKiller killer(&daemon, &lost);
  std::mt19937 random(20220405);
  for (const std::string& place : kPlaces) {
    ASSERT_NO_FATAL_FAILURE(killer.KillAt(place, std::uniform_int_distribution<int>(2, 9)(random)));
  }
  ASSERT_NO_FATAL_FAILURE(killer.Finish());
  EXPECT_GT(killer.kills_in_the_middle(), 0) << "the kills must come while sites are restored";
  EXPECT_THAT(writer->Stop(), IsOk());
  EXPECT_GT(writer->commits(), 100) << "it must have written meanwhile";
  tracker.ExpectAllAsItMustBe();
}

TEST(PostgresBatchKill, TogetherWithTheDatabaseLosesNothingAndRepeatsNothing) {
  auto server = PostgresServer::Start({.fsync = false, .settings = {}});
  ASSERT_THAT(server, IsOk());
  TrackerWorld tracker(server->get(), Sizes());
  DaemonWorld daemon(tracker.DaemonArguments());
  DaemonBatches batches(&daemon);
  daemon.Start();
  LostSites lost(&tracker, &daemon);

  daemon.StartToStay({{"live.apply", 60},
                      {"restore.after_intent", 3},
                      {"live.before_commit", 4},
                      {"live.after_commit", 5}});
  const std::string batch =
      batches.Create(MirrorBatch(lost.Lines(), lost.Where(), "the batch"))->id();
  daemon.AwaitStay();
  daemon.daemon()->Kill();
  (*server)->Crash();
  daemon.Start();
  const v1::Batch waiting = batches.Await(batch, [](const v1::Batch& seen) {
    return seen.lines().running() == 0 && seen.holding_back_size() > 0;
  });
  EXPECT_EQ(waiting.state(), v1::BATCH_STATE_RUNNING);
  EXPECT_THAT(waiting.holding_back(), ElementsAre(HasSubstr("cannot connect to the database")));

  ASSERT_THAT((*server)->Resume(), IsOk());
  tracker.Reconnect();
  EXPECT_EQ(batches.AwaitEnd(batch).state(), v1::BATCH_STATE_SUCCEEDED);
  lost.ExpectRestored(lost.All());
  tracker.ExpectAllAsItMustBe();
  std::map<std::string, int> restores;
  for (const v1::Restore& restore : batches.Restores()) {
    EXPECT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED) << restore.failure().message();
    EXPECT_EQ(++restores[restore.tenant().tenant()], 1);
  }
  EXPECT_EQ(restores.size(), kVictims);
}

}  // namespace
}  // namespace reinstate
