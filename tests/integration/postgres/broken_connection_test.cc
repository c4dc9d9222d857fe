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

  std::string Create(const std::string& request_id) {
    return daemon_.CreateRestore(tracker_.Tenant(kVictim), v1::RESTORE_MODE_MIRROR, request_id);
  }

  // How many bytes a restore, and its undo, take in this direction.
  int64_t BytesOfOne(Direction direction, const std::string& request_id) {
    proxy_.Reset();
    const std::string id = Create(request_id);
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
  v1::Restore RestoreWith(const TcpProxy::Fault& fault, absl::Duration lasts,
                          const std::string& request_id) {
    proxy_.Reset();
    proxy_.Inject(fault);
    const std::string id = Create(request_id);
    const absl::Time until = absl::Now() + absl::Seconds(10);
    while (proxy_.bytes(fault.direction) < fault.after && absl::Now() < until) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    absl::SleepFor(lasts);
    proxy_.Reset();
    return daemon_.WaitForEnd(id);
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
  int64_t bytes_[2] = {0, 0};  // of a whole restore, by direction
  std::mt19937 random_{20220405};
};

TEST_F(PostgresBrokenConnection, CutAnywhereLeavesWhatTheDaemonSays) {
  constexpr int kCuts = 100;  // in each direction
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    const int64_t bytes =
        BytesOfOne(direction, absl::StrCat("whole ", static_cast<int>(direction)));
    for (int i = 0; i < kCuts; ++i) {
      // A third of them near the end, where COMMIT and its answer are.
      const int64_t first = i % 3 == 0 ? bytes - 300 : 0;
      const int64_t after = std::uniform_int_distribution<int64_t>(first, bytes)(random_);
      const absl::Duration lasts =
          absl::Milliseconds(std::uniform_int_distribution<int>(0, 20)(random_));
      const std::string when =
          absl::StrCat("cut ", i, " to ", direction == Direction::kToServer ? "server" : "daemon",
                       " after ", after, " bytes");
      ExpectAsItSays(RestoreWith({.direction = direction, .action = Action::kCut, .after = after},
                                 lasts, when),
                     when);
      if (HasFatalFailure()) {
        return;
      }
    }
  }
  std::printf("%d cuts: %d restores succeeded, %d failed\n", 2 * kCuts,
              ends_[v1::RESTORE_STATE_SUCCEEDED], ends_[v1::RESTORE_STATE_FAILED]);
  ExpectNobodyElseLostAnything();
}

TEST_F(PostgresBrokenConnection, StallsAndDelaysAreWaitedFor) {
  constexpr int kTimes = 30;
  for (int i = 0; i < kTimes; ++i) {
    const Direction direction = i % 2 == 0 ? Direction::kToServer : Direction::kToClient;
    const int64_t bytes = i < 2 ? BytesOfOne(direction, absl::StrCat("whole ", i)) : bytes_[i % 2];
    bytes_[i % 2] = bytes;
    const int64_t after = std::uniform_int_distribution<int64_t>(0, bytes - 1)(random_);
    const Action action = i % 3 == 0 ? Action::kDelay : Action::kStall;
    const std::string when = absl::StrCat("held up after ", after, " bytes, ", i);
    const v1::Restore restore = RestoreWith({.direction = direction,
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
