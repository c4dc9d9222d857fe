// kill -9 of the daemon while it restores a tenant of PostgreSQL, at every step and at random: the
// tenant is as before or as after, never between; the next start goes on by itself; the writers of
// others lose nothing.

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/fault_points.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/daemon_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

struct Phase {
  const char* name;
  const char* place;  // a fault point
  int hits;           // how many hits of it there are to choose from, about
};

// In the order in which a restore passes them.
const std::vector<Phase> kPhases = {
    {"planning", "restore.planning", 1},
    {"applying", "restore.applying", 100},
    {"reading back", "restore.verifying", 1},
    {"before the synced batch", "restore.before_intent", 1},
    {"after the synced batch", "restore.after_intent", 1},
    {"before the commit", "live.before_commit", 1},
    {"after the commit", "live.after_commit", 1},
    {"before the outcome", "restore.after_commit", 1},
};

class PostgresKill : public testing::Test {
 protected:
  PostgresKill()
      : tracker_(PostgresServer::Shared(), {400, 30, 1'500, 60}),
        daemon_(tracker_.DaemonArguments()) {
    daemon_.Start();
    daemon_.TakeSnapshot();
    at_first_ = tracker_.Read(kVictim);
    tracker_.Delete({kVictim});
    // Work since the deletion, which a mirror removes.
    tracker_.Run(
        absl::StrCat("INSERT INTO sites SELECT id, name || ' (new)', plan, 1, '{}', now() "
                     "FROM (VALUES (",
                     tracker_.Tenant(kVictim), ", 'a new site', 'free')) AS v (id, name, plan)"));
    before_ = tracker_.Read(kVictim);
    writer_ = tracker_.Write({0, 1, 3}, /*seed=*/5);
  }

  // Once nothing of the killed daemon is left in the server: the victim, which must be wholly
  // before or wholly after. Returns whether it is after.
  bool IsAfter(const std::string& when) {
    tracker_.AwaitDaemonGone();
    const SiteRows found = tracker_.Read(kVictim);
    EXPECT_TRUE(found == before_ || found == at_first_) << "it is between, killed " << when;
    return found == at_first_;
  }

  std::string Create(const std::string& request_id) {
    return daemon_.CreateRestore(tracker_.Tenant(kVictim), v1::RESTORE_MODE_MIRROR, request_id);
  }

  // How long a restore takes that is left alone.
  absl::Duration TimeOfOne() {
    const absl::Time start = absl::Now();
    const std::string id = Create("left alone");
    EXPECT_EQ(daemon_.WaitForEnd(id).state(), v1::RESTORE_STATE_SUCCEEDED);
    const absl::Duration time = absl::Now() - start;
    EXPECT_EQ(daemon_.WaitForEnd(daemon_.CreateUndo(id, "undo it")).state(),
              v1::RESTORE_STATE_SUCCEEDED);
    return time;
  }

  // The next start goes on by itself; then the tenant is put back to how it was, for the next kill.
  void ExpectItGoesOn(const std::string& id, const std::string& when) {
    daemon_.Start();
    const v1::Restore restore = daemon_.WaitForEnd(id);
    ASSERT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED)
        << when << ": " << restore.failure().message() << daemon_.Output();
    EXPECT_TRUE(restore.has_certificate()) << when;
    EXPECT_TRUE(tracker_.Read(kVictim) == at_first_) << when;
    const v1::Restore undo = daemon_.WaitForEnd(daemon_.CreateUndo(id, absl::StrCat("undo ", id)));
    ASSERT_EQ(undo.state(), v1::RESTORE_STATE_SUCCEEDED)
        << when << ": " << undo.failure().message();
    EXPECT_TRUE(tracker_.Read(kVictim) == before_) << when;
  }

  void ExpectNobodyElseLostAnything() {
    EXPECT_THAT(writer_->Stop(), IsOk());
    EXPECT_GT(writer_->commits(), 100) << "it must have written meanwhile";
    tracker_.expected()->Set(tracker_.Id(kVictim), before_);
    tracker_.ExpectAllAsItMustBe();
  }

  static constexpr size_t kVictim = 2;

  TrackerWorld tracker_;
  DaemonWorld daemon_;
  SiteRows at_first_;
  SiteRows before_;
  std::unique_ptr<SiteWriter> writer_;
  std::mt19937 random_{20220405};
};

TEST_F(PostgresKill, InAnyPhaseLeavesBeforeOrAfterAndTheRestoreGoesOn) {
  std::map<std::string, int> found_after;
  for (const Phase& phase : kPhases) {
    const int hit = std::uniform_int_distribution<int>(1, phase.hits)(random_);
    const std::string when = absl::StrCat("at ", phase.place, " (hit ", hit, ")");
    daemon_.Start(absl::StrCat(phase.place, "=crash@", hit));
    const std::string request_id = absl::StrCat("restore ", phase.place);
    std::string id = Create(request_id);
    ASSERT_EQ(daemon_.daemon()->WaitForEnd(absl::Seconds(60)), FaultPoints::kCrashExitCode)
        << when << daemon_.Output();
    found_after[phase.name] = IsAfter(when) ? 1 : 0;
    if (id.empty()) {
      // The daemon ended before it answered; the same request finds the same restore.
      daemon_.Start();
      id = Create(request_id);
    }
    ExpectItGoesOn(id, when);
    if (HasFatalFailure()) {
      return;
    }
  }
  // What is committed is after; what is not, is before: the phases are those that they are called.
  EXPECT_EQ(found_after["before the commit"], 0);
  EXPECT_EQ(found_after["after the commit"], 1);
  ExpectNobodyElseLostAnything();
}

TEST_F(PostgresKill, AtRandomMomentsLeavesBeforeOrAfterAndTheRestoreGoesOn) {
  constexpr int kKills = 16;
  absl::Duration whole = TimeOfOne();
  int after = 0;
  for (int i = 0; i < kKills; ++i) {
    const absl::Duration delay = std::uniform_real_distribution<double>(0, 1.2)(random_) * whole;
    const std::string when = absl::StrCat("after ", absl::FormatDuration(delay));
    daemon_.Start();
    const std::string id = Create(absl::StrCat("random ", i));
    absl::SleepFor(delay);
    daemon_.daemon()->Kill();
    const bool is_after = IsAfter(when);
    after += is_after ? 1 : 0;
    // How long one takes changes with the load of the machine.
    whole *= is_after ? 0.9 : 1.1;
    ExpectItGoesOn(id, when);
    if (HasFatalFailure()) {
      return;
    }
  }
  std::printf("%d kills at random moments: %d found the tenant after, %d before\n", kKills, after,
              kKills - after);
  EXPECT_GT(after, 0) << "some of them must come after the commit";
  EXPECT_LT(after, kKills) << "and some before it";
  ExpectNobodyElseLostAnything();
}

}  // namespace
}  // namespace reinstate
