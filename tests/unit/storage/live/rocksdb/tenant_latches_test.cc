#include "storage/live/rocksdb/tenant_latches.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace reinstate {
namespace {

TEST(TenantLatches, KeepTheShardOfATenantForEver) {
  // Counts on disk are kept by shard: these numbers must never change.
  EXPECT_EQ(TenantLatches::ShardOf(TenantId::FromStored("acme")), 225U);
  EXPECT_EQ(TenantLatches::ShardOf(TenantId::FromStored("a")), 31U);
}

TEST(TenantLatches, AreTakenTogetherWithoutADeadlock) {
  TenantLatches latches;
  std::vector<TenantId> tenants;
  for (int i = 0; i < 40; ++i) {
    tenants.push_back(TenantId::FromStored("tenant " + std::to_string(i)));
  }
  std::vector<int> counts(tenants.size());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t round = 0; round < 500; ++round) {
        // Several at once, in an order of its own.
        std::vector<TenantId> some;
        std::vector<size_t> indices;
        for (size_t i = 0; i < 4; ++i) {
          indices.push_back((round * (t + 3) + i * 11 * (t + 1)) % tenants.size());
          some.push_back(tenants[indices.back()]);
        }
        const TenantLatches::Hold hold(&latches, some);
        for (const size_t index : indices) {
          ++counts[index];
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  int total = 0;
  for (const int count : counts) {
    total += count;
  }
  EXPECT_EQ(total, 4 * 500 * 4);
}

// The latch stays taken but for an instant between two holders; who waits gets it next.
TEST(FairLatch, LetsNobodyOvertake) {
  FairLatch latch;
  std::atomic<bool> stop = false;
  std::atomic<int64_t> greedy_turns = 0;
  std::thread greedy([&] {
    while (!stop) {
      latch.Lock();
      ++greedy_turns;
      std::this_thread::yield();
      latch.Unlock();
    }
  });
  int64_t overtaken = 0;
  for (int i = 0; i < 100; ++i) {
    const int64_t before = greedy_turns;
    latch.Lock();
    overtaken += greedy_turns - before;
    latch.Unlock();
    std::this_thread::yield();
  }
  stop = true;
  greedy.join();
  // It may be anywhere when we ask, so that some turns lie between our two looks; without a queue
  // they are thousands.
  EXPECT_LT(overtaken, 100 * 50);
}

TEST(WriteJournal, HoldsEachPlaceOnceUntilItIsTooMuch) {
  WriteJournal journal(/*max_bytes=*/20, /*max_payload_bytes=*/100);
  for (int i = 0; i < 10; ++i) {
    journal.Add("0123456789", 1);
  }
  EXPECT_TRUE(journal.is_whole());
  EXPECT_EQ(journal.places().size(), 1);
  journal.Add("abcdefghij", 1);
  EXPECT_TRUE(journal.is_whole());
  journal.Add("x", 1);
  EXPECT_FALSE(journal.is_whole());

  WriteJournal payloads(20, 100);
  payloads.Add("a", 100);
  EXPECT_TRUE(payloads.is_whole());
  payloads.Add("a", 1);
  EXPECT_FALSE(payloads.is_whole());
}

}  // namespace
}  // namespace reinstate
