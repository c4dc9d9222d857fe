// Tenants whose rows refer to rows of each other, by foreign keys that cross between them: a batch
// brings them back, and takes them away again, whatever the order of its list.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
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

  v1::Batch Await(v1::Batch batch) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    v1::GetBatchRequest request;
    request.set_batch(batch.id());
    while (batch.state() != v1::BATCH_STATE_SUCCEEDED &&
           batch.state() != v1::BATCH_STATE_PARTLY_FAILED && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(10));
      grpc::ClientContext context;
      EXPECT_TRUE(Batches()->GetBatch(&context, request, &batch).ok());
    }
    return batch;
  }

  v1::Batch RestoreAll(const std::vector<size_t>& sites) {
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
    return Await(batch);
  }

  v1::Batch Undo(const v1::Batch& done) {
    v1::UndoBatchRequest request;
    request.set_batch(done.id());
    v1::Batch batch;
    grpc::ClientContext context;
    const grpc::Status status = Batches()->UndoBatch(&context, request, &batch);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return Await(batch);
  }

  // What became of the restores of a site, by state.
  std::map<v1::RestoreState, int> RestoresOf(size_t site) {
    v1::ListRestoresRequest request;
    request.set_store("main");
    request.set_tenant(tracker_.Tenant(site));
    v1::ListRestoresResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(v1::RestoreService::NewStub(daemon_.channel())
                    ->ListRestores(&context, request, &response)
                    .ok());
    std::map<v1::RestoreState, int> states;
    for (const v1::Restore& restore : response.restores()) {
      ++states[restore.state()];
    }
    return states;
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
  EXPECT_GE(RestoresOf(kChild)[v1::RESTORE_STATE_FAILED], 1) << "it must have been tried too soon";
  EXPECT_EQ(RestoresOf(kChild)[v1::RESTORE_STATE_SUCCEEDED], 1);
  EXPECT_EQ(RestoresOf(kParent).size(), 1);

  // Here it is the parent that must wait.
  const v1::Batch undo = Undo(batch);
  ASSERT_EQ(undo.state(), v1::BATCH_STATE_SUCCEEDED) << undo.DebugString();
  EXPECT_EQ(Links(), "");
  for (const size_t site : {kChild, kParent, kOther}) {
    tracker_.expected()->Forget(tracker_.Id(site));
  }
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
