#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"
#include "tests/integration/live_remote/remote_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using Action = TcpProxy::Action;
using Direction = TcpProxy::Direction;

// What a client believes of its session, held against what is.
enum class Belief { kLost, kUnknown, kCommitted };

struct Ending {
  Belief belief = Belief::kLost;
  absl::Status status;
  CommitToken token;
};

// A whole session that replaces row "a" and inserts row "b", up to where it fails.
absl::Status RunSession(RemoteStore* client, const TenantId& tenant, Ending* ending) {
  ASSIGN_OR_RETURN(auto session, client->OpenTenant(tenant, {.purpose = "rst-test"}));
  RETURN_IF_ERROR(session->Begin());
  ASSIGN_OR_RETURN(auto rows, session->ReadTable(kTable));
  Record record;
  bool more = true;
  while (more) {
    ASSIGN_OR_RETURN(more, rows->Next(&record));
  }
  rows = nullptr;
  const RowKey key("b");
  RETURN_IF_ERROR(session->LookUp(kTable, {&key, 1}).status());
  RETURN_IF_ERROR(session->Apply(ReplaceOf("a", "old", "new")));
  RETURN_IF_ERROR(session->Apply(InsertOf("b", "new")));
  ASSIGN_OR_RETURN(ending->token, session->Seal());
  const absl::Status committed = session->Commit(absl::Now() + absl::Seconds(20));
  if (HasReason(committed, Reason::kCommitUnknown)) {
    ending->belief = Belief::kUnknown;
  } else if (committed.ok()) {
    ending->belief = Belief::kCommitted;
  }
  return committed;
}

class CutSweepTest : public testing::TestWithParam<Direction> {
 protected:
  static bool IsCommitted(RemoteWorld* world, const TenantId& tenant) {
    const std::pair<std::string, std::string> rows(world->Get(tenant, "a"),
                                                   world->Get(tenant, "b"));
    const bool after = rows == std::pair<std::string, std::string>("new", "new");
    EXPECT_TRUE(after || rows == (std::pair<std::string, std::string>("old", "(none)")))
        << "between: a is " << rows.first << ", b is " << rows.second;
    return after;
  }
};

// Every byte in turn would take minutes, and would show no more.
TEST_P(CutSweepTest, LeavesBeforeOrAfterAndTheClientNeverBelievesTheOther) {
  constexpr int kCuts = 400;
  RemoteWorld world;
  const auto direct = world.ConnectDirectly();
  const TenantId trial = TenantId::FromStored("trial");
  world.Put(trial, "a", "old");
  Ending whole;
  ASSERT_THAT(RunSession(world.Connect().get(), trial, &whole), IsOk());
  const int64_t bytes = world.proxy()->bytes(GetParam());

  std::map<std::pair<Belief, bool>, int> seen;
  for (int cut = 0; cut < kCuts; ++cut) {
    const TenantId tenant = TenantId::FromStored(absl::StrCat("tenant ", cut));
    world.Put(tenant, "a", "old");
    world.proxy()->Reset();
    world.proxy()->Inject(
        {.direction = GetParam(), .action = Action::kCut, .after = bytes * cut / kCuts});
    Ending ending;
    ending.status = RunSession(world.Connect().get(), tenant, &ending);

    // Whoever has the lock knows that the session has ended.
    const auto later = direct->OpenTenant(tenant, {.lock_timeout = absl::Seconds(10)});
    ASSERT_THAT(later, IsOk()) << "the lock was kept; cut " << cut;
    const bool committed = IsCommitted(&world, tenant);
    if (ending.belief == Belief::kLost) {
      EXPECT_FALSE(committed) << ending.status;
      EXPECT_EQ(ending.status.code(), absl::StatusCode::kUnavailable) << ending.status;
    } else if (ending.belief == Belief::kCommitted) {
      EXPECT_TRUE(committed);
    } else {
      const auto outcome = (*later)->Resolve(ending.token);
      ASSERT_THAT(outcome, IsOk());
      EXPECT_EQ(*outcome, committed ? CommitOutcome::kCommitted : CommitOutcome::kNotCommitted);
    }
    ++seen[{ending.belief, committed}];
  }
  const int unknown = seen[{Belief::kUnknown, true}] + seen[{Belief::kUnknown, false}];
  std::printf("of %d cuts: %d before the commit, %d in doubt (%d committed), %d after\n", kCuts,
              seen[{Belief::kLost, false}], unknown, seen[{Belief::kUnknown, true}],
              seen[{Belief::kCommitted, true}]);
  EXPECT_GT((seen[{Belief::kLost, false}]), 0);
  EXPECT_GT(unknown, 0);
}

INSTANTIATE_TEST_SUITE_P(Directions, CutSweepTest,
                         testing::Values(Direction::kToServer, Direction::kToClient),
                         [](const testing::TestParamInfo<Direction>& info) {
                           return info.param == Direction::kToServer ? "ToServer" : "ToClient";
                         });

class BrokenConnectionTest : public testing::Test {
 protected:
  void SetUp() override { world_.Put(acme_, "a", "old"); }

  std::unique_ptr<TenantSession> Transaction() {
    auto session = client_->OpenTenant(acme_, {.purpose = "rst-test"});
    EXPECT_THAT(session, IsOk());
    EXPECT_THAT((*session)->Begin(), IsOk());
    return *std::move(session);
  }

  RemoteWorld world_;
  std::unique_ptr<RemoteStore> client_ = world_.Connect();
  const TenantId acme_ = TenantId::FromStored("acme");
};

TEST_F(BrokenConnectionTest, DoesNotKnowACommitWhoseAnswerIsLostAndResolvesIt) {
  auto session = Transaction();
  ASSERT_THAT(session->Apply(ReplaceOf("a", "old", "new")), IsOk());
  const auto token = session->Seal();
  ASSERT_THAT(token, IsOk());
  world_.faults()->Arm("live.before_commit", [&] {
    world_.proxy()->CutAll();
    return absl::OkStatus();
  });
  const absl::Status unknown = session->Commit(absl::Now() + absl::Seconds(10));
  EXPECT_THAT(unknown, FailsWith(Reason::kCommitUnknown));
  EXPECT_EQ(unknown.message().find("nothing was committed"), absl::string_view::npos) << unknown;
  session = nullptr;
  const auto direct = world_.ConnectDirectly();
  const auto later = direct->OpenTenant(acme_, {});
  ASSERT_THAT(later, IsOk());
  const auto outcome = (*later)->Resolve(*token);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(*outcome, CommitOutcome::kCommitted) << "a commit under way is finished";
  EXPECT_EQ(world_.Get(acme_, "a"), "new");
}

TEST_F(BrokenConnectionTest, KnowsThatACommitWasNotSentOnABrokenStream) {
  auto session = Transaction();
  ASSERT_THAT(session->Apply(ReplaceOf("a", "old", "new")), IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  world_.proxy()->CutAll();
  ASSERT_TRUE(world_.LockIsFree(acme_, absl::Seconds(10)));
  const absl::Status status = session->Commit(absl::Now() + absl::Seconds(10));
  EXPECT_TRUE(HasReason(status, Reason::kSessionLost) || HasReason(status, Reason::kCommitUnknown))
      << status;
  EXPECT_EQ(world_.Get(acme_, "a"), "old");
}

TEST_F(BrokenConnectionTest, FindsAServerThatWasRestarted) {
  auto session = Transaction();
  ASSERT_THAT(session->Apply(ReplaceOf("a", "old", "new")), IsOk());
  world_.StopServer();
  EXPECT_THAT(session->Seal(), FailsWith(Reason::kSessionLost));
  session = nullptr;
  EXPECT_THAT(client_->Identity(), FailsWith(Reason::kUnavailable));
  EXPECT_THAT(client_->OpenTenant(acme_, {}), FailsWith(Reason::kUnavailable));
  EXPECT_FALSE(client_->ProbeHealth().writable);
  EXPECT_EQ(client_->ProbeHealth().pressure, kUnreachable);
  world_.StartServer();
  absl::StatusOr<StoreIdentity> identity = client_->Identity();
  for (const absl::Time end = absl::Now() + absl::Seconds(20);
       !identity.ok() && absl::Now() < end;) {
    identity = client_->Identity();
  }
  ASSERT_THAT(identity, IsOk());
  EXPECT_EQ(identity->id, "memory");
  EXPECT_THAT(Transaction()->Rollback(), IsOk());
  EXPECT_EQ(world_.Get(acme_, "a"), "old");
}

TEST_F(BrokenConnectionTest, AShutDownRollsBackButFinishesACommit) {
  auto idle = Transaction();
  const TenantId other = TenantId::FromStored("other");
  auto opened = client_->OpenTenant(other, {});
  ASSERT_THAT(opened, IsOk());
  ASSERT_THAT((*opened)->Begin(), IsOk());
  ASSERT_THAT((*opened)->Apply(InsertOf("b", "new")), IsOk());
  ASSERT_THAT((*opened)->Seal(), IsOk());
  world_.faults()->Arm("live.before_commit", [&] {
    world_.server()->Drain();
    // The other session is gone before this one goes on.
    EXPECT_TRUE(world_.LockIsFree(acme_, absl::Seconds(10)));
    return absl::OkStatus();
  });
  EXPECT_THAT((*opened)->Commit(absl::Now() + absl::Seconds(20)), IsOk());
  EXPECT_EQ(world_.Get(other, "b"), "new");
  EXPECT_THAT(idle->Seal(), FailsWith(Reason::kSessionLost));
  EXPECT_THAT(client_->OpenTenant(acme_, {}), FailsWith(Reason::kUnavailable));
}

TEST_F(BrokenConnectionTest, RowsOfManyMegabytesGetThroughInPartsBothWays) {
  const std::string large(3 << 20, 'x');
  const std::string larger(5'000'001, 'y');
  world_.Put(acme_, "large", large);
  auto session = Transaction();
  auto rows = session->ReadTable(kTable);
  ASSERT_THAT(rows, IsOk());
  Record record;
  ASSERT_THAT((*rows)->Next(&record), IsOk());
  ASSERT_THAT((*rows)->Next(&record), IsOk());
  EXPECT_EQ(record.key, RowKey("large"));
  EXPECT_EQ(record.payload, large);
  *rows = nullptr;
  const RowKey key("large");
  const auto states = session->LookUp(kTable, {&key, 1});
  ASSERT_THAT(states, IsOk());
  EXPECT_EQ(states->front().payload, large);
  ASSERT_THAT(session->Apply(ReplaceOf("large", large, larger)), IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  ASSERT_THAT(session->Commit(absl::Now() + absl::Seconds(20)), IsOk());
  EXPECT_EQ(world_.Get(acme_, "large"), larger);

  const auto cut = client_->OpenCut({.max_shards = 2});
  ASSERT_THAT(cut, IsOk());
  TenantRow row;
  std::map<std::string, std::string> all;
  for (int shard = 0; shard < (*cut)->shards(); ++shard) {
    const auto stream = (*cut)->OpenShard(shard);
    ASSERT_THAT(stream, IsOk());
    for (absl::StatusOr<bool> more = (*stream)->Next(&row); more.ok() && *more;
         more = (*stream)->Next(&row)) {
      all[row.record.key.bytes()] = row.record.payload;
    }
  }
  EXPECT_EQ(all["large"], larger);
  EXPECT_EQ(all.size(), 2U);
}

TEST_F(BrokenConnectionTest, RefusesPayloadsOverTheLimit) {
  const auto small = RemoteStore::Create(
      {.address = LoopbackAddress(world_.proxy()->port()), .max_payload_bytes = 1000});
  ASSERT_THAT(small, IsOk());
  world_.Put(acme_, "large", std::string(2000, 'x'));
  auto session = (*small)->OpenTenant(acme_, {});
  ASSERT_THAT(session, IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  EXPECT_THAT((*session)->Apply(InsertOf("b", std::string(1001, 'x'))),
              FailsWith(Reason::kTooLarge));
  ASSERT_THAT((*session)->Rollback(), IsOk());
  ASSERT_THAT((*session)->Begin(), IsOk());
  const RowKey key("large");
  EXPECT_THAT((*session)->LookUp(kTable, {&key, 1}), FailsWith(Reason::kTooLarge));
}

TEST_F(BrokenConnectionTest, ACancelEndsTheWaitThoughTheStoreHangs) {
  auto opened = client_->OpenTenant(acme_, {});
  ASSERT_THAT(opened, IsOk());
  Mutex mu;
  CondVar changed;
  bool hangs = false;
  bool go_on = false;
  world_.faults()->Arm("live.begin", [&] {
    MutexLock lock(&mu);
    hangs = true;
    changed.SignalAll();
    while (!go_on) {
      changed.Wait(&mu);
    }
    return absl::OkStatus();
  });
  std::thread canceller([&] {
    MutexLock lock(&mu);
    while (!hangs) {
      changed.Wait(&mu);
    }
    (*opened)->Cancel();
  });
  EXPECT_THAT((*opened)->Begin(), FailsWith(Reason::kCancelled));
  canceller.join();
  {
    MutexLock lock(&mu);
    go_on = true;
    changed.SignalAll();
  }
  EXPECT_THAT((*opened)->Rollback(), IsOk());
  EXPECT_THAT((*opened)->Begin(), FailsWith(Reason::kCancelled)) << "all later ones";
}

TEST_F(BrokenConnectionTest, PassesOnWhatTheStoreFailsWith) {
  EXPECT_THAT(client_->OpenTenant(TenantId::FromStored(std::string("a\0b", 3)), {}),
              FailsWith(Reason::kTenantIdInvalid));
  const auto elsewhere = RemoteStore::Create(
      {.address = LoopbackAddress(world_.proxy()->port()), .store = "no such store"});
  ASSERT_THAT(elsewhere, IsOk());
  EXPECT_THAT((*elsewhere)->Identity(), FailsWith(Reason::kStoreNotFound));
  EXPECT_THAT((*elsewhere)->OpenTenant(acme_, {}), FailsWith(Reason::kStoreNotFound));
  const auto lock = world_.store()->OpenTenant(acme_, {});
  ASSERT_THAT(lock, IsOk());
  EXPECT_THAT(client_->OpenTenant(acme_, {.lock_timeout = absl::Milliseconds(10)}),
              FailsWith(Reason::kTenantBusy));
  world_.faults()->Arm("live.open_cut",
                       [] { return MakeError(Reason::kNoSpace, "the disk is full"); });
  EXPECT_THAT(client_->OpenCut({}), FailsWith(Reason::kNoSpace));
}

TEST_F(BrokenConnectionTest, ExpectsTheWorstOfAStoreThatCannotBeAskedForItsCapabilities) {
  world_.StopServer();
  EXPECT_TRUE(client_->Capabilities().keys_span_tenants);
  EXPECT_FALSE(client_->Capabilities().resolves_tokens);
  world_.StartServer();
  const auto direct = world_.ConnectDirectly();
  EXPECT_FALSE(direct->Capabilities().keys_span_tenants);
  EXPECT_TRUE(direct->Capabilities().resolves_tokens);
  world_.StopServer();
  EXPECT_TRUE(direct->Capabilities().resolves_tokens) << "as it said last";
}

}  // namespace
}  // namespace reinstate
