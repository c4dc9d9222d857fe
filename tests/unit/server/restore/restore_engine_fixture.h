#pragma once

#include <gtest/gtest.h>

#include "storage/live/memory/memory_store.h"
#include "tests/support/restore_world.h"
#include "tests/support/wrapped_store.h"

namespace reinstate {

inline constexpr state::Mode kModes[] = {state::CREATE_MISSING, state::OVERWRITE, state::MIRROR};

// A tenant "acme" with a few rows that were snapshotted, changed and partly deleted since; and a
// bystander.
class RestoreEngineTest : public testing::Test {
 protected:
  explicit RestoreEngineTest(absl::Duration lock_timeout = absl::Seconds(2))
      : world_(&wrapped_, &store_, lock_timeout) {
    world_.Load(At());
    point_ = world_.TakeSnapshot();
    world_.Put("acme", "issues", "1", "changed");
    world_.Delete("acme", "issues", "2");
    world_.Put("acme", "issues", "9", "newer");
    world_.Put("bystander", "issues", "1", "newer too");
  }

  static StoreModel At() {
    return {{"acme",
             {{"issues", {{"1", "one"}, {"2", "two"}, {"3", "three"}}},
              {"tenant", {{"name", "Acme"}}}}},
            {"bystander", {{"issues", {{"1", "mine"}}}}}};
  }

  StoreModel Live() {
    return world_.Read({"acme", "bystander"}, {"attachments", "issues", "tenant"});
  }

  state::RestoreOrder Order(state::Mode mode) { return RestoreWorld::Order("acme", point_, mode); }

  MemoryStore store_;
  StoreHooks hooks_;
  WrappedStore wrapped_{&store_, &hooks_};
  RestoreWorld world_;
  SnapshotInfo point_;
};

}  // namespace reinstate
