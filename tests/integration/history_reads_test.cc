// What a dry run reads follows its tenants, not the history.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
#include "tests/support/daemon_world.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

// The history is read in blocks of 1 MiB, so that parts of the neighbours are read with a tenant,
// or all of them where it is small. A tenant here is several blocks large.
constexpr int64_t kBlockBytes = 1 << 20;
// At the ends of a tenant, and where a table ends in it.
constexpr int64_t kEndBlocks = 3;
constexpr int kTenants = 10;
constexpr int kEvery = 5;  // tenant of them is planned
constexpr int kRows = 1024;
constexpr size_t kPayloadBytes = 8000;
constexpr int64_t kTenantBytes = kRows * static_cast<int64_t>(kPayloadBytes);

// Does not compress, so that at least as many bytes are stored.
std::string Noise(uint64_t* seed) {
  std::string bytes;
  while (bytes.size() < kPayloadBytes) {
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    bytes += static_cast<char>(*seed >> 56);
  }
  return bytes;
}

class HistoryReadsTest : public testing::Test {
 protected:
  // All that the daemon has read from files since it was started.
  int64_t BytesRead() {
    std::ifstream io(absl::StrCat("/proc/", world_.daemon()->pid(), "/io"));
    std::string name;
    int64_t bytes = 0;
    io >> name >> bytes;
    EXPECT_EQ(name, "rchar:");
    return bytes;
  }

  // The same, once what it does by itself after its start has ended.
  int64_t BytesReadAtRest() {
    int64_t before = -1;
    int64_t now = BytesRead();
    while (before != now) {
      absl::SleepFor(absl::Seconds(1));
      before = now;
      now = BytesRead();
    }
    return now;
  }

  std::string Config() const {
    // A plan that is kept in memory is not read back from a file.
    const std::string path = folder_.path() + "/reinstated.toml";
    std::ofstream(path) << "[memory]\nrestore = \"64MiB\"\n";
    return path;
  }

  v1::Batch DryRun(const std::vector<std::string>& tenants) {
    auto batches = v1::BatchService::NewStub(world_.channel());
    v1::CreateBatchRequest request;
    request.mutable_spec()->set_store("main");
    request.mutable_spec()->set_at("latest");
    request.mutable_spec()->set_mode(v1::RESTORE_MODE_MIRROR);
    request.set_dry_run(true);
    for (const std::string& tenant : tenants) {
      request.add_lines()->set_tenant(tenant);
    }
    v1::Batch batch;
    grpc::ClientContext creating;
    const grpc::Status created = batches->CreateBatch(&creating, request, &batch);
    EXPECT_TRUE(created.ok()) << created.error_message();
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (batch.state() == v1::BATCH_STATE_PLANNING && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(10));
      grpc::ClientContext context;
      v1::GetBatchRequest get;
      get.set_batch(batch.id());
      EXPECT_TRUE(batches->GetBatch(&context, get, &batch).ok());
    }
    return batch;
  }

  const TempDir folder_;
  DaemonWorld world_{{"--config", Config()}};
};

TEST_F(HistoryReadsTest, ADryRunReadsWhatIsStoredOfItsTenantsAndTheBlocksAtTheirEnds) {
  world_.Start();
  uint64_t seed = 1;
  std::vector<std::string> planned;
  for (int i = 0; i < kTenants; ++i) {
    const std::string tenant = absl::StrCat("tenant-", 1000 + i);
    std::map<std::string, std::map<std::string, std::string>> tables;
    for (int row = 0; row < kRows; ++row) {
      tables[row % 2 == 0 ? "issue" : "comment"][absl::StrCat(row)] = Noise(&seed);
    }
    world_.Write(tenant, tables);
    if (i % kEvery == 0) {
      planned.push_back(tenant);
    }
  }
  world_.TakeSnapshot();
  for (const std::string& tenant : planned) {
    world_.DeleteTenant(tenant);
  }
  world_.Start();  // nothing is in a cache
  const int64_t before = BytesReadAtRest();
  const v1::Batch batch = DryRun(planned);
  const int64_t read = BytesRead() - before;
  ASSERT_EQ(batch.state(), v1::BATCH_STATE_PLANNED) << batch.DebugString();
  const int64_t stored = static_cast<int64_t>(planned.size()) * kTenantBytes;
  EXPECT_EQ(batch.totals().inserted(), static_cast<int64_t>(planned.size()) * kRows);
  std::printf(
      "the dry run read %.3f times what is stored of its tenants; all have %.1f times that\n",
      static_cast<double>(read) / static_cast<double>(stored),
      static_cast<double>(kTenants) / static_cast<double>(planned.size()));
  EXPECT_GE(read, stored) << "it must have read all of them";
  EXPECT_LE(read,
            stored * 12 / 10 + static_cast<int64_t>(planned.size()) * kEndBlocks * kBlockBytes);
}

}  // namespace
}  // namespace reinstate
