// kill -9 of the daemon with the restores of a batch in flight, of one store and of a group of two,
// at every step of a restore and at random moments: every tenant is as before or as after, the
// batch goes on by itself after the next start, and ends with exactly one restore of each tenant.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/batch_killer.h"
#include "tests/support/daemon_world.h"
#include "tests/support/lost_tenants.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

// In the order in which a restore passes them.
const std::vector<std::string> kPlaces = {
    "live.begin",        "restore.planning",      "restore.applying",     "restore.verifying",
    "live.seal",         "restore.before_intent", "restore.after_intent", "live.before_commit",
    "live.after_commit", "restore.after_commit",  "state.before_batch",
};
// Those between which what a line of a group does next is decided.
const std::vector<std::string> kPlacesAroundTheCommit = {
    "restore.before_intent", "restore.after_intent", "live.after_commit",
    "restore.after_commit",  "state.before_batch",
};

class BatchKillTest : public testing::Test {
 protected:
  // Kills at a hit of each place, up to the `hits`-th, and then so many times at random.
  void Kill(const std::vector<std::string>& places, int hits, int random_kills,
            BatchKiller* killer) {
    for (const std::string& place : places) {
      ASSERT_NO_FATAL_FAILURE(
          killer->KillAt(place, std::uniform_int_distribution<int>(1, hits)(random_)));
    }
    for (int i = 0; i < random_kills; ++i) {
      ASSERT_NO_FATAL_FAILURE(killer->KillAfter(
          absl::Milliseconds(std::uniform_int_distribution<int>(0, 200)(random_))));
    }
    ASSERT_NO_FATAL_FAILURE(killer->Finish());
  }

  std::mt19937 random_{20220405};
};

TEST_F(BatchKillTest, AKillWith200RestoresInFlightLosesNothingAndRepeatsNothing) {
  DaemonWorld world;
  world.Start();
  LostEmbeddedTenants lost(&world, {"main"}, /*tenants=*/200);
  BatchKiller killer(&world, &lost);
  Kill(kPlaces, /*hits=*/20, /*random_kills=*/8, &killer);
  EXPECT_GT(killer.kills_in_the_middle(), 0) << "the kills must come while tenants are restored";
}

TEST_F(BatchKillTest, AKillOfABatchOverTwoStoresLosesNothingAndRepeatsNothing) {
  const TempDir folder;
  DaemonWorld world(LostEmbeddedTenants::SiteArguments({"main", "wiki"}, folder.path()));
  world.Start();
  LostEmbeddedTenants lost(&world, {"main", "wiki"}, /*tenants=*/16);
  BatchKiller killer(&world, &lost);
  Kill(kPlacesAroundTheCommit, /*hits=*/20, /*random_kills=*/1, &killer);
  EXPECT_GT(killer.kills_in_the_middle(), 0) << "the kills must come while sites are restored";
}

}  // namespace
}  // namespace reinstate
