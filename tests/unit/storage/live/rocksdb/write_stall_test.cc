// What the store says of itself while its disk does not keep up.

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/support/unreliable_file_system.h"
#include "tests/unit/storage/live/rocksdb/embedded_store_fixture.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;

// On a disk that can be made so slow that nothing which is written aside, by flushes and
// compactions, comes to an end; what the application writes unsynced is taken as ever.
class WriteStallTest : public EmbeddedStoreFixture {
 protected:
  WriteStallTest() {
    faults_.before_sync = [this] {
      if (!is_application_) {
        slow_.wait(true);
      }
    };
    options_.env = env_.get();
    options_.write_buffer_bytes = 1 << 20;
  }

  void TearDown() override {
    SetSlow(false);
    store_ = nullptr;  // before its disk
  }

  void SetSlow(bool slow) {
    slow_ = slow;
    slow_.notify_all();
  }

  // Blocks until the store reports this pressure; returns what it says.
  StoreHealth AwaitPressure(const std::string& pressure) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    StoreHealth health = store_->ProbeHealth();
    while (health.pressure != pressure && absl::Now() < deadline) {
      std::this_thread::yield();
      health = store_->ProbeHealth();
    }
    EXPECT_EQ(health.pressure, pressure);
    return health;
  }

  static thread_local bool is_application_;
  std::atomic<bool> slow_ = false;
  FileSystemFaults faults_;
  const std::unique_ptr<rocksdb::Env> env_ = MakeUnreliableEnv(&faults_);
};

thread_local bool WriteStallTest::is_application_ = false;

TEST_F(WriteStallTest, IsReportedWhileWritesWaitAndNoLonger) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(store_->ProbeHealth().pressure, "");
  SetSlow(true);
  std::atomic<bool> enough = false;
  std::thread application([&] {
    is_application_ = true;
    for (int i = 0; !enough; ++i) {
      EXPECT_THAT(Put(absl::StrCat(i), std::string(64 << 10, 'x'), /*sync=*/false), IsOk());
    }
  });
  const StoreHealth stalled = AwaitPressure("write_stall");
  EXPECT_TRUE(stalled.writable);
  EXPECT_THAT(stalled.detail, HasSubstr("Writes wait"));
  enough = true;
  SetSlow(false);
  application.join();
  AwaitPressure("");
}

}  // namespace
}  // namespace reinstate
