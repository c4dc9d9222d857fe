#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "tests/integration/live_remote/remote_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using Action = TcpProxy::Action;
using Direction = TcpProxy::Direction;

// Longer than the lease of two seconds that the clients of these tests ask for.
constexpr absl::Duration kLongerThanALease = absl::Seconds(5);

class LeaseTest : public testing::Test {
 protected:
  void SetUp() override { world_.Put(acme_, "a", "old"); }

  void Stall(Direction direction) {
    world_.proxy()->Inject({.direction = direction, .action = Action::kStall});
  }

  RemoteWorld world_{LiveStoreServiceOptions{.max_sessions = 2, .max_cuts = 1}};
  std::unique_ptr<RemoteStore> client_ = world_.Connect();
  const TenantId acme_ = TenantId::FromStored("acme");
};

TEST_F(LeaseTest, ASessionThatIsIdleIsKeptByItsHeartbeat) {
  auto session = client_->OpenTenant(acme_, {});
  ASSERT_THAT(session, IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  ASSERT_THAT((*session)->Apply(ReplaceOf("a", "old", "new")), IsOk());
  absl::SleepFor(kLongerThanALease);
  EXPECT_FALSE(world_.LockIsFree(acme_, absl::ZeroDuration()));
  ASSERT_THAT((*session)->Seal(), IsOk());
  ASSERT_THAT((*session)->Commit(absl::Now() + absl::Seconds(10)), IsOk());
  EXPECT_EQ(world_.Get(acme_, "a"), "new");
}

TEST_F(LeaseTest, AClientThatIsNotHeardLosesLockAndChanges) {
  auto session = client_->OpenTenant(acme_, {});
  ASSERT_THAT(session, IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  ASSERT_THAT((*session)->Apply(ReplaceOf("a", "old", "new")), IsOk());
  Stall(Direction::kToServer);
  EXPECT_TRUE(world_.LockIsFree(acme_, absl::Seconds(10)));
  EXPECT_THAT((*session)->Seal(), FailsWith(Reason::kSessionLost));
  EXPECT_EQ(world_.Get(acme_, "a"), "old");
}

TEST_F(LeaseTest, AClientThatTakesNoAnswersLosesTheLock) {
  for (int i = 0; i < 40; ++i) {
    world_.Put(acme_, "large " + std::to_string(i), std::string(1 << 20, 'x'));
  }
  auto session = client_->OpenTenant(acme_, {});
  ASSERT_THAT(session, IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  Stall(Direction::kToClient);
  // Nothing is heard of the server either, so the client gives up and cuts the stream off.
  EXPECT_THAT((*session)->ReadTable(kTable), FailsWith(Reason::kSessionLost));
  EXPECT_TRUE(world_.LockIsFree(acme_, absl::Seconds(10)));
}

TEST_F(LeaseTest, AServerThatHangsDoesNotHangTheClient) {
  auto session = client_->OpenTenant(acme_, {});
  ASSERT_THAT(session, IsOk());
  Stall(Direction::kToClient);
  Stall(Direction::kToServer);
  EXPECT_THAT((*session)->Begin(), FailsWith(Reason::kSessionLost));
  EXPECT_THAT((*session)->Rollback(), FailsWith(Reason::kSessionLost));
  session = absl::CancelledError("let go");
  EXPECT_THAT(client_->OpenTenant(acme_, {}), FailsWith(Reason::kUnavailable));
}

TEST_F(LeaseTest, ACommitThatHangsOnTheWayIsNotKnown) {
  auto session = client_->OpenTenant(acme_, {});
  ASSERT_THAT(session, IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  ASSERT_THAT((*session)->Apply(ReplaceOf("a", "old", "new")), IsOk());
  const auto token = (*session)->Seal();
  ASSERT_THAT(token, IsOk());
  Stall(Direction::kToServer);
  EXPECT_THAT((*session)->Commit(absl::Now() + absl::Seconds(20)),
              FailsWith(Reason::kCommitUnknown));
  session = absl::CancelledError("let go");
  const auto direct = world_.ConnectDirectly();
  const auto later = direct->OpenTenant(acme_, {});
  ASSERT_THAT(later, IsOk());
  const auto outcome = (*later)->Resolve(*token);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(*outcome, CommitOutcome::kNotCommitted);
  EXPECT_EQ(world_.Get(acme_, "a"), "old");
}

TEST_F(LeaseTest, ADelayShorterThanTheLeaseIsSurvived) {
  auto session = client_->OpenTenant(acme_, {});
  ASSERT_THAT(session, IsOk());
  world_.proxy()->Inject({.direction = Direction::kToServer,
                          .action = Action::kDelay,
                          .delay = absl::Milliseconds(150)});
  ASSERT_THAT((*session)->Begin(), IsOk());
  EXPECT_THAT((*session)->Rollback(), IsOk());
}

TEST_F(LeaseTest, ACutIsKeptWhileItsClientLives) {
  const auto cut = client_->OpenCut({});
  ASSERT_THAT(cut, IsOk());
  absl::SleepFor(kLongerThanALease);
  EXPECT_THAT(client_->OpenCut({}), FailsWith(Reason::kUnavailable)) << "one is open";
  const auto rows = (*cut)->OpenShard(0);
  ASSERT_THAT(rows, IsOk());
  TenantRow row;
  const auto found = (*rows)->Next(&row);
  ASSERT_THAT(found, IsOk());
  EXPECT_TRUE(*found);
}

TEST_F(LeaseTest, ACutWhoseClientIsNotHeardIsClosedAndOfNoUseToIt) {
  const auto cut = client_->OpenCut({});
  ASSERT_THAT(cut, IsOk());
  Stall(Direction::kToServer);
  absl::StatusOr<int64_t> rows = (*cut)->CountRows(0);
  EXPECT_THAT(rows, FailsWith(Reason::kSessionLost));
  const auto direct = world_.ConnectDirectly();
  absl::StatusOr<std::unique_ptr<Cut>> another = direct->OpenCut({});
  for (const absl::Time end = absl::Now() + absl::Seconds(20);
       !another.ok() && absl::Now() < end;) {
    absl::SleepFor(absl::Milliseconds(50));
    another = direct->OpenCut({});
  }
  EXPECT_THAT(another, IsOk()) << "there is room for one only";
}

TEST_F(LeaseTest, ACutIsClosedByItsClient) {
  ASSERT_THAT(client_->OpenCut({}), IsOk());
  EXPECT_THAT(client_->OpenCut({}), IsOk()) << "there is room for one only";
}

TEST_F(LeaseTest, RefusesMoreSessionsThanItHasThreads) {
  const auto first = client_->OpenTenant(TenantId::FromStored("1"), {});
  auto second = client_->OpenTenant(TenantId::FromStored("2"), {});
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(client_->OpenTenant(acme_, {}), FailsWith(Reason::kUnavailable));
  second = absl::CancelledError("let go");
  EXPECT_THAT(client_->OpenTenant(acme_, {}), IsOk());
}

TEST_F(LeaseTest, AbandonedReadingsDoNotHoldUpTheSession) {
  for (int i = 0; i < 8; ++i) {
    world_.Put(acme_, "large " + std::to_string(i), std::string(1 << 20, 'x'));
  }
  auto session = client_->OpenTenant(acme_, {});
  ASSERT_THAT(session, IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  Record record;
  for (int i = 0; i < 40; ++i) {
    auto rows = (*session)->ReadTable(kTable);
    ASSERT_THAT(rows, IsOk());
    ASSERT_THAT((*rows)->Next(&record), IsOk());
  }
  ASSERT_THAT((*session)->Apply(ReplaceOf("a", "old", "new")), IsOk());
  EXPECT_THAT((*session)->Seal(), IsOk());
}

}  // namespace
}  // namespace reinstate
