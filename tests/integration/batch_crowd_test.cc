// A batch of hundreds by the real programs: one tenant is giant, a fifth is cancelled while it is
// queued. All end, those that were cancelled stay as they are, and nobody waits for the giant.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/daemon_world.h"
#include "tests/support/script.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using Rows = std::map<std::string, std::string>;

constexpr int kTenants = 500;
constexpr int kGiantRows = 20'000;
// The first line of the list, so that what is worked off in its order would wait for it.
constexpr int kGiant = 0;

// All but the giant and the fifth.
constexpr int kSmallRestored = 400;

bool IsCancelled(int tenant) { return tenant != kGiant && tenant % 5 == 0; }

std::string Tenant(int number) { return absl::StrFormat("t%03d", number); }

Rows RowsAtPoint(int tenant) {
  Rows rows;
  for (int i = 0; i < (tenant == kGiant ? kGiantRows : 3); ++i) {
    rows[absl::StrFormat("%06d", i)] = absl::StrFormat("issue %06d of %s", i, Tenant(tenant));
  }
  return rows;
}

// What an accident has made of them.
Rows RowsDamaged(int tenant) {
  if (tenant == kGiant) {
    return {};
  }
  Rows rows = RowsAtPoint(tenant);
  rows["000000"] = "overwritten";
  rows["999999"] = "new";
  return rows;
}

class BatchCrowd : public testing::Test {
 protected:
  struct Line {
    std::string state;
    std::string restore;
    absl::Time ended = absl::InfiniteFuture();
  };

  BatchCrowd() : world_({"--config", Config()}) {
    world_.Start();
    for (int i = 0; i < kTenants; ++i) {
      tenants_.push_back(Tenant(i));
      world_.Write(Tenant(i), {{"issue", RowsAtPoint(i)}});
    }
    world_.TakeSnapshot();
    for (int i = 0; i < kTenants; ++i) {
      i == kGiant ? world_.DeleteTenant(Tenant(i))
                  : world_.Write(Tenant(i), {{"issue", RowsDamaged(i)}});
    }
  }

  // Of a daemon whose restore of the giant goes on, in the middle of its run, only once the file
  // `go` is there: so it takes longer than all the others together, whatever the machine does.
  std::string Config() {
    const std::string script = WriteScript(
        folder_.path() + "/hold-the-giant",
        absl::StrCat("case \"$(cat)\" in *", Tenant(kGiant), "*) ;; *) exit 0 ;; esac\n",
                     "for i in $(seq 1200); do test -e ", Go(), " && exit 0; sleep 0.1; done"));
    const std::string config = folder_.path() + "/reinstated.toml";
    std::ofstream(config) << "[[hook]]\nname = \"hold\"\nwhen = \"before\"\ntimeout = \"2m\"\n"
                          << "command = [\"" << script << "\"]\n";
    return config;
  }
  std::string Go() const { return folder_.path() + "/go"; }

  // Runs `reinstate` with these words to its end, which must be with this code; returns what it
  // prints.
  std::string Run(const std::vector<std::string>& words, int exit_code = 0,
                  const std::string& input = "") {
    std::vector<std::string> all = {REINSTATE_BINARY};
    all.insert(all.end(), words.begin(), words.end());
    auto process = Subprocess::Start(
        all, {.environment = {"REINSTATE_ADDRESS=" + world_.daemon()->address()}, .input = input});
    if (!process.ok()) {
      ADD_FAILURE() << process.status();
      return "";
    }
    EXPECT_EQ((*process)->WaitForEnd(absl::Minutes(2)), exit_code)
        << absl::StrJoin(words, " ") << "\n"
        << (*process)->Err();
    return (*process)->Out();
  }

  // Creates the batch, whose first restore alone begins; returns its id.
  std::string CreateHeldBack() {
    Run({"store", "throttle", "main", "--bytes-per-second", "1"});
    const std::string made =
        Run({"batch", "create", "-f", "-", "--at", "latest", "--mode", "mirror",
             "--accept-shrinking", "--confirm", absl::StrCat(kTenants), "-o", "json"},
            /*exit_code=*/0, absl::StrJoin(tenants_, "\n"));
    return nlohmann::json::parse(made)["id"];
  }

  // In the order of the list.
  std::vector<Line> Lines(const std::string& batch) {
    const auto time = [](const nlohmann::json& line, const char* name) {
      absl::Time time = absl::InfiniteFuture();
      if (line.contains(name)) {
        EXPECT_TRUE(
            absl::ParseTime(absl::RFC3339_full, line[name].get<std::string>(), &time, nullptr));
      }
      return time;
    };
    std::vector<Line> lines;
    for (const auto& line :
         nlohmann::json::parse(Run({"batch", "get", batch, "--lines", "-o", "json"}))) {
      lines.push_back({.state = line["state"],
                       .restore = line["restores"][0]["restore"],
                       .ended = time(line, "endTime")});
    }
    EXPECT_EQ(lines.size(), kTenants);
    lines.resize(kTenants);
    return lines;
  }

  void CancelAFifth(const std::string& batch) {
    const std::vector<Line> lines = Lines(batch);
    for (int i = 0; i < kTenants; ++i) {
      if (IsCancelled(i)) {
        Run({"restore", "cancel", lines[i].restore, "--reason", "is a customer no more"});
      }
    }
  }

  // Blocks until so many have been restored, at most a minute.
  void AwaitRestored(const std::string& batch, int customers) {
    std::string succeeded;
    for (int i = 0; i < 240 && succeeded != absl::StrCat(customers); ++i) {
      absl::SleepFor(absl::Milliseconds(250));
      succeeded =
          nlohmann::json::parse(Run({"batch", "get", batch, "-o", "json"}))["lines"]["succeeded"];
    }
    EXPECT_EQ(succeeded, absl::StrCat(customers));
  }

  TempDir folder_;  // before the daemon, which it configures
  DaemonWorld world_;
  std::vector<std::string> tenants_;
};

TEST_F(BatchCrowd, AllEndAFifthIsCancelledAndTheSmallDoNotWaitForTheGiant) {
  const std::string batch = CreateHeldBack();
  CancelAFifth(batch);
  Run({"store", "throttle", "main", "--off"});
  AwaitRestored(batch, kSmallRestored);
  EXPECT_EQ(Lines(batch)[kGiant].state, "BATCH_LINE_STATE_RUNNING");
  std::ofstream(Go()) << "";
  Run({"batch", "watch", batch}, /*exit_code=*/3);

  const std::vector<Line> lines = Lines(batch);
  absl::Time last_small = absl::InfinitePast();
  for (int i = 0; i < kTenants; ++i) {
    EXPECT_EQ(lines[i].state,
              IsCancelled(i) ? "BATCH_LINE_STATE_CANCELLED" : "BATCH_LINE_STATE_SUCCEEDED")
        << Tenant(i);
    if (i != kGiant && !IsCancelled(i)) {
      last_small = std::max(last_small, lines[i].ended);
    }
  }
  EXPECT_GT(lines[kGiant].ended, last_small);

  const StoreRows rows = world_.Read(tenants_, {"issue"});
  for (int i = 0; i < kTenants; ++i) {
    const auto found = rows.find(Tenant(i));
    const Rows now = found == rows.end() ? Rows() : found->second.at("issue");
    EXPECT_TRUE(now == (IsCancelled(i) ? RowsDamaged(i) : RowsAtPoint(i))) << Tenant(i);
  }
}

}  // namespace
}  // namespace reinstate
