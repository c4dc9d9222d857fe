// A restore takes no more memory for a larger tenant.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/daemon_world.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

constexpr size_t kPayloadBytes = 4000;
constexpr int kSmallRows = 2'500;  // 10 MB: several times what a restore may hold in memory
constexpr int kTimes = 5;

// Payloads that do not compress, so that files are as large as what is in them.
std::string Noise(uint64_t seed) {
  std::string bytes;
  while (bytes.size() < kPayloadBytes) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    bytes += static_cast<char>(seed >> 56);
  }
  return bytes;
}

class MemoryTest : public testing::Test {
 protected:
  MemoryTest() : world_({"--config", Config()}) {}

  std::string Config() const {
    const std::string path = folder_.path() + "/reinstated.toml";
    std::ofstream(path) << "[memory]\nsnapshots = \"16MiB\"\nrestore = \"1MiB\"\n"
                        << "history_cache = \"1MiB\"\n";
    return path;
  }

  void WriteTenant(const std::string& tenant, int rows) {
    for (int begin = 0; begin < rows; begin += 1000) {
      std::map<std::string, std::map<std::string, std::string>> part;
      for (int row = begin; row < std::min(rows, begin + 1000); ++row) {
        part["issue"][absl::StrCat(row)] = Noise(static_cast<uint64_t>(row));
      }
      world_.Write(tenant, part);
    }
  }

  // The most memory that the daemon has had resident since it was started.
  int64_t PeakKib() {
    std::ifstream status(absl::StrCat("/proc/", world_.daemon()->pid(), "/status"));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) {
        return std::stoll(line.substr(sizeof("VmHWM:") - 1));
      }
    }
    ADD_FAILURE() << "the daemon is gone";
    return 0;
  }

  // Of a daemon that does nothing but to restore this tenant.
  int64_t PeakOfRestore(const std::string& tenant) {
    world_.Start();
    const std::string id =
        world_.CreateRestore(tenant, v1::RESTORE_MODE_MIRROR, "restore of " + tenant);
    const v1::Restore restore = world_.WaitForEnd(id);
    EXPECT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED) << restore.failure().message();
    return PeakKib();
  }

  const TempDir folder_;
  DaemonWorld world_;
};

TEST_F(MemoryTest, ARestoreOfATenantFiveTimesAsLargeTakesAboutAsMuch) {
  world_.Start();
  WriteTenant("tiny", 10);
  WriteTenant("small", kSmallRows);
  WriteTenant("large", kTimes * kSmallRows);
  world_.TakeSnapshot();
  for (const char* tenant : {"tiny", "small", "large"}) {
    world_.DeleteTenant(tenant);
  }
  PeakOfRestore("tiny");  // this daemon reads the log of what was written above, too
  const int64_t small = PeakOfRestore("small");
  const int64_t large = PeakOfRestore("large");
  RecordProperty("small_kib", absl::StrCat(small));
  RecordProperty("large_kib", absl::StrCat(large));
  EXPECT_LE(large, small * 115 / 100) << "of " << small << " KiB";
}

}  // namespace
}  // namespace reinstate
