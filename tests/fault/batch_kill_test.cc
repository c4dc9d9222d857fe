// kill -9 of the daemon with 200 restores of a batch in flight, at every step of a restore and at
// random moments: every tenant is as before or as after, the batch goes on by itself after the next
// start, and ends with exactly one restore of each tenant.

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
#include "storage/base/fault_points.h"
#include "tests/support/daemon_world.h"

namespace reinstate {
namespace {

constexpr int kTenants = 200;
constexpr int kRandomKills = 8;
constexpr absl::Duration kPatience = absl::Seconds(120);

const std::vector<std::string> kTables = {"issues", "tenant"};

// In the order in which a restore passes them.
const std::vector<std::string> kPlaces = {
    "restore.planning",      "restore.applying",     "restore.verifying",
    "restore.before_intent", "restore.after_intent", "live.before_commit",
    "live.after_commit",     "restore.after_commit", "state.before_batch",
};

class BatchKillTest : public testing::Test {
 protected:
  BatchKillTest() {
    world_.Start();
    for (int i = 0; i < kTenants; ++i) {
      tenants_.push_back(absl::StrCat("tenant-", i));
      auto& tables = point_[tenants_.back()];
      tables["tenant"]["name"] = absl::StrCat("Tenant ", i);
      // Long-tailed: some are hundreds of times as large as most.
      for (int row = 0; row < 3 + 1000 / (i + 1); ++row) {
        tables["issues"][absl::StrCat("row ", row)] =
            std::string(100, static_cast<char>('a' + i % 26));
      }
      world_.Write(tenants_.back(), tables);
    }
    world_.TakeSnapshot();
    for (const std::string& tenant : tenants_) {
      world_.DeleteTenant(tenant);
      world_.Put(tenant, "issues", "since", "the deletion");
    }
    before_ = world_.Read(tenants_, kTables);
  }

  v1::BatchService::Stub Batches() { return v1::BatchService::Stub(world_.channel()); }

  // The batch under way, begun if there is none. False if the daemon ended meanwhile.
  bool Begin(v1::Batch* batch) {
    grpc::ClientContext context;
    const std::string request_id = absl::StrCat("batch ", ordered_.size());
    grpc::Status status;
    if (restoring_) {
      v1::CreateBatchRequest request;
      request.mutable_spec()->set_store("main");
      request.mutable_spec()->set_at("latest");
      request.mutable_spec()->set_mode(v1::RESTORE_MODE_MIRROR);
      request.mutable_spec()->set_accept_shrinking(true);
      for (const std::string& tenant : tenants_) {
        request.add_lines()->set_tenant(tenant);
      }
      request.set_request_id(request_id);
      status = Batches().CreateBatch(&context, request, batch);
    } else {
      v1::UndoBatchRequest request;
      request.set_batch(ordered_.back());
      request.set_request_id(request_id);
      status = Batches().UndoBatch(&context, request, batch);
    }
    EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE)
        << status.error_message();
    return status.ok();
  }

  static bool HasEnded(const v1::Batch& batch) {
    return batch.state() == v1::BATCH_STATE_SUCCEEDED ||
           batch.state() == v1::BATCH_STATE_PARTLY_FAILED ||
           batch.state() == v1::BATCH_STATE_CANCELLED;
  }

  // Nothing is between, whatever was killed.
  void ExpectBeforeOrAfter(const std::string& when) {
    const StoreRows found = world_.ReadAtRest(tenants_, kTables);
    for (const std::string& tenant : tenants_) {
      const auto rows = found.find(tenant);
      ASSERT_NE(rows, found.end()) << tenant << " is gone, killed " << when;
      EXPECT_TRUE(rows->second == before_[tenant] || rows->second == point_[tenant])
          << tenant << " is between, killed " << when;
    }
  }

  // The batch has done what it says, to every tenant once.
  void ExpectDone(const v1::Batch& batch) {
    ASSERT_EQ(batch.state(), v1::BATCH_STATE_SUCCEEDED) << batch.state_message();
    EXPECT_EQ(batch.lines().succeeded(), kTenants);
    EXPECT_EQ(world_.Read(tenants_, kTables), restoring_ ? point_ : before_);
    ordered_.push_back(batch.id());
    std::map<std::string, size_t> restores;
    auto service = v1::RestoreService::NewStub(world_.channel());
    v1::ListRestoresResponse page;
    do {
      grpc::ClientContext context;
      v1::ListRestoresRequest request;
      request.set_page_token(page.next_page_token());
      ASSERT_TRUE(service->ListRestores(&context, request, &page).ok());
      for (const v1::Restore& restore : page.restores()) {
        ++restores[restore.tenant().tenant()];
        EXPECT_TRUE(restore.state() == v1::RESTORE_STATE_SUCCEEDED ||
                    restore.state() == v1::RESTORE_STATE_UNDONE)
            << restore.id();
      }
    } while (!page.next_page_token().empty());
    for (const std::string& tenant : tenants_) {
      EXPECT_EQ(restores[tenant], ordered_.size()) << tenant;
    }
    restoring_ = !restoring_;
  }

  // Looks after the batch: when one has ended, the next is begun. False if the daemon has ended.
  bool Tend() {
    v1::Batch batch;
    if (!Begin(&batch)) {
      return false;
    }
    if (HasEnded(batch)) {
      ExpectDone(batch);
    }
    return !HasFatalFailure();
  }

  // Kills the daemon at a hit of the place while a batch is under way.
  void KillAt(const std::string& place) {
    const int hit = std::uniform_int_distribution<int>(1, 20)(random_);
    const std::string when = absl::StrCat("at ", place, " (hit ", hit, ")");
    if (world_.TryStart(absl::StrCat(place, "=crash@", hit))) {
      const absl::Time deadline = absl::Now() + kPatience;
      while (Tend() && absl::Now() < deadline) {
        absl::SleepFor(absl::Milliseconds(10));
      }
      ASSERT_FALSE(HasFatalFailure());
      ASSERT_EQ(world_.daemon()->WaitForEnd(absl::Seconds(10)), FaultPoints::kCrashExitCode)
          << when;
    }
    ExpectBeforeOrAfter(when);
  }

  void KillAfter(absl::Duration delay) {
    world_.Start();
    ASSERT_TRUE(Tend());
    absl::SleepFor(delay);
    world_.daemon()->Kill();
    ExpectBeforeOrAfter(absl::StrCat("after ", absl::FormatDuration(delay)));
  }

  // Lets the batch that is under way end.
  void Finish() {
    world_.Start();
    const size_t before = ordered_.size();
    const absl::Time deadline = absl::Now() + kPatience;
    while (ordered_.size() == before && absl::Now() < deadline) {
      ASSERT_TRUE(Tend());
      absl::SleepFor(absl::Milliseconds(20));
    }
    ASSERT_GT(ordered_.size(), before) << "the batch does not end: " << world_.Output();
  }

  DaemonWorld world_;
  std::vector<std::string> tenants_;
  StoreRows point_;
  StoreRows before_;
  bool restoring_ = true;             // or undoing the batch before
  std::vector<std::string> ordered_;  // batches that have ended
  std::mt19937 random_{20220405};
};

TEST_F(BatchKillTest, AKillWith200RestoresInFlightLosesNothingAndRepeatsNothing) {
  for (const std::string& place : kPlaces) {
    ASSERT_NO_FATAL_FAILURE(KillAt(place));
  }
  for (int i = 0; i < kRandomKills; ++i) {
    ASSERT_NO_FATAL_FAILURE(
        KillAfter(absl::Milliseconds(std::uniform_int_distribution<int>(0, 200)(random_))));
  }
  ASSERT_NO_FATAL_FAILURE(Finish());
}

}  // namespace
}  // namespace reinstate
