// The connection between the daemon and PostgreSQL is cut, stalled and delayed at random places, in
// both directions, COMMIT and its answer included: the tenant is as before or as after, and the
// daemon says which.

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/daemon_world.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tcp_proxy.h"

namespace reinstate {
namespace {

using Direction = TcpProxy::Direction;
using Action = TcpProxy::Action;

class PostgresBrokenConnection : public testing::Test {
 protected:
  PostgresBrokenConnection()
      : tracker_(PostgresServer::Shared(), {300, 30, 120}),
        proxy_(tracker_.server()->port()),
        daemon_(tracker_.DaemonArguments(proxy_.port())) {
    daemon_.Start();
    daemon_.TakeSnapshot();
    at_first_ = tracker_.Read(kVictim);
    tracker_.Delete({kVictim});
    writer_ = tracker_.Write({0, 1}, /*seed=*/6);
  }

  std::string Create(v1::RestoreMode mode, const std::string& request_id) {
    return daemon_.CreateRestore(tracker_.Tenant(kVictim), mode, request_id);
  }

  // How many bytes a restore takes in this direction.
  int64_t BytesOfOne(v1::RestoreMode mode, Direction direction, const std::string& request_id) {
    proxy_.Reset();
    const std::string id = Create(mode, request_id);
    EXPECT_EQ(daemon_.WaitForEnd(id).state(), v1::RESTORE_STATE_SUCCEEDED);
    const int64_t bytes = proxy_.bytes(direction);
    TakeBack(id);
    return bytes;
  }

  void TakeBack(const std::string& id) {
    const v1::Restore undo = daemon_.WaitForEnd(daemon_.CreateUndo(id, absl::StrCat("undo ", id)));
    EXPECT_EQ(undo.state(), v1::RESTORE_STATE_SUCCEEDED) << undo.failure().message();
  }

  // Restores with a fault at a place, which is lifted once it has struck and `lasts` has passed.
  // Returns the restore's end.
  v1::Restore RestoreWith(v1::RestoreMode mode, const TcpProxy::Fault& fault, absl::Duration lasts,
                          const std::string& request_id) {
    proxy_.Reset();
    proxy_.Inject(fault);
    const std::string id = Create(mode, request_id);
    const absl::Time until = absl::Now() + absl::Seconds(10);
    while (proxy_.bytes(fault.direction) < fault.after && absl::Now() < until) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    absl::SleepFor(lasts);
    proxy_.Reset();
    return daemon_.WaitForEnd(id);
  }

  // Restores with a cut around the COMMIT of its own transaction, of all that go through the proxy.
  v1::Restore RestoreCutAtCommit(TcpProxy::Place place, const std::string& request_id) {
    proxy_.Reset();
    proxy_.CutAt("session_replication_role = replica", std::string("COMMIT\0", 7), place);
    const std::string id = Create(v1::RESTORE_MODE_CREATE_MISSING, request_id);
    const v1::Restore restore = daemon_.WaitForEnd(id);
    EXPECT_TRUE(proxy_.has_cut()) << request_id;
    proxy_.Reset();
    return restore;
  }

  // The tenant is as the end of the restore says, and made ready for the next fault.
  void ExpectAsItSays(const v1::Restore& restore, const std::string& when) {
    const SiteRows found = tracker_.Read(kVictim);
    if (restore.state() == v1::RESTORE_STATE_SUCCEEDED) {
      ASSERT_TRUE(found == at_first_) << when;
      TakeBack(restore.id());
    } else {
      ASSERT_EQ(restore.state(), v1::RESTORE_STATE_FAILED) << when;
      EXPECT_TRUE(restore.failure().retryable()) << when << restore.failure().message();
    }
    ASSERT_TRUE(tracker_.Read(kVictim) == SiteRows())
        << when << ", " << v1::RestoreState_Name(restore.state()) << " "
        << restore.failure().message() << daemon_.Output();
    ++ends_[restore.state()];
    answers_lost_ += daemon_.WasFoundOut(restore.id()) ? 1 : 0;
  }

  void ExpectNobodyElseLostAnything() {
    EXPECT_THAT(writer_->Stop(), IsOk());
    EXPECT_GT(writer_->commits(), 100) << "it must have written meanwhile";
    tracker_.ExpectAllAsItMustBe();
  }

  static constexpr size_t kVictim = 2;

  TrackerWorld tracker_;
  TcpProxy proxy_;
  DaemonWorld daemon_;
  SiteRows at_first_;
  std::unique_ptr<SiteWriter> writer_;
  std::map<v1::RestoreState, int> ends_;
  int answers_lost_ = 0;       // commits that were found out about afterwards
  int64_t bytes_[2] = {0, 0};  // of a whole restore, by direction
  std::mt19937 random_{20220405};
};

TEST_F(PostgresBrokenConnection, CutAnywhereLeavesWhatTheDaemonSays) {
  constexpr int kCuts = 102;  // in each direction
  constexpr int kEndBytes = 300;
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    const std::string whole = absl::StrCat("whole ", static_cast<int>(direction));
    const int64_t bytes = BytesOfOne(v1::RESTORE_MODE_MIRROR, direction, whole);
    // Which looks at nothing after its commit.
    const int64_t bytes_to_end =
        BytesOfOne(v1::RESTORE_MODE_CREATE_MISSING, direction, absl::StrCat(whole, ", no mirror"));
    for (int i = 0; i < kCuts; ++i) {
      // A third of them in steps over the end, where COMMIT and its answer are.
      const bool at_end = i % 3 == 0;
      const int64_t after = at_end ? bytes_to_end - kEndBytes + i * kEndBytes / kCuts
                                   : std::uniform_int_distribution<int64_t>(0, bytes)(random_);
      const absl::Duration lasts =
          absl::Milliseconds(std::uniform_int_distribution<int>(0, 20)(random_));
      const std::string when =
          absl::StrCat("cut ", i, " to ", direction == Direction::kToServer ? "server" : "daemon",
                       " after ", after, " bytes");
      ExpectAsItSays(RestoreWith(at_end ? v1::RESTORE_MODE_CREATE_MISSING : v1::RESTORE_MODE_MIRROR,
                                 {.direction = direction, .action = Action::kCut, .after = after},
                                 lasts, when),
                     when);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
  std::printf("%d cuts: %d restores succeeded, %d failed; the answers to %d commits were lost\n",
              2 * kCuts, ends_[v1::RESTORE_STATE_SUCCEEDED], ends_[v1::RESTORE_STATE_FAILED],
              answers_lost_);
  EXPECT_GT(ends_[v1::RESTORE_STATE_SUCCEEDED], kCuts);
  ExpectNobodyElseLostAnything();
}

TEST_F(PostgresBrokenConnection, CutAroundTheCommitLeavesWhatTheDaemonSays) {
  constexpr int kEach = 12;
  using Place = TcpProxy::Place;
  std::map<Place, int> lost;  // answers to commits that took place
  for (const Place place :
       {Place::kBeforeText, Place::kAfterText, Place::kBeforeAnswer, Place::kAfterAnswer}) {
    const int lost_before = answers_lost_;
    for (int i = 0; i < kEach; ++i) {
      const std::string when = absl::StrCat("place ", static_cast<int>(place), ", cut ", i);
      const v1::Restore restore = RestoreCutAtCommit(place, when);
      EXPECT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED)
          << when << ": " << restore.failure().message();
      ExpectAsItSays(restore, when);
      if (HasFatalFailure()) {
        return;
      }
    }
    lost[place] = answers_lost_ - lost_before;
  }
  std::printf(
      "%d cuts around COMMIT; found out afterwards: %d before it, %d after it, %d before "
      "its answer, %d after that\n",
      4 * kEach, lost[Place::kBeforeText], lost[Place::kAfterText], lost[Place::kBeforeAnswer],
      lost[Place::kAfterAnswer]);
  EXPECT_EQ(lost[Place::kBeforeText], 0) << "it did not take place, and was done again";
  EXPECT_EQ(lost[Place::kBeforeAnswer], kEach) << "it took place, as the server said in vain";
  // An answer that was passed on may still be lost with its connection, before the daemon reads it:
  // both ends are right.
  ExpectNobodyElseLostAnything();
}

TEST_F(PostgresBrokenConnection, StallsAndDelaysAreWaitedFor) {
  constexpr int kTimes = 30;
  for (int i = 0; i < kTimes; ++i) {
    const Direction direction = i % 2 == 0 ? Direction::kToServer : Direction::kToClient;
    const int64_t bytes =
        i < 2 ? BytesOfOne(v1::RESTORE_MODE_MIRROR, direction, absl::StrCat("whole ", i))
              : bytes_[i % 2];
    bytes_[i % 2] = bytes;
    const int64_t after = std::uniform_int_distribution<int64_t>(0, bytes - 1)(random_);
    const Action action = i % 3 == 0 ? Action::kDelay : Action::kStall;
    const std::string when = absl::StrCat("held up after ", after, " bytes, ", i);
    const v1::Restore restore = RestoreWith(v1::RESTORE_MODE_MIRROR,
                                            {.direction = direction,
                                             .action = action,
                                             .after = after,
                                             .count_messages = false,
                                             .delay = absl::Milliseconds(10)},
                                            absl::Milliseconds(60), when);
    EXPECT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED)
        << when << ": " << restore.failure().message();
    ExpectAsItSays(restore, when);
    if (HasFatalFailure()) {
      return;
    }
  }
  ExpectNobodyElseLostAnything();
}

}  // namespace
}  // namespace reinstate
