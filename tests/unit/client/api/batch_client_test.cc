#include <string>
#include <vector>

#include "client/api/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/fake_daemon.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Batch BatchIn(v1::BatchState state, int total = 0, int succeeded = 0) {
  v1::Batch batch;
  batch.set_id("bat-1");
  batch.set_state(state);
  batch.mutable_lines()->set_total(total);
  batch.mutable_lines()->set_succeeded(succeeded);
  return batch;
}

class BatchClientTest : public testing::Test {
 protected:
  // Answers as `answers` say from now on.
  ReinstateClient* ClientOf(FakeAnswers answers) {
    daemon_ = std::make_unique<FakeDaemon>(dir_.path() + "/d.sock", std::move(answers));
    ClientOptions options;
    options.address = daemon_->address();
    options.actor = "pat@support";
    options.timeout = absl::Seconds(20);
    absl::StatusOr<std::unique_ptr<ReinstateClient>> client = ReinstateClient::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    return client_.get();
  }

  TempDir dir_;
  std::unique_ptr<FakeDaemon> daemon_;
  std::unique_ptr<ReinstateClient> client_;
};

TEST_F(BatchClientTest, FollowsABatchThroughLostStreamsAndAStoppingDaemon) {
  int watches = 0;
  FakeAnswers answers;
  answers.watch_batch = [&](const v1::WatchBatchRequest& request, auto* /*context*/,
                            const auto& send) {
    EXPECT_EQ(request.batch(), "bat-1");
    if (++watches == 1) {
      send(BatchIn(v1::BATCH_STATE_WAITING_FOR_CONSENT));
      return WireError(Reason::kShuttingDown, "The daemon ends.");
    }
    send(BatchIn(watches == 2 ? v1::BATCH_STATE_RUNNING : v1::BATCH_STATE_PARTLY_FAILED));
    return grpc::Status::OK;
  };
  std::vector<v1::BatchState> seen;
  const auto batch = ClientOf(answers)->WaitForBatch(
      "bat-1", {.on_update = [&](const v1::Batch& b) { seen.push_back(b.state()); },
                .on_connection = nullptr});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->state(), v1::BATCH_STATE_PARTLY_FAILED);
  EXPECT_THAT(seen, ElementsAre(v1::BATCH_STATE_WAITING_FOR_CONSENT, v1::BATCH_STATE_RUNNING,
                                v1::BATCH_STATE_PARTLY_FAILED));
}

TEST_F(BatchClientTest, CollectsAllPartsOfWhatInputsMean) {
  FakeAnswers answers;
  answers.resolve_tenants = [](const v1::ResolveTenantsRequest& request, auto* /*context*/,
                               const auto& send) {
    for (const v1::TenantInput& input : request.inputs()) {
      v1::ResolveTenantsResponse part;
      part.add_resolutions()->set_line(input.line());
      if (input.line() == 1) {
        part.mutable_point()->set_snapshot("snap-1-12");
      }
      send(part);
    }
    return request.inputs_size() > 2 ? WireError(Reason::kUnavailable, "The store is gone.")
                                     : grpc::Status::OK;
  };
  ReinstateClient* client = ClientOf(answers);
  v1::ResolveTenantsRequest request;
  request.add_inputs()->set_line(1);
  request.add_inputs()->set_line(2);
  const auto resolved = client->ResolveTenants(request);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  ASSERT_EQ(resolved->resolutions.size(), 2);
  EXPECT_EQ(resolved->resolutions[1].line(), 2);
  EXPECT_EQ(resolved->point.snapshot(), "snap-1-12");
  // Part of an answer is none.
  request.add_inputs()->set_line(3);
  EXPECT_EQ(ReasonOf(client->ResolveTenants(request).status()), "UNAVAILABLE");
  request.mutable_inputs(0)->set_text("\xff");
  EXPECT_EQ(ReasonOf(client->ResolveTenants(request).status()), "INVALID_ARGUMENT");
}

TEST_F(BatchClientTest, SaysWhoAsksAndMakesCallsSafeToRepeat) {
  std::vector<v1::ControlBatchRequest> received;
  FakeAnswers answers;
  answers.control_batch = [&](const std::string& /*method*/, const v1::ControlBatchRequest& request,
                              v1::Batch* /*batch*/) {
    received.push_back(request);
    return received.size() == 1 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed")
                                : grpc::Status::OK;
  };
  ASSERT_TRUE(ClientOf(answers)->PauseBatch({}).ok());
  ASSERT_EQ(received.size(), 2);
  EXPECT_EQ(received[0].actor(), "pat@support");
  EXPECT_FALSE(received[0].request_id().empty());
  EXPECT_EQ(received[1].request_id(), received[0].request_id());
}

TEST_F(BatchClientTest, FollowsAllPagesOfTheLines) {
  FakeAnswers answers;
  answers.list_batch_lines = [](const v1::ListBatchLinesRequest& request,
                                v1::ListBatchLinesResponse* response) {
    response->add_lines()->set_line(request.page_token().empty() ? 1 : 2);
    response->set_next_page_token(request.page_token().empty() ? "more" : "");
    return grpc::Status::OK;
  };
  const auto lines = ClientOf(answers)->ListBatchLines({});
  ASSERT_TRUE(lines.ok()) << lines.status();
  ASSERT_EQ(lines->size(), 2);
  EXPECT_EQ((*lines)[1].line(), 2);
}

TEST(OutcomeOfBatch, IsOkOnlyIfEveryLineWasRestored) {
  EXPECT_TRUE(OutcomeOf(BatchIn(v1::BATCH_STATE_SUCCEEDED, 2, 2)).ok());
  EXPECT_TRUE(OutcomeOf(BatchIn(v1::BATCH_STATE_PLANNED, 2, 2)).ok());
  // Whatever the state says, the lines count.
  for (int number = v1::BatchState_MIN; number <= v1::BatchState_MAX; ++number) {
    const auto state = static_cast<v1::BatchState>(number);
    EXPECT_FALSE(OutcomeOf(BatchIn(state, 2, 1)).ok()) << v1::BatchState_Name(state);
    EXPECT_FALSE(OutcomeOf(BatchIn(state, 0, 0)).ok()) << v1::BatchState_Name(state);
  }
}

TEST(OutcomeOfBatch, SaysWhetherSomeOrNoneWereRestoredAndWhatBecameOfTheRest) {
  v1::Batch batch = BatchIn(v1::BATCH_STATE_PARTLY_FAILED, 6, 1);
  batch.mutable_lines()->set_failed(2);
  batch.mutable_lines()->set_in_doubt(1);
  batch.mutable_lines()->set_not_restored(2);
  const absl::Status some = OutcomeOf(batch);
  EXPECT_EQ(ReasonOf(some), kPartlyFailedReason);
  EXPECT_EQ(some.message(),
            "1 of 6 lines of the batch bat-1 were restored (2 failed, 1 in doubt, 2 left out).");
  EXPECT_EQ(ReasonOf(OutcomeOf(BatchIn(v1::BATCH_STATE_CANCELLED, 6, 0))), kNoneSucceededReason);
  v1::Batch undone = BatchIn(v1::BATCH_STATE_PARTLY_FAILED, 2, 1);
  undone.mutable_lines()->set_undone(1);
  EXPECT_EQ(OutcomeOf(undone).message(),
            "1 of 2 lines of the batch bat-1 were restored (1 undone since).");
  batch.set_kind(v1::RESTORE_KIND_UNDO);
  EXPECT_THAT(std::string(OutcomeOf(batch).message()), HasSubstr("were undone"));
}

TEST(OutcomeOfBatch, IsUnknownBeforeTheEnd) {
  EXPECT_EQ(ReasonOf(OutcomeOf(BatchIn(v1::BATCH_STATE_PAUSED, 2, 2))), "UNAVAILABLE");
  EXPECT_FALSE(IsFinal(BatchIn(v1::BATCH_STATE_WAITING_FOR_CONSENT)));
  EXPECT_TRUE(IsFinal(BatchIn(v1::BATCH_STATE_CANCELLED)));
}

v1::Restore RestoreIn(v1::RestoreState state, bool hooks_pending) {
  v1::Restore restore;
  restore.set_id("rst-1");
  restore.set_state(state);
  restore.set_hooks_pending(hooks_pending);
  return restore;
}

TEST(OutcomeOfRestore, IsFinalOnlyOnceTheHooksAfterItHaveEnded) {
  for (const v1::RestoreState state : {v1::RESTORE_STATE_SUCCEEDED, v1::RESTORE_STATE_FAILED,
                                       v1::RESTORE_STATE_CANCELLED, v1::RESTORE_STATE_UNDONE}) {
    EXPECT_TRUE(HasEnded(RestoreIn(state, true))) << v1::RestoreState_Name(state);
    EXPECT_FALSE(IsFinal(RestoreIn(state, true))) << v1::RestoreState_Name(state);
    EXPECT_TRUE(IsFinal(RestoreIn(state, false))) << v1::RestoreState_Name(state);
  }
  EXPECT_TRUE(IsFinal(RestoreIn(v1::RESTORE_STATE_IN_DOUBT, true))) << "a person comes first";
  EXPECT_FALSE(IsFinal(RestoreIn(v1::RESTORE_STATE_RUNNING, false)));
}

TEST(OutcomeOfRestore, IsAFailureIfAHookThatIsRequiredAfterItFailed) {
  v1::Restore restore = RestoreIn(v1::RESTORE_STATE_SUCCEEDED, false);
  v1::HookOutcome* const hook = restore.add_hooks();
  hook->set_name("index");
  hook->set_after(true);
  hook->set_attempts(3);
  hook->set_message("ended with exit code 7");
  EXPECT_TRUE(OutcomeOf(restore).ok()) << "it is not required";
  hook->set_required(true);
  const absl::Status outcome = OutcomeOf(restore);
  EXPECT_EQ(ReasonOf(outcome), kPartlyFailedReason);
  EXPECT_EQ(outcome.message(),
            "The rows are back, but the hook index, which is required after a restore, failed: at "
            "attempt 3 it ended with exit code 7");
  hook->set_succeeded(true);
  EXPECT_TRUE(OutcomeOf(restore).ok());
}

}  // namespace
}  // namespace reinstate
