// A process that dies while it restores leaves the tenant before or after, never between, and
// everything that was acknowledged.

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "absl/strings/escaping.h"
#include "tests/conformance/crash_state.h"
#include "tests/conformance/live_store_test.h"

namespace reinstate {
namespace {

// What the journal of crash_child says.
struct Journal {
  int pending = 0;
  CommitToken pending_token;
  int committed = 0;
  std::set<std::string> written;
};

Journal ReadJournal(const std::string& folder) {
  Journal journal;
  std::ifstream file(folder + "/journal");
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string what;
    std::string name;
    std::string token;
    words >> what >> name >> token;
    if (what == "P") {
      journal.pending = std::stoi(name);
      journal.pending_token.bytes = absl::HexStringToBytes(token);
    } else if (what == "C") {
      journal.committed = std::stoi(name);
    } else {
      journal.written.insert(name);
    }
  }
  return journal;
}

class CrashTest : public LiveStoreTest {
 protected:
  // The process opens the store, not we.
  void SetUp() override {
    if (GetParam().prepare != nullptr) {
      ASSERT_THAT(GetParam().prepare({.folder = folder_.path()}), IsOk());
    }
  }

  pid_t Start(const std::string& faults) {
    const std::string adapter = GetParam().name;
    const std::vector<const char*> arguments = {CRASH_CHILD_BINARY, adapter.c_str(),
                                                folder_.path().c_str(), faults.c_str(), nullptr};
    pid_t pid = 0;
    // Aborts, since to go on with no process would be to kill our own group.
    EXPECT_EQ(posix_spawn(&pid, CRASH_CHILD_BINARY, nullptr, nullptr,
                          const_cast<char* const*>(arguments.data()), environ),
              0);
    if (pid <= 0) {
      ADD_FAILURE() << "cannot start " << CRASH_CHILD_BINARY;
      std::abort();
    }
    return pid;
  }

  static int WaitFor(pid_t pid) {
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  // The number of bytes that the process has noted so far.
  int64_t Noted() const {
    std::error_code missing;
    const auto size = std::filesystem::file_size(folder_.path() + "/journal", missing);
    return missing ? 0 : static_cast<int64_t>(size);
  }

  // Opens the store and checks all of it.
  void CheckStore() {
    Open();
    const Journal journal = ReadJournal(folder_.path());
    // A commit that was under way may take effect in the server after its process is dead: the
    // tenant is locked until then.
    Session(Tenant(kCrashTenant)).reset();
    const Rows rows = Live(Tenant(kCrashTenant), kStateTable);
    const bool is_after = rows == CrashState(journal.pending);
    ASSERT_TRUE(is_after || rows == CrashState(journal.committed))
        << "neither state " << journal.committed << " nor " << journal.pending << " but "
        << rows.size() << " rows";
    if (journal.pending > 0) {
      const CommitOutcome truth =
          is_after ? CommitOutcome::kCommitted : CommitOutcome::kNotCommitted;
      EXPECT_THAT(Resolve(Tenant(kCrashTenant), journal.pending_token),
                  MayResolveTo(GetParam(), truth));
    }
    ++(journal.pending == journal.committed ? between_ : is_after ? after_ : before_);

    const Rows log = Live(Tenant(kCrashTenant), kLogTable);
    for (const std::string& name : journal.written) {
      EXPECT_TRUE(log.contains(name)) << "an acknowledged write was lost: " << name;
    }
    EXPECT_EQ(Live(Tenant("another"), kStateTable), (Rows{{"1", "untouched"}}));

    const auto cut = live()->OpenCut({.max_shards = 2});
    ASSERT_THAT(cut, IsOk());
    int64_t counted = 0;
    for (uint32_t table = 0; table < (*cut)->info().map.tables.size(); ++table) {
      counted += *(*cut)->CountRows(table);
    }
    EXPECT_EQ(counted, static_cast<int64_t>(ReadAll(cut->get()).size()));
    // A write that was under way may take effect in the server after its process is dead.
    const size_t settled = Live(Tenant(kCrashTenant), kLogTable).size();
    EXPECT_GE(counted, static_cast<int64_t>(rows.size() + log.size() + 1));
    EXPECT_LE(counted, static_cast<int64_t>(rows.size() + settled + 1));
  }

  void TearDown() override {
    std::cout << "dead before the commit took place: " << before_ << ", after it but before its "
              << "answer: " << after_ << ", between two: " << between_ << "\n";
  }

  int before_ = 0;
  int after_ = 0;
  int between_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Adapters, CrashTest,
                         testing::ValuesIn(AdaptersThat([](const Adapter& adapter) {
                           return adapter.outlives_process;
                         })),
                         AdapterName);

TEST_P(CrashTest, LeavesBeforeOrAfterAtEveryFaultPoint) {
  ASSERT_FALSE(GetParam().crashes.empty());
  for (const std::string& fault : GetParam().crashes) {
    SCOPED_TRACE(fault);
    EXPECT_EQ(WaitFor(Start(fault)), FaultPoints::kCrashExitCode);
    CheckStore();
    store_ = nullptr;
  }
  EXPECT_GT(before_, 0);
  EXPECT_GT(after_, 0);
}

TEST_P(CrashTest, LeavesBeforeOrAfterWheneverItIsKilled) {
  constexpr int kKills = 12;
  std::random_device seed;
  std::mt19937 random(seed());
  for (int i = 0; i < kKills; ++i) {
    const int64_t noted = Noted();
    const pid_t pid = Start("");
    while (Noted() == noted && waitpid(pid, nullptr, WNOHANG) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60000));
    kill(pid, SIGKILL);
    EXPECT_EQ(WaitFor(pid), -SIGKILL);
    CheckStore();
    store_ = nullptr;
  }
}

}  // namespace
}  // namespace reinstate
