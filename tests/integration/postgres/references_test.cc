// Tenants whose rows refer to rows of each other, by foreign keys that cross between them: a batch
// brings them back, and takes them away again, whatever the order of its list.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
#include "reinstate/v1/store_service.grpc.pb.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/daemon_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class PostgresReferences : public testing::Test {
 protected:
  // The first is done long before the second, if both are begun at the same time. A fourth site is
  // a bystander.
  static constexpr size_t kChild = 0;
  static constexpr size_t kParent = 1;
  static constexpr size_t kOther = 2;

  PostgresReferences()
      : tracker_(PostgresServer::Shared(), {60, 6'000, 40, 60}),
        daemon_(tracker_.DaemonArguments()) {
    tracker_.Run(
        "CREATE TABLE links (id bigserial PRIMARY KEY, site_id bigint REFERENCES sites, "
        "issue_id bigint REFERENCES issues); "
        "GRANT ALL ON links TO reinstate; GRANT ALL ON SEQUENCE links_id_seq TO reinstate");
  }

  // Issues of one site become linked from another one.
  void Link(size_t from, size_t to) {
    tracker_.Run(absl::StrCat(
        "INSERT INTO links (site_id, issue_id) SELECT ", tracker_.Tenant(from),
        ", id FROM issues WHERE site_id = ", tracker_.Tenant(to), " ORDER BY id LIMIT 10"));
  }

  // A snapshot is taken; then the sites are lost.
  void Lose(const std::vector<size_t>& sites) {
    daemon_.Start();
    daemon_.TakeSnapshot();
    links_ = Links();
    tracker_.Run("DELETE FROM links");
    tracker_.Delete(sites);
  }

  std::string Links() {
    return *tracker_.database()->Value(
        "SELECT coalesce(string_agg(concat_ws(' ', id, site_id, issue_id), ', ' ORDER BY id), '') "
        "FROM links");
  }

  static bool HasEnded(const v1::Batch& batch) {
    return batch.state() == v1::BATCH_STATE_SUCCEEDED ||
           batch.state() == v1::BATCH_STATE_PARTLY_FAILED;
  }

  // The batch as it is once `holds`, or after a minute.
  v1::Batch Await(v1::Batch batch, const std::function<bool(const v1::Batch&)>& holds = HasEnded) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    v1::GetBatchRequest request;
    request.set_batch(batch.id());
    while (!holds(batch) && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(10));
      grpc::ClientContext context;
      EXPECT_TRUE(Batches()->GetBatch(&context, request, &batch).ok());
    }
    return batch;
  }

  v1::Batch Create(const std::vector<size_t>& sites) {
    v1::CreateBatchRequest request;
    request.mutable_spec()->set_store("main");
    request.mutable_spec()->set_at("latest");
    request.mutable_spec()->set_accept_shrinking(true);
    for (const size_t site : sites) {
      request.add_lines()->set_tenant(tracker_.Tenant(site));
    }
    v1::Batch batch;
    grpc::ClientContext context;
    const grpc::Status status = Batches()->CreateBatch(&context, request, &batch);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return batch;
  }
  v1::Batch RestoreAll(const std::vector<size_t>& sites) { return Await(Create(sites)); }

  v1::Batch Undo(const v1::Batch& done) {
    v1::UndoBatchRequest request;
    request.set_batch(done.id());
    v1::Batch batch;
    grpc::ClientContext context;
    const grpc::Status status = Batches()->UndoBatch(&context, request, &batch);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return Await(batch);
  }

  v1::Restore OnlyRestoreOf(size_t site) {
    v1::ListRestoresRequest request;
    request.set_store("main");
    request.set_tenant(tracker_.Tenant(site));
    v1::ListRestoresResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(v1::RestoreService::NewStub(daemon_.channel())
                    ->ListRestores(&context, request, &response)
                    .ok());
    EXPECT_EQ(response.restores_size(), 1);
    return response.restores(0);
  }

  // How many rows a second restores may write; 0: without a limit.
  void Throttle(int64_t rows_per_second) {
    v1::ThrottleStoreRequest request;
    request.set_store("main");
    request.mutable_throttle()->set_rows_per_second(rows_per_second);
    v1::Store store;
    grpc::ClientContext context;
    EXPECT_TRUE(v1::StoreService::NewStub(daemon_.channel())
                    ->ThrottleStore(&context, request, &store)
                    .ok());
  }

  v1::BatchLine LineOf(const v1::Batch& batch, size_t site) {
    v1::ListBatchLinesRequest request;
    request.set_batch(batch.id());
    request.set_tenant(tracker_.Tenant(site));
    v1::ListBatchLinesResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(Batches()->ListBatchLines(&context, request, &response).ok());
    return response.lines(0);
  }

  std::unique_ptr<v1::BatchService::Stub> Batches() {
    return v1::BatchService::NewStub(daemon_.channel());
  }

  TrackerWorld tracker_;
  DaemonWorld daemon_;
  std::string links_;  // as they were
};

TEST_F(PostgresReferences, ARestoreByItselfFailsForRowsOfATenantThatIsNotBack) {
  Link(kChild, kParent);
  Lose({kChild, kParent});
  const v1::Restore first = daemon_.WaitForEnd(
      daemon_.CreateRestore(tracker_.Tenant(kChild), v1::RESTORE_MODE_CREATE_MISSING, "first"));
  EXPECT_EQ(first.state(), v1::RESTORE_STATE_FAILED);
  EXPECT_EQ(first.failure().reason(), "KEY_CONFLICT");
  EXPECT_THAT(first.failure().message(), AllOf(HasSubstr("links"), HasSubstr("issues")));
  tracker_.ExpectAllAsItMustBe();
}

TEST_F(PostgresReferences, ABatchBringsThemBackWhateverTheOrderAndTakesThemAwayAgain) {
  Link(kChild, kParent);
  Lose({kChild, kParent, kOther});
  const v1::Batch batch = RestoreAll({kChild, kOther, kParent});
  ASSERT_EQ(batch.state(), v1::BATCH_STATE_SUCCEEDED) << batch.DebugString();
  EXPECT_EQ(Links(), links_);
  tracker_.ExpectAtFirst({kChild, kParent, kOther});
  tracker_.ExpectAllAsItMustBe();
  const v1::Restore child = OnlyRestoreOf(kChild);
  EXPECT_EQ(child.state(), v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_GE(child.attempts(), 2) << "it must have been tried too soon";
  EXPECT_EQ(OnlyRestoreOf(kParent).attempts(), 1);

  // Here it is the parent that must wait.
  const v1::Batch undo = Undo(batch);
  ASSERT_EQ(undo.state(), v1::BATCH_STATE_SUCCEEDED) << undo.DebugString();
  EXPECT_EQ(Links(), "");
  for (const size_t site : {kChild, kParent, kOther}) {
    tracker_.expected()->Forget(tracker_.Id(site));
  }
  tracker_.ExpectAllAsItMustBe();
}

TEST_F(PostgresReferences, WhatWaitsForAnotherTenantIsQueuedWithTheReasonAndHasNotFailed) {
  Link(kChild, kParent);
  Lose({kChild, kParent});
  Throttle(1);  // so that the first restore, the smaller one, is the only one for long
  const v1::Batch batch = Await(Create({kChild, kParent}), [&](const v1::Batch& now) {
    return now.lines().queued() == 2 && !LineOf(now, kChild).restores(0).holding_back().empty();
  });
  EXPECT_EQ(batch.state(), v1::BATCH_STATE_RUNNING);
  EXPECT_EQ(batch.lines().queued(), 2) << batch.DebugString();
  EXPECT_EQ(batch.lines().failed(), 0);
  EXPECT_EQ(batch.failures_size(), 0);
  const auto why = AllOf(HasSubstr("once others of"), HasSubstr("links"), HasSubstr("issues"));
  EXPECT_THAT(Await(batch, [](const v1::Batch& now) { return now.holding_back_size() > 1; })
                  .holding_back(1),
              why);
  const v1::BatchLine line = LineOf(batch, kChild);
  EXPECT_EQ(line.state(), v1::BATCH_LINE_STATE_QUEUED);
  EXPECT_FALSE(line.has_problem()) << line.DebugString();
  EXPECT_THAT(line.restores(0).holding_back(), why);
  const v1::Restore restore = OnlyRestoreOf(kChild);
  EXPECT_EQ(restore.state(), v1::RESTORE_STATE_QUEUED);
  EXPECT_FALSE(restore.has_failure());
  EXPECT_THAT(restore.holding_back(), why);

  Throttle(0);
  EXPECT_EQ(Await(batch).state(), v1::BATCH_STATE_SUCCEEDED);
  EXPECT_EQ(OnlyRestoreOf(kChild).holding_back(), "");
  EXPECT_EQ(Links(), links_);
  tracker_.ExpectAtFirst({kChild, kParent});
  tracker_.ExpectAllAsItMustBe();
}

TEST_F(PostgresReferences, TenantsThatNeedEachOtherFailByNameAndTheOthersComeBack) {
  Link(kChild, kParent);
  Link(kParent, kChild);
  Lose({kChild, kParent, kOther});
  const v1::Batch batch = RestoreAll({kChild, kParent, kOther});
  EXPECT_EQ(batch.state(), v1::BATCH_STATE_PARTLY_FAILED);
  EXPECT_EQ(batch.lines().succeeded(), 1);
  ASSERT_EQ(batch.failures_size(), 2) << batch.DebugString();
  for (const v1::BatchLine& line : batch.failures()) {
    EXPECT_EQ(line.problem().reason(), "KEY_CONFLICT");
    EXPECT_THAT(line.problem().message(),
                AllOf(HasSubstr(tracker_.Tenant(kChild)), HasSubstr(tracker_.Tenant(kParent)),
                      HasSubstr("table issues")));
  }
  tracker_.ExpectAtFirst({kOther});
  tracker_.ExpectAllAsItMustBe();
  EXPECT_EQ(Links(), "");
}

}  // namespace
}  // namespace reinstate
