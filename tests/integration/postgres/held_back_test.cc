// A database that suffers holds a batch back, by what is measured of it, and lets it go on once it
// is well again: who looks at the batch is told why, and so is Prometheus.

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/http_get.h"
#include "tests/support/prometheus_text.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kVictims = 8;
constexpr absl::Duration kPatience = absl::Seconds(60);

// The application, which waits for a lock behind a session that counts as one of ours.
class WaitingSession {
 public:
  explicit WaitingSession(const TrackerWorld& tracker)
      : database_(tracker.Connect()), thread_([this] {
          EXPECT_THAT(database_->Run("BEGIN; LOCK TABLE plans IN ROW EXCLUSIVE MODE"), IsOk());
        }) {}
  ~WaitingSession() { thread_.join(); }

 private:
  std::unique_ptr<PlainDatabase> database_;
  std::thread thread_;
};

class HeldBack : public CliSite {
 protected:
  HeldBack() : tracker_(PostgresServer::Shared(), std::vector<int64_t>(kVictims + 1, 40)) {
    for (size_t site = 0; site < kVictims; ++site) {
      victims_.push_back(site);
    }
  }

  // A daemon that finds this limit of the database's health exceeded where others would not; the
  // victims are lost.
  void StartWithLimit(const std::string& limit) {
    const std::vector<std::string> arguments = tracker_.DaemonArguments();
    std::ofstream(arguments.back(), std::ios::app)
        << "[store.health]\n"
        << limit << "\n[metrics]\nlisten = \"127.0.0.1:0\"\n";
    StartDaemon("", arguments);
    MustRun({"snapshot", "take", "--wait"});
    tracker_.Delete(victims_);
  }

  void MustRun(const std::vector<std::string>& words) const {
    const ProgramResult result = Run(words);
    ASSERT_EQ(result.exit_code, 0) << result.err << daemon_->Output();
  }

  // Creates the batch, of which for now the throttle lets the first restore alone begin.
  void CreateSlowly() {
    MustRun({"store", "throttle", "--rows-per-second", "1"});
    std::string list;
    for (const size_t site : victims_) {
      absl::StrAppend(&list, tracker_.Tenant(site), "\n");
    }
    const ProgramResult created =
        Run({"batch", "create", "-f", "-", "--at", "latest", "--accept-shrinking", "--confirm",
             absl::StrCat(kVictims), "-o", "json"},
            list);
    ASSERT_EQ(created.exit_code, 0) << created.err;
    batch_ = nlohmann::json::parse(created.out)["id"];
  }

  // Blocks until the batch says that it is held back by this.
  void AwaitHold(const std::string& why) {
    const absl::Time deadline = absl::Now() + kPatience;
    nlohmann::json batch;
    do {
      ASSERT_LT(absl::Now(), deadline) << batch << daemon_->Output();
      batch = Json({"batch", "get", batch_});
    } while (batch["holdingBack"].dump().find(why) == std::string::npos);
  }

  // How many lines of the batch are so, by their name on the wire.
  int64_t Lines(const char* state) const {
    int64_t lines = 0;
    EXPECT_TRUE(absl::SimpleAtoi(Json({"batch", "get", batch_})["lines"][state].get<std::string>(),
                                 &lines));
    return lines;
  }
  int64_t Restored() const { return Lines("succeeded"); }

  // Blocks until what had begun has ended.
  void AwaitNothingRuns() {
    const absl::Time deadline = absl::Now() + kPatience;
    while (Lines("running") > 0) {
      ASSERT_LT(absl::Now(), deadline) << daemon_->Output();
    }
  }

  double SecondsHeldBack(const std::string& reason) const {
    const std::string output = daemon_->Output();
    const std::string key = "metrics address=";
    const size_t at = output.find(key) + key.size();
    const auto page = HttpGet(output.substr(at, output.find('\n', at) - at), "/metrics");
    EXPECT_THAT(page, IsOk());
    const auto text = PrometheusText::Parse(page.ok() ? page->body : "");
    EXPECT_THAT(text, IsOk());
    return text.value_or(PrometheusText())
        .Find("reinstate_throttle_seconds_total", {{"store", "main"}, {"reason", reason}})
        .value_or(0);
  }

  // Blocks until Prometheus is told of so many seconds more than there are now.
  void AwaitSecondsHeldBack(const std::string& reason, double more) {
    const absl::Time deadline = absl::Now() + kPatience;
    const double before = SecondsHeldBack(reason);
    while (SecondsHeldBack(reason) < before + more) {
      ASSERT_LT(absl::Now(), deadline) << daemon_->Output();
      absl::SleepFor(absl::Milliseconds(20));
    }
  }

  void ExpectItGoesOn() {
    const ProgramResult watched = Run({"batch", "watch", batch_});
    EXPECT_EQ(watched.exit_code, 0) << watched.err << daemon_->Output();
    EXPECT_EQ(Restored(), kVictims);
    EXPECT_EQ(Json({"batch", "get", batch_})["holdingBack"].size(), 0);
    tracker_.ExpectAtFirst(victims_);
    tracker_.ExpectAllAsItMustBe();
  }

  TrackerWorld tracker_;
  std::vector<size_t> victims_;
  std::string batch_;
};

TEST_F(HeldBack, BySessionsThatWaitForUsUntilTheyDoNoLonger) {
  StartWithLimit("max_sessions_waiting = 1");
  const auto ours = tracker_.Connect();
  ASSERT_THAT(ours->Run("SET application_name = 'reinstate of the test'; BEGIN; "
                        "LOCK TABLE plans IN SHARE MODE"),
              IsOk());
  CreateSlowly();
  // Who looks already is told, too.
  const auto watch = Begin({"batch", "watch", batch_}, /*terminal=*/true);
  ASSERT_TRUE(watch->WaitForText("The limit of 1 rows a second is used up")) << watch->Out();
  const WaitingSession first(tracker_);
  const WaitingSession second(tracker_);
  const absl::Cleanup let_go = [&] { EXPECT_THAT(ours->Run("ROLLBACK"), IsOk()); };

  const char kWhy[] = "2 sessions wait for locks of ours; the limit is 1 (max_sessions_waiting).";
  ASSERT_NO_FATAL_FAILURE(AwaitHold(kWhy));
  MustRun({"store", "throttle", "--off"});
  // Only the database holds it back by now, and does so at each look.
  ASSERT_NO_FATAL_FAILURE(AwaitNothingRuns());
  const int64_t restored = Restored();
  EXPECT_LT(restored, kVictims);
  ASSERT_NO_FATAL_FAILURE(AwaitSecondsHeldBack("sessions_waiting", 2));
  EXPECT_EQ(Restored(), restored);
  EXPECT_EQ(SecondsHeldBack("wal_growth"), 0);
  EXPECT_THAT(Run({"batch", "get", batch_}).out, AllOf(HasSubstr("holding back"), HasSubstr(kWhy)));
  EXPECT_THAT(Run({"store", "show", "main"}).out, HasSubstr(kWhy));
  EXPECT_TRUE(watch->WaitForText("Holding back: main: 2 sessions wait for locks of ours"))
      << watch->Out();
  const auto log = Begin({"batch", "watch", batch_}, /*terminal=*/false);
  EXPECT_TRUE(log->WaitForText(absl::StrCat("Holding back: main: ", kWhy))) << log->Err();

  ASSERT_THAT(ours->Run("ROLLBACK"), IsOk());
  EXPECT_EQ(watch->WaitForEnd(), 0) << watch->Out();
  EXPECT_EQ(log->WaitForEnd(), 0) << log->Err();
  ExpectItGoesOn();
}

TEST_F(HeldBack, ByTheGrowthOfTheWriteAheadLogUntilItEnds) {
  StartWithLimit("max_wal_bytes_per_second = \"64KiB\"");
  // The log is that of all databases.
  const auto other =
      PlainDatabase::Connect(tracker_.server()->OnSocket(tracker_.server()->MakeDatabase()));
  ASSERT_THAT(other, IsOk());
  ASSERT_THAT((*other)->Run("CREATE TABLE written (payload text)"), IsOk());
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) {
      EXPECT_THAT((*other)->Run("INSERT INTO written SELECT repeat('w', 500) "
                                "FROM generate_series(1, 1000)"),
                  IsOk());
    }
  });
  CreateSlowly();
  AwaitHold("/s; the limit is 64 KiB/s (max_wal_bytes_per_second).");
  AwaitSecondsHeldBack("wal_growth", 0.1);
  stop = true;
  writer.join();
  MustRun({"store", "throttle", "--off"});
  EXPECT_EQ(SecondsHeldBack("sessions_waiting"), 0);
  ExpectItGoesOn();
}

}  // namespace
}  // namespace reinstate
