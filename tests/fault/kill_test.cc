// kill -9 of the daemon at every step of a restore or undo and at random moments: the tenant is
// always as before or as after, never between; it goes on by itself after the next start; what was
// undone is undone once; nobody else loses a write.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/base/fault_points.h"
#include "tests/support/daemon_world.h"

namespace reinstate {
namespace {

const std::vector<std::string> kTables = {"comments", "issues", "tenant"};
const char kSmall[] = "small";  // changes as one batch
const char kLarge[] = "large";  // changes as a new generation
const char kBystander[] = "bystander";
const std::vector<std::string> kTenants = {kSmall, kLarge, kBystander};

struct Phase {
  const char* name;
  const char* place;  // a fault point
  int hits;           // how many hits of it there are to choose from, about
};

// In the order in which a restore passes them.
const std::vector<Phase> kPhases = {
    {"planning", "restore.planning", 1},
    {"applying", "restore.applying", 150},
    {"reading back", "restore.verifying", 1},
    {"before the synced batch", "restore.before_intent", 1},
    {"after the synced batch", "restore.after_intent", 1},
    {"before the commit", "live.before_commit", 1},
    {"after the commit", "live.after_commit", 1},
    {"before the outcome", "restore.after_commit", 1},
};

const char kNotBegun[] = "not begun";
const char kEnded[] = "ended";
constexpr int kRandomKills = 12;     // of restores of each tenant
constexpr int kRandomUndoKills = 4;  // of undos

// What is killed.
enum class Work { kRestore, kUndo };

// A restore or undo of a tenant that is to be killed.
struct Victim {
  Work work = Work::kRestore;
  std::string tenant;
  std::string undone;  // by an undo: the restore
  std::string request_id;
  std::string id;
};

// Kills that fell into one phase.
struct Tally {
  int aimed = 0;
  int random = 0;
  int found_after = 0;
};

// Fault points with which a daemon says which phase it has reached.
std::string Traces() {
  return absl::StrJoin(kPhases, ",", [](std::string* out, const Phase& phase) {
    absl::StrAppend(out, phase.place, "=trace");
  });
}

// The last phase in what a daemon with Traces has said, in the words of kPhases.
std::string ReachedPhase(const std::string& output) {
  if (absl::StrContains(output, "restore ended")) {
    return kEnded;
  }
  std::string reached = kNotBegun;
  size_t last = 0;
  for (const Phase& phase : kPhases) {
    const size_t at = output.rfind(absl::StrCat("fault point ", phase.place, " reached"));
    if (at != std::string::npos && at >= last) {
      last = at;
      reached = phase.name;
    }
  }
  return reached;
}

std::map<std::string, std::map<std::string, std::string>> MakeTenant(int rows,
                                                                     size_t payload_bytes) {
  std::map<std::string, std::map<std::string, std::string>> tables;
  tables["tenant"]["name"] = "A Tenant";
  for (int i = 0; i < rows; ++i) {
    tables[i % 3 == 0 ? "issues" : "comments"][absl::StrCat("row ", i)] =
        absl::StrCat(i, std::string(payload_bytes, static_cast<char>('a' + i % 26)));
  }
  return tables;
}

// Writes to another tenant until told to end or the daemon is gone; keeps what was acknowledged.
class Bystander {
 public:
  explicit Bystander(DaemonWorld* world) : world_(world), thread_([this] { Run(); }) {}
  ~Bystander() { Stop(); }

  // What must be there; `maybe` may be.
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  std::map<std::string, std::string> acknowledged;
  std::string maybe;  // the key whose write was not answered

 private:
  void Run() {
    for (int i = 0; !stop_; ++i) {
      const std::string key = absl::StrCat("write ", i % 500);
      const std::string payload =
          absl::StrCat("payload ", i, " of ", absl::ToUnixMicros(absl::Now()));
      if (!world_->Put(kBystander, "issues", key, payload)) {
        maybe = key;
        return;
      }
      acknowledged[key] = payload;
    }
  }

  DaemonWorld* const world_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class KillTest : public testing::Test {
 protected:
  KillTest() {
    world_.Start();
    point_[kSmall] = MakeTenant(150, 100);
    point_[kLarge] = MakeTenant(1200, 6000);  // more than a batch may hold
    for (const auto& [tenant, tables] : point_) {
      world_.Write(tenant, tables);
    }
    world_.TakeSnapshot();
    // What a clean-up script did, and some work since.
    for (const char* tenant : {kSmall, kLarge}) {
      world_.DeleteTenant(tenant);
      world_.Write(tenant, {{"issues", {{"row 0", "written again"}, {"since", "the deletion"}}}});
      before_[tenant] = world_.Read({tenant}, kTables)[tenant];
    }
  }

  // What is to be killed, up to where it can begin.
  Victim Prepare(Work work, const std::string& tenant) {
    Victim victim{.work = work, .tenant = tenant, .request_id = NextRequest()};
    if (work == Work::kUndo) {
      world_.Start();
      victim.undone = world_.CreateRestore(tenant, v1::RESTORE_MODE_MIRROR, NextRequest());
      EXPECT_EQ(world_.WaitForEnd(victim.undone).state(), v1::RESTORE_STATE_SUCCEEDED);
    }
    return victim;
  }

  // Orders it, unless its request has made it before. Leaves no id if the daemon ended before it
  // answered.
  void Order(Victim* victim) {
    victim->id =
        victim->work == Work::kUndo
            ? world_.CreateUndo(victim->undone, victim->request_id)
            : world_.CreateRestore(victim->tenant, v1::RESTORE_MODE_MIRROR, victim->request_id);
  }

  const std::map<std::string, std::map<std::string, std::string>>& After(const Victim& victim) {
    return (victim.work == Work::kUndo ? before_ : point_)[victim.tenant];
  }
  const std::map<std::string, std::map<std::string, std::string>>& Before(const Victim& victim) {
    return (victim.work == Work::kUndo ? point_ : before_)[victim.tenant];
  }

  // The tenant while no daemon runs, which must be wholly before or wholly after. Returns whether
  // it is after.
  bool IsAfter(const Victim& victim, const std::string& when) {
    const auto found = world_.ReadAtRest({victim.tenant}, kTables)[victim.tenant];
    EXPECT_TRUE(found == Before(victim) || found == After(victim))
        << victim.tenant << " is between, killed " << when;
    return found == After(victim);
  }

  void ExpectBystanderWhole(const Bystander& bystander, const std::string& when) {
    auto found = world_.ReadAtRest({kBystander}, {"issues"})[kBystander]["issues"];
    for (const auto& [key, payload] : bystander.acknowledged) {
      if (key != bystander.maybe) {
        EXPECT_EQ(found[key], payload) << key << " of the bystander was lost, killed " << when;
      }
    }
  }

  // The next start goes on by itself; then the tenant is put back to how it was, for the next kill.
  void ExpectItGoesOn(const Victim& victim, const std::string& when) {
    world_.Start();
    const v1::Restore ended = world_.WaitForEnd(victim.id);
    ASSERT_EQ(ended.state(), v1::RESTORE_STATE_SUCCEEDED)
        << when << ": " << ended.failure().message();
    EXPECT_TRUE(ended.has_certificate()) << when;
    EXPECT_EQ(world_.Read({victim.tenant}, kTables)[victim.tenant], After(victim)) << when;
    if (victim.work == Work::kUndo) {
      ExpectUndoneOnce(victim, when);
      return;
    }
    const v1::Restore undo =
        world_.WaitForEnd(world_.CreateUndo(victim.id, absl::StrCat("undo ", victim.id)));
    ASSERT_EQ(undo.state(), v1::RESTORE_STATE_SUCCEEDED)
        << when << ": " << undo.failure().message();
    EXPECT_EQ(world_.Read({victim.tenant}, kTables)[victim.tenant], before_[victim.tenant]) << when;
  }

  // The same request is that undo, and another one is refused: what has been written since stays.
  void ExpectUndoneOnce(const Victim& victim, const std::string& when) {
    EXPECT_EQ(world_.WaitForEnd(victim.undone).state(), v1::RESTORE_STATE_UNDONE) << when;
    world_.Write(victim.tenant, {{"issues", {{"row 0", "newer than the undo"}}}});
    EXPECT_EQ(world_.CreateUndo(victim.undone, victim.request_id), victim.id) << when;
    EXPECT_EQ(world_.TryUndo(victim.undone, NextRequest()), grpc::StatusCode::FAILED_PRECONDITION)
        << when;
    auto wanted = before_[victim.tenant];
    wanted["issues"]["row 0"] = "newer than the undo";
    EXPECT_EQ(world_.Read({victim.tenant}, kTables)[victim.tenant], wanted) << when;
    world_.Write(victim.tenant,
                 {{"issues", {{"row 0", before_[victim.tenant]["issues"]["row 0"]}}}});
  }

  // Kills the daemon in that phase of a restore or undo, at one of the hits of its place.
  void KillAt(const Phase& phase, Work work, const std::string& tenant) {
    Victim victim = Prepare(work, tenant);
    const int hit = std::uniform_int_distribution<int>(1, phase.hits)(random_);
    const std::string when = absl::StrCat("at ", phase.place, " (hit ", hit, ")");
    world_.Start(absl::StrCat(phase.place, "=crash@", hit));
    Bystander bystander(&world_);
    Order(&victim);
    ASSERT_EQ(world_.daemon()->WaitForEnd(absl::Seconds(60)), FaultPoints::kCrashExitCode)
        << when << world_.Output();
    bystander.Stop();
    Tally& tally = tallies_[phase.name];
    ++tally.aimed;
    tally.found_after += IsAfter(victim, when) ? 1 : 0;
    ExpectBystanderWhole(bystander, when);
    if (victim.id.empty()) {
      // The daemon ended before it answered; the same request finds the same restore.
      world_.Start();
      Order(&victim);
    }
    ExpectItGoesOn(victim, when);
  }

  // Kills the daemon after `delay`, wherever it is by then.
  void KillAfter(absl::Duration delay, Work work, const std::string& tenant) {
    Victim victim = Prepare(work, tenant);
    world_.Start(Traces());
    const size_t begin = world_.daemon()->Output().size();
    Bystander bystander(&world_);
    Order(&victim);
    absl::SleepFor(delay);
    world_.daemon()->Kill();
    bystander.Stop();
    const std::string phase = ReachedPhase(world_.daemon()->Output().substr(begin));
    const std::string when = absl::StrCat(phase, ", after ", absl::FormatDuration(delay));
    Tally& tally = tallies_[phase];
    ++tally.random;
    tally.found_after += IsAfter(victim, when) ? 1 : 0;
    ExpectBystanderWhole(bystander, when);
    ExpectItGoesOn(victim, when);
  }

  // How long a restore of the tenant takes that nobody kills. Undoes it.
  absl::Duration Measure(const std::string& tenant) {
    world_.Start(Traces());
    const std::string id = world_.CreateRestore(tenant, v1::RESTORE_MODE_MIRROR, NextRequest());
    const absl::Time begin = absl::Now();
    EXPECT_EQ(world_.WaitForEnd(id).state(), v1::RESTORE_STATE_SUCCEEDED);
    const absl::Duration taken = absl::Now() - begin;
    EXPECT_EQ(world_.WaitForEnd(world_.CreateUndo(id, NextRequest())).state(),
              v1::RESTORE_STATE_SUCCEEDED);
    return taken;
  }

  void PrintTallies() {
    std::vector<std::string> phases = {kNotBegun};
    for (const Phase& phase : kPhases) {
      phases.emplace_back(phase.name);
    }
    phases.emplace_back(kEnded);
    std::printf("%-26s %5s %6s %13s\n", "killed", "aimed", "random", "found 'after'");
    for (const std::string& phase : phases) {
      const Tally& tally = tallies_[phase];
      std::printf("%-26s %5d %6d %13d\n", phase.c_str(), tally.aimed, tally.random,
                  tally.found_after);
    }
  }

  void KillAnywhere(Work work, int random_kills) {
    for (const char* tenant : {kSmall, kLarge}) {
      for (const Phase& phase : kPhases) {
        ASSERT_NO_FATAL_FAILURE(KillAt(phase, work, tenant));
      }
      const absl::Duration taken = Measure(tenant);
      for (int i = 0; i < random_kills; ++i) {
        const double part = std::uniform_real_distribution<double>(0, 1)(random_);
        ASSERT_NO_FATAL_FAILURE(KillAfter(part * taken, work, tenant));
      }
    }
    PrintTallies();
  }

  // What is committed is after; what is not, is before: the phases are those that they are called.
  void ExpectPhasesAsTheyAreCalled() {
    for (const Phase& phase : kPhases) {
      EXPECT_GT(tallies_[phase.name].aimed + tallies_[phase.name].random, 0) << phase.name;
    }
    for (const char* before : {"before the synced batch", "after the synced batch"}) {
      EXPECT_EQ(tallies_[before].found_after, 0) << before;
    }
    for (const char* after : {"after the commit", "before the outcome", kEnded}) {
      EXPECT_EQ(tallies_[after].found_after, tallies_[after].aimed + tallies_[after].random)
          << after;
    }
  }

  std::string NextRequest() { return absl::StrCat("request ", ++requests_); }

  DaemonWorld world_;
  StoreRows point_;
  StoreRows before_;
  std::map<std::string, Tally> tallies_;
  int requests_ = 0;
  std::mt19937 random_{20220405};
};

TEST_F(KillTest, AKillInAnyPhaseAndAtAnyMomentLeavesBeforeOrAfterAndTheRestoreGoesOn) {
  ASSERT_NO_FATAL_FAILURE(KillAnywhere(Work::kRestore, kRandomKills));
  ExpectPhasesAsTheyAreCalled();
}

TEST_F(KillTest, AKillOfAnUndoLeavesBeforeOrAfterAndItIsUndoneOnce) {
  ASSERT_NO_FATAL_FAILURE(KillAnywhere(Work::kUndo, kRandomUndoKills));
  ExpectPhasesAsTheyAreCalled();
}

TEST_F(KillTest, ControlPuttingRowsBackByHandLeavesTheTenantBetween) {
  // What people do without us: write the rows back one after the other. Killed in the middle.
  auto half = point_[kSmall];
  half.erase("issues");
  world_.Write(kSmall, half);
  world_.daemon()->Kill();
  const auto found = world_.ReadAtRest({kSmall}, kTables)[kSmall];
  EXPECT_NE(found, before_[kSmall]) << "the control must leave it between";
  EXPECT_NE(found, point_[kSmall]) << "the control must leave it between";
}

}  // namespace
}  // namespace reinstate
