// What is in the way of rows, and what a store's checks let pass, come over the wire as they were.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/live_remote/remote_world.h"
#include "tests/support/status_matchers.h"
#include "tests/support/wrapped_store.h"

namespace reinstate {
namespace {

class RemoteObstacles : public testing::Test {
 protected:
  RemoteObstacles() : wrapped_(&store_, &hooks_), server_(&wrapped_, {}) {
    auto remote = RemoteStore::Create({.address = LoopbackAddress(server_.port())});
    EXPECT_THAT(remote, IsOk());
    remote_ = *std::move(remote);
  }

  std::unique_ptr<TenantSession> Transaction() {
    auto session = remote_->OpenTenant(TenantId::FromStored("acme"), {});
    EXPECT_THAT(session, IsOk());
    EXPECT_THAT((*session)->Begin(), IsOk());
    return *std::move(session);
  }

  MemoryStore store_;
  StoreHooks hooks_;
  WrappedStore wrapped_;
  LiveStoreServer server_;
  std::unique_ptr<RemoteStore> remote_;
};

TEST_F(RemoteObstacles, AreThoseOfTheRowsThatWereAskedAboutInPartsToo) {
  std::vector<Change> seen;
  hooks_.find_obstacles = [&](std::span<const Change> changes) {
    std::vector<Obstacle> obstacles;
    for (size_t i = 0; i < changes.size(); ++i) {
      const std::string& key = changes[i].key.bytes();
      seen.push_back(changes[i]);
      if (key.ends_with('0')) {
        obstacles.push_back({.change = i, .kind = ObstacleKind::kNoPartition});
      } else if (key.ends_with('1')) {
        obstacles.push_back({.change = i,
                             .kind = ObstacleKind::kValueTaken,
                             .constraint = "one_each",
                             .owner = KeyOwner::kThisTenant,
                             .key = RowKey("its " + key)});
      } else if (key.ends_with('2')) {
        obstacles.push_back({.change = i,
                             .kind = ObstacleKind::kValueTaken,
                             .constraint = "one_each",
                             .owner = KeyOwner::kOtherTenant});
      }
    }
    return obstacles;
  };
  std::vector<Change> changes;
  for (int i = 10; i < 40; ++i) {
    const size_t size = i % 7 == 0 ? 1'300'000 : 9'000;
    changes.push_back(i % 2 == 0 ? InsertOf(absl::StrCat(i), std::string(size, 'x'))
                                 : ReplaceOf(absl::StrCat(i), "old", std::string(size, 'y')));
  }
  const auto found = Transaction()->FindObstacles(changes);
  ASSERT_THAT(found, IsOk());
  ASSERT_EQ(seen.size(), changes.size());
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].key, changes[i].key);
    EXPECT_TRUE(seen[i].old_payload == changes[i].old_payload &&
                seen[i].new_payload == changes[i].new_payload);
  }
  ASSERT_EQ(found->size(), 9);
  for (size_t i = 0; i < found->size(); ++i) {
    const Obstacle& obstacle = (*found)[i];
    EXPECT_EQ(obstacle.change, i / 3 * 10 + i % 3);
    EXPECT_EQ(obstacle.kind, i % 3 == 0 ? ObstacleKind::kNoPartition : ObstacleKind::kValueTaken);
    EXPECT_EQ(obstacle.constraint, i % 3 == 0 ? "" : "one_each");
    EXPECT_EQ(obstacle.owner, i % 3 == 0   ? KeyOwner::kNobody
                              : i % 3 == 1 ? KeyOwner::kThisTenant
                                           : KeyOwner::kOtherTenant);
    EXPECT_EQ(obstacle.key.has_value(), i % 3 == 1);
  }
}

TEST_F(RemoteObstacles, FailAsTheStoreSays) {
  hooks_.find_obstacles = [](auto) { return MakeError(Reason::kNotAllowed, "GRANT it"); };
  const auto session = Transaction();
  EXPECT_THAT(session->FindObstacles(std::vector{InsertOf("1", "x")}),
              FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(session->Rollback(), IsOk());
}

TEST_F(RemoteObstacles, WhatTheChecksLetPassComesWithTheSeal) {
  hooks_.exceptions = {"two rows have no parent"};
  const auto session = Transaction();
  EXPECT_THAT(session->Exceptions(), testing::IsEmpty());
  ASSERT_THAT(session->Seal(), IsOk());
  EXPECT_EQ(session->Exceptions(), hooks_.exceptions);
}

TEST_F(RemoteObstacles, HowMuchTheLogMayTakeIsPassedOn) {
  hooks_.health = [] { return StoreHealth{.log_headroom_bytes = 4096}; };
  EXPECT_EQ(remote_->ProbeHealth().log_headroom_bytes, 4096);
  hooks_.health = nullptr;
  EXPECT_EQ(remote_->ProbeHealth().log_headroom_bytes, std::nullopt);
}

}  // namespace
}  // namespace reinstate
