// No byte of another tenant changes by a restore: other tenants write all the while, many are
// restored at once, and at the end every row of everybody is compared with a model, read without
// the daemon.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/daemon_world.h"

namespace reinstate {
namespace {

using TenantRows = std::map<std::string, std::map<std::string, std::string>>;

const std::vector<std::string> kTables = {"comments", "issues", "tenant"};
constexpr int kVictims = 12;
constexpr int kWriters = 4;

std::string Victim(int number) { return absl::StrCat("victim ", number); }
// Their ids are neighbours of the victims' in the order of keys.
std::string Bystander(int number) { return absl::StrCat("victim ", number, "\x01"); }

TenantRows MakeTenant(int number, int rows) {
  TenantRows tables;
  tables["tenant"]["name"] = absl::StrCat("Tenant ", number);
  for (int i = 0; i < rows; ++i) {
    tables[i % 2 == 0 ? "issues" : "comments"][absl::StrCat("row ", i)] =
        absl::StrCat("row ", i, " of ", number, std::string(i % 300, 'x'));
  }
  return tables;
}

// An application of one bystander, with its own idea of what must be there.
class Writer {
 public:
  Writer(DaemonWorld* world, int number)
      : world_(world), tenant_(Bystander(number)), random_(number), thread_([this] { Run(); }) {}
  ~Writer() { Stop(); }

  void Stop() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  int writes() const { return writes_; }
  const TenantRows& rows() const { return rows_; }

 private:
  void Run() {
    while (!stop_) {
      const std::string table = random_() % 2 == 0 ? "issues" : "comments";
      const std::string key = absl::StrCat("row ", random_() % 400);
      if (random_() % 4 == 0) {
        ASSERT_TRUE(world_->Delete(tenant_, table, key));
        rows_[table].erase(key);
      } else {
        const std::string payload = absl::StrCat("write ", writes_.load(), " of ", tenant_);
        ASSERT_TRUE(world_->Put(tenant_, table, key, payload));
        rows_[table][key] = payload;
      }
      ++writes_;
    }
  }

  DaemonWorld* const world_;
  const std::string tenant_;
  std::mt19937 random_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> writes_ = 0;
  TenantRows rows_;
  std::thread thread_;
};

TEST(Isolation, ManyRestoresAtOnceTouchNobodyElseWhileAllOthersWrite) {
  DaemonWorld world;
  world.Start();
  StoreRows model;
  for (int i = 0; i < kVictims; ++i) {
    model[Victim(i)] = MakeTenant(i, i == 0 ? 20'000 : 50 * i);
    world.Write(Victim(i), model[Victim(i)]);
  }
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < kWriters; ++i) {
    writers.push_back(std::make_unique<Writer>(&world, i));
  }
  world.TakeSnapshot();
  for (int i = 0; i < kVictims; ++i) {
    world.DeleteTenant(Victim(i));
    // Work since the deletion, which create-missing keeps and a mirror removes.
    ASSERT_TRUE(world.Put(Victim(i), "issues", "since", "the deletion"));
  }
  std::vector<std::string> restores;
  for (int i = 0; i < kVictims; ++i) {
    const bool mirror = i % 2 == 0;
    restores.push_back(world.CreateRestore(
        Victim(i), mirror ? v1::RESTORE_MODE_MIRROR : v1::RESTORE_MODE_CREATE_MISSING,
        absl::StrCat("restore ", i)));
    if (!mirror) {
      model[Victim(i)]["issues"]["since"] = "the deletion";
    }
  }
  for (const std::string& restore : restores) {
    const v1::Restore ended = world.WaitForEnd(restore);
    EXPECT_EQ(ended.state(), v1::RESTORE_STATE_SUCCEEDED) << ended.failure().message();
  }
  for (const int i : {1, 2, 5}) {
    const v1::Restore undo =
        world.WaitForEnd(world.CreateUndo(restores[i], absl::StrCat("undo ", i)));
    EXPECT_EQ(undo.state(), v1::RESTORE_STATE_SUCCEEDED) << undo.failure().message();
    model[Victim(i)] = {{"issues", {{"since", "the deletion"}}}};
  }
  std::vector<std::string> tenants;
  for (int i = 0; i < kVictims; ++i) {
    tenants.push_back(Victim(i));
    tenants.push_back(Bystander(i));
  }
  for (int i = 0; i < kWriters; ++i) {
    writers[i]->Stop();
    EXPECT_GT(writers[i]->writes(), 100) << "the writer must have written meanwhile";
    model[Bystander(i)] = writers[i]->rows();
  }
  EXPECT_EQ(world.daemon()->Terminate(), 0);
  EXPECT_TRUE(world.ReadAtRest(tenants, kTables) == model);
}

TEST(Idempotency, ThirtyTwoCallsWithOneRequestIdMakeOneRestore) {
  DaemonWorld world;
  world.Start();
  world.Write("acme", MakeTenant(1, 100));
  world.TakeSnapshot();
  world.DeleteTenant("acme");
  std::vector<std::string> ids(32);
  std::vector<std::thread> threads;
  threads.reserve(ids.size());
  for (std::string& id : ids) {
    threads.emplace_back(
        [&] { id = world.CreateRestore("acme", v1::RESTORE_MODE_MIRROR, "one request"); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1U);
  EXPECT_EQ(world.WaitForEnd(ids[0]).state(), v1::RESTORE_STATE_SUCCEEDED);
  // Also after a restart of the daemon.
  EXPECT_EQ(world.daemon()->Terminate(), 0);
  world.Start();
  EXPECT_EQ(world.CreateRestore("acme", v1::RESTORE_MODE_MIRROR, "one request"), ids[0]);
}

}  // namespace
}  // namespace reinstate
