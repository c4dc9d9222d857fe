// The same scenarios in the adapters' way and in naive ways, which must go wrong: otherwise the
// scenarios of the suite would not show anything.

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "tests/conformance/live_store_test.h"
#include "tests/conformance/naive_session.h"

namespace reinstate {
namespace {

const TenantId kAcme = Tenant("acme");

class ControlArmTest : public LiveStoreTest {
 protected:
  // Opens a session of kAcme.
  using Opener = std::function<std::unique_ptr<TenantSession>()>;

  Opener Ours() {
    return [this] { return Session(kAcme); };
  }
  Opener Naive(NaiveWays ways) {
    return [this, ways] {
      return std::make_unique<NaiveSession>(application(), &naive_locks_, kAcme, ways);
    };
  }

  // Whether a write of the application to another key, between view and commit, is lost.
  bool LosesAWriteToAnotherKey(const Opener& open) {
    Put(kAcme, "issue", "1", "one");
    const auto session = open();
    EXPECT_THAT(session->Begin(), IsOk());
    Read(session.get(), "issue");
    Apply(session.get(), {Replace("issue", "1", "one", "uno")});
    Put(kAcme, "issue", "2", "written meanwhile");
    EXPECT_THAT(SealAndCommit(session.get()), IsOk());
    return !Live(kAcme, "issue").contains("2");
  }

  // Whether a write of the application to the same key, between view and commit, is lost.
  bool LosesAWriteToTheSameKey(const Opener& open) {
    Put(kAcme, "issue", "1", "one");
    const auto session = open();
    EXPECT_THAT(session->Begin(), IsOk());
    Apply(session.get(), {Replace("issue", "1", "one", "uno")});
    Put(kAcme, "issue", "1", "written meanwhile");
    SealAndCommit(session.get()).IgnoreError();
    return Live(kAcme, "issue").at("1") != "written meanwhile";
  }

  // Whether a session that waited for the lock of another works on what was before that one.
  // `await_second` blocks until the second one has come to wait.
  bool WorksOnStaleRows(const Opener& open, const std::function<void()>& await_second) {
    Put(kAcme, "issue", "1", "one");
    auto first = open();
    EXPECT_THAT(first->Begin(), IsOk());
    Rows seen;
    std::thread second([&] {
      const auto session = open();
      EXPECT_THAT(session->Begin(), IsOk());
      seen = Read(session.get(), "issue");
    });
    await_second();
    Apply(first.get(), {Replace("issue", "1", "one", "uno")});
    EXPECT_THAT(SealAndCommit(first.get()), IsOk());
    first = nullptr;
    second.join();
    return seen.at("1") != "uno";
  }

  TenantLocks naive_locks_;
};
INSTANTIATE_TEST_SUITE_P(Adapters, ControlArmTest, testing::ValuesIn(AllAdapters()), AdapterName);

TEST_P(ControlArmTest, WritingTheViewBackLosesAWriteToAnotherKeyAndOursDoesNot) {
  EXPECT_TRUE(LosesAWriteToAnotherKey(Naive({.writes_view_back = true})));
  EXPECT_FALSE(LosesAWriteToAnotherKey(Ours()));
}

TEST_P(ControlArmTest, WritingBlindlyLosesAWriteToTheSameKeyAndOursDoesNot) {
  EXPECT_TRUE(LosesAWriteToTheSameKey(Naive({})));
  EXPECT_FALSE(LosesAWriteToTheSameKey(Ours()));
}

TEST_P(ControlArmTest, AViewFromBeforeTheLockIsStaleAndOursIsNot) {
  std::atomic<int> views = 0;
  EXPECT_TRUE(WorksOnStaleRows(Naive({.takes_view_before_lock = true, .views = &views}), [&views] {
    while (views < 2) {
      std::this_thread::yield();
    }
  }));
  // Most likely it waits by then; the outcome does not depend on it.
  EXPECT_FALSE(WorksOnStaleRows(
      Ours(), [] { std::this_thread::sleep_for(std::chrono::milliseconds(200)); }));
}

}  // namespace
}  // namespace reinstate
