#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/mutex.h"
#include "tests/unit/storage/state/state_fixture.h"

namespace reinstate {
namespace {

constexpr int kThreads = 32;

class StateThreadsTest : public StateFixture {
 protected:
  void SetUp() override { Open(); }

  template <typename Work>
  static void InParallel(const Work& work) {
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&work, i] { work(i); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
};

TEST_F(StateThreadsTest, MakesOneRestoreOfOneRequestIdSentByThirtyTwoThreads) {
  Mutex mu;
  std::set<std::string> ids;
  std::atomic<int> made = 0;
  InParallel([&](int i) {
    const auto created = store_->CreateRestore({"same", "CreateRestore", "digest"},
                                               Restore("rst-" + std::to_string(i)), AuditDraft());
    ASSERT_TRUE(created.ok());
    made += created->existed ? 0 : 1;
    MutexLock lock(&mu);
    ids.insert(created->id);
  });
  EXPECT_EQ(made, 1);
  EXPECT_EQ(ids.size(), 1U);
  EXPECT_EQ(store_->ListRestores({}, "", 100)->size(), 1U);
}

TEST_F(StateThreadsTest, UndoesARestoreOnceWhenThirtyTwoThreadsAskForIt) {
  Succeed("rst-0");
  std::atomic<int> made = 0;
  InParallel([&](int i) {
    state::RestoreRecord undo = Restore("rst-1" + std::to_string(i));
    undo.mutable_order()->set_undo_of("rst-0");
    made += store_->CreateRestore({}, undo, AuditDraft()).ok() ? 1 : 0;
  });
  EXPECT_EQ(made, 1);
}

TEST_F(StateThreadsTest, KeepsTheChainWholeUnderConcurrentChanges) {
  InParallel([&](int i) {
    const std::string id = "rst-" + std::to_string(100 + i);
    ASSERT_TRUE(Create(id, "tenant" + std::to_string(i)).ok());
    ASSERT_TRUE(store_->RecordIntent(id, AppendUndo(id, 3)).ok());
    ASSERT_TRUE(End(id, i % 2 == 0 ? state::SUCCEEDED : state::IN_DOUBT).ok());
  });
  Open();
  EXPECT_TRUE(store_->VerifyAudit().ok());
  EXPECT_EQ(store_->ListAudit(0, 1000)->size(), 2U * kThreads);
  EXPECT_EQ(store_->UnfinishedRestores()->size(), kThreads / 2);
  EXPECT_EQ(*CountUndo("rst-100"), 3);
}

}  // namespace
}  // namespace reinstate
