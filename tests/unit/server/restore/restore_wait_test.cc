// A restore that waits for its tenant, which somebody else works on, is told to end.

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "tests/unit/server/restore/restore_engine_fixture.h"

namespace reinstate {
namespace {

constexpr absl::Duration kLockTimeout = absl::Seconds(20);

class RestoreEngineWaitTest : public RestoreEngineTest {
 protected:
  RestoreEngineWaitTest() : RestoreEngineTest(kLockTimeout) {}

  // From now on somebody else has the tenant, and `then` comes just before it is waited for.
  void HoldTenant(std::function<void()> then) {
    TakeTenant();
    hooks_.open_tenant = std::move(then);
  }

  void TakeTenant() { holder_ = *store_.OpenTenant(TenantId::FromStored("acme"), {}); }

  absl::StatusOr<state::RestoreRecord> Run(const std::string& id) {
    const absl::Time start = absl::Now();
    auto restore = world_.engine()->Run(id, &wrapped_, &control_);
    EXPECT_LT(absl::Now() - start, kLockTimeout / 2);
    return restore;
  }

  // Creates a restore that commits, does not hear of it, and then finds the tenant taken.
  std::string CreateUnsettled(std::function<void()> then) {
    hooks_.after_commit = [this, then] {
      // The session that commits still has the lock: it is taken once that is closed.
      hooks_.open_tenant = [this, then] {
        TakeTenant();
        then();
      };
      return MakeError(Reason::kCommitUnknown, "the answer was lost");
    };
    return world_.Create(Order(state::MIRROR));
  }

  RunControl control_;
  std::unique_ptr<TenantSession> holder_;
};

TEST_F(RestoreEngineWaitTest, ACancelEndsItsWaitForTheTenant) {
  HoldTenant([this] { control_.Cancel(); });
  const auto restore = Run(world_.Create(Order(state::MIRROR)));
  ASSERT_TRUE(restore.ok()) << restore.status();
  EXPECT_EQ(restore->state(), state::CANCELLED);
}

TEST_F(RestoreEngineWaitTest, AStopEndsItsWaitForTheTenantAndTheNextRunFinishes) {
  HoldTenant([this] { control_.Stop(); });
  const std::string id = world_.Create(Order(state::MIRROR));
  EXPECT_EQ(ReasonOf(Run(id).status()), "SHUTTING_DOWN");
  EXPECT_EQ(world_.state()->GetRestore(id)->state(), state::QUEUED);
  holder_ = nullptr;
  hooks_.open_tenant = nullptr;
  EXPECT_EQ(world_.Run(id).state(), state::SUCCEEDED);
}

TEST_F(RestoreEngineWaitTest, ACancelDoesNotEndTheWaitOfASettlement) {
  std::thread releaser;
  const std::string id = CreateUnsettled([&] {
    control_.Cancel();
    releaser = std::thread([this] {
      absl::SleepFor(absl::Milliseconds(300));
      holder_ = nullptr;
    });
  });
  const auto restore = Run(id);
  releaser.join();
  ASSERT_TRUE(restore.ok()) << restore.status();
  EXPECT_EQ(restore->state(), state::SUCCEEDED) << restore->failure().message();
  EXPECT_EQ(Live()["acme"], At()["acme"]);
}

TEST_F(RestoreEngineWaitTest, AStopEndsTheWaitOfASettlementWithoutADoubtAndTheNextRunSettles) {
  const std::string id = CreateUnsettled([this] { control_.Stop(); });
  EXPECT_EQ(ReasonOf(Run(id).status()), "SHUTTING_DOWN");
  const auto stopped = world_.state()->GetRestore(id);
  EXPECT_EQ(stopped->state(), state::QUEUED);
  EXPECT_TRUE(stopped->has_intent());

  holder_ = nullptr;
  hooks_.open_tenant = nullptr;
  const auto settled = Run(id);  // with the control that was stopped: as in a pause
  ASSERT_TRUE(settled.ok()) << settled.status();
  EXPECT_EQ(settled->state(), state::SUCCEEDED) << settled->failure().message();
  EXPECT_TRUE(world_.state()->GetCertificate(id)->resolved_by_evidence());
  EXPECT_EQ(Live()["acme"], At()["acme"]);
}

}  // namespace
}  // namespace reinstate
