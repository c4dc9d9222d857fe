// The manager with the real engine, over a store in memory.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/jobs/restore_manager.h"
#include "tests/unit/server/jobs/jobs_fixture.h"

namespace reinstate {
namespace {

constexpr int kLost = 12;

class RestoresEndToEndTest : public JobsFixture {
 protected:
  void SetUp() override {
    RestoreEngineOptions options;
    options.spill_path = folder_.path() + "/spill";
    options.clock = &site_.clock();
    engine_ = *RestoreEngine::Create(options, &site_.history(), state_.get());
    manager_ = *RestoreManager::Create({.workers = 4, .clock = &site_.clock()}, registry_.get(),
                                       &site_.history(), state_.get(), engine_.get());
    for (int i = 0; i < kLost; ++i) {
      for (int row = 0; row <= i; ++row) {
        site_.Put(Tenant(i), "issues", absl::StrCat(row), absl::StrCat("payload ", i, " ", row));
      }
    }
    site_.Put("bystander", "issues", "1", "before");
    site_.TakeSnapshot();
    ASSERT_THAT(manager_->Start(), IsOk());
  }

  void TearDown() override { manager_.reset(); }

  static std::string Tenant(int i) { return absl::StrCat("tenant-", i); }

  std::string Get(const std::string& tenant, const std::string& key) {
    const auto payload = site_.store().Get(*TenantId::Parse(tenant), "issues", RowKey(key));
    return payload.ok() ? payload->value_or("(none)") : std::string(payload.status().message());
  }

  std::string Create(const std::string& tenant) {
    state::RestoreOrder order;
    order.set_store("main");
    order.set_tenant(tenant);
    order.set_mode(state::MIRROR);
    order.mutable_point()->set_requested("latest");
    const auto record = manager_->CreateRestore(RequestKey(), order, false);
    EXPECT_THAT(record, IsOk());
    return record->id();
  }

  state::RestoreRecord AwaitEnd(const std::string& id) {
    Await([&](auto on_change) { return manager_->WatchJob(id, std::move(on_change)); },
          [&] {
            const auto state = manager_->GetRestore(id)->state();
            return state != state::QUEUED && state != state::RUNNING;
          });
    return *manager_->GetRestore(id);
  }

  std::unique_ptr<RestoreEngine> engine_;
  std::unique_ptr<RestoreManager> manager_;
};

TEST_F(RestoresEndToEndTest, BringsManyTenantsBackAtOnceAndLeavesTheOthersAlone) {
  for (int i = 0; i < kLost; ++i) {
    site_.DeleteTenant(Tenant(i));
  }
  site_.Put("bystander", "issues", "1", "after");
  std::vector<std::string> ids;
  for (int i = 0; i < kLost; ++i) {
    ids.push_back(Create(Tenant(i)));
  }
  for (const std::string& id : ids) {
    const state::RestoreRecord record = AwaitEnd(id);
    EXPECT_EQ(record.state(), state::SUCCEEDED) << record.failure().message();
    EXPECT_THAT(state_->GetCertificate(id), IsOk());
  }
  for (int i = 0; i < kLost; ++i) {
    EXPECT_EQ(Get(Tenant(i), absl::StrCat(i)), absl::StrCat("payload ", i, " ", i));
  }
  EXPECT_EQ(Get("bystander", "1"), "after");
  EXPECT_THAT(state_->VerifyAudit(), IsOk());
}

TEST_F(RestoresEndToEndTest, UndoesARestore) {
  site_.Put("tenant-3", "issues", "0", "newer");
  const std::string id = Create("tenant-3");
  ASSERT_EQ(AwaitEnd(id).state(), state::SUCCEEDED);
  EXPECT_EQ(Get("tenant-3", "0"), "payload 3 0");
  state::RestoreOrder order;
  order.set_undo_of(id);
  const auto undo = manager_->CreateUndo(RequestKey(), order, false);
  ASSERT_THAT(undo, IsOk());
  const state::RestoreRecord ended = AwaitEnd(undo->id());
  EXPECT_EQ(ended.state(), state::SUCCEEDED) << ended.failure().message();
  EXPECT_EQ(Get("tenant-3", "0"), "newer");
  EXPECT_EQ(manager_->GetRestore(id)->state(), state::UNDONE);
}

}  // namespace
}  // namespace reinstate
