// Batches with the real engine, over stores in memory: the rows themselves.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/server/jobs/batch_fixture.h"

namespace reinstate {
namespace {

class BatchesEndToEndTest : public BatchFixture {
 protected:
  BatchesEndToEndTest() { real_engine_ = true; }

  static int64_t Rows(MemoryStore* store, const std::string& tenant) {
    const auto stream = store->Scan(*TenantId::Parse(tenant), "issues", RowKey());
    EXPECT_THAT(stream, IsOk());
    Record record;
    int64_t rows = 0;
    while ((*stream)->Next(&record).value_or(false)) {
      ++rows;
    }
    return rows;
  }

  void Lose(int tenants) {
    for (int i = 1; i <= tenants; ++i) {
      site_.DeleteTenant(absl::StrCat("t", i));
      ASSERT_THAT(wiki_.DeleteTenant(*TenantId::Parse(absl::StrCat("w-t", i))), IsOk());
    }
  }
};

TEST_F(BatchesEndToEndTest, BringsSitesBackInAllTheirStoresAndUndoesItAgain) {
  Lose(3);
  const std::string id = Create({"t1", "t2", "t3"}, GroupOrder());
  AwaitState(id, state::BATCH_SUCCEEDED);
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(Rows(&site_.store(), absl::StrCat("t", i)), 4 * i);
    EXPECT_EQ(Rows(&wiki_, absl::StrCat("w-t", i)), 4 * i);
  }
  // 24 in each store, and a name each in the first.
  EXPECT_EQ(Get(id).rows.inserted, 51);
  const auto undo = TryUndo(id);
  ASSERT_THAT(undo, IsOk());
  AwaitState(undo->record.id(), state::BATCH_SUCCEEDED);
  EXPECT_EQ(Rows(&site_.store(), "t3"), 0);
  EXPECT_EQ(Rows(&wiki_, "w-t3"), 0);
  EXPECT_EQ(Rows(&site_.store(), "t4"), 16);
  EXPECT_THAT(state_->VerifyAudit(), IsOk());
}

TEST_F(BatchesEndToEndTest, ADryRunShowsWhatWouldHappenAndTheLargestFirst) {
  Lose(2);
  site_.Put("t3", "issues", "since", "then");
  site_.Put("t3", "issues", "0", "newer");
  state::BatchOrder order = Order();
  order.set_dry_run(true);
  const std::string id = Create({"t1", "t2", "t3"}, order);
  AwaitState(id, state::BATCH_PLANNED);
  const BatchView view = Get(id);
  EXPECT_EQ(view.rows.inserted, 5 + 9);
  EXPECT_EQ(view.rows.replaced, 1);
  EXPECT_EQ(view.rows.deleted, 1);
  ASSERT_EQ(view.largest.size(), 3U);
  EXPECT_EQ(view.largest.front().record.tenant(), "t2");
  EXPECT_EQ(Rows(&site_.store(), "t1"), 0);
}

TEST_F(BatchesEndToEndTest, ATenantThatChangedSinceThePlanIsLeftAloneAndTheOthersAreRestored) {
  Lose(3);
  state::BatchOrder order = Order();
  order.set_dry_run(true);
  const std::string plan = Create({"t1", "t2", "t3"}, order);
  AwaitState(plan, state::BATCH_PLANNED);
  site_.Put("t2", "issues", "since", "the plan");
  state::BatchOrder from_plan;
  from_plan.set_plan(plan);
  from_plan.set_plan_digest(Get(plan).record.digest());
  const auto batch = batches_->CreateBatch(RequestKey(), from_plan, {}, false);
  ASSERT_THAT(batch, IsOk());
  const std::string id = batch->record.id();
  AwaitState(id, state::BATCH_PARTLY_FAILED);
  ASSERT_EQ(Get(id).failures.size(), 1U);
  EXPECT_EQ(Get(id).failures.front().targets.front().seen.failure.reason(), "PLAN_CHANGED");
  EXPECT_EQ(Rows(&site_.store(), "t1"), 4);
  EXPECT_EQ(Rows(&site_.store(), "t2"), 1);
  EXPECT_EQ(Rows(&site_.store(), "t3"), 12);
}

// Does not compress, so that as many bytes are stored.
std::string Noise(std::mt19937_64* random, size_t bytes) {
  std::string noise(bytes, '\0');
  std::ranges::generate(noise, [&] { return static_cast<char>((*random)()); });
  return noise;
}

TEST_F(BatchesEndToEndTest, ADryRunReadsLittleMoreOfTheHistoryThanItsTenants) {
  constexpr int kMany = 300;
  constexpr int kEvery = 5;  // is lost
  constexpr int kMostRows = 4000;
  constexpr size_t kPayloadBytes = 2400;
  std::mt19937_64 random(1);
  std::vector<std::string> lost;
  int64_t all = 0;
  int64_t stored = 0;  // of those who are lost
  for (int i = 0; i < kMany; ++i) {
    const std::string tenant = absl::StrCat("many-", 1000 + i * 7919 % kMany);
    const int rows = kMostRows / (i + 1);
    for (int row = 0; row < rows; ++row) {
      site_.Put(tenant, row % 3 == 0 ? "issues" : "comments", absl::StrCat(row),
                Noise(&random, kPayloadBytes));
    }
    const int64_t bytes = rows * static_cast<int64_t>(kPayloadBytes);
    all += bytes;
    if (i % kEvery == 1) {
      lost.push_back(tenant);
      stored += bytes;
    }
  }
  TakeSnapshots();
  for (const std::string& tenant : lost) {
    site_.DeleteTenant(tenant);
  }
  state::BatchOrder order = Order();
  order.set_dry_run(true);
  const int64_t before = site_.file_system().bytes_read;
  const std::string id = Create(lost, order);
  AwaitState(id, state::BATCH_PLANNED);
  const int64_t read = site_.file_system().bytes_read - before;
  std::printf("read %.3f times what is stored of the tenants; all have %.1f times that\n",
              static_cast<double>(read) / static_cast<double>(stored),
              static_cast<double>(all) / static_cast<double>(stored));
  EXPECT_EQ(Get(id).rows.inserted, stored / static_cast<int64_t>(kPayloadBytes));
  EXPECT_GE(read, stored) << "it must have read all of them";
  EXPECT_LE(read, stored * 12 / 10);
}

TEST_F(BatchesEndToEndTest, ADryRunWaitsForAStoreThatIsNotAvailable) {
  std::atomic<int> breaks = 4;  // of one tenant's plans or of both
  hooks_.begin = [&] {
    return breaks-- > 0 ? MakeError(Reason::kSessionLost, "the connection broke")
                        : absl::OkStatus();
  };
  state::BatchOrder order = Order();
  order.set_dry_run(true);
  const std::string id = Create({"t1", "t2"}, order);
  PassTimeUntil(id, state::BATCH_PLANNED);
  EXPECT_LT(breaks, 0);
  EXPECT_EQ(Count(Get(id), BatchLineState::kSucceeded), 2);
}

}  // namespace
}  // namespace reinstate
