#include "client/api/client.h"

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"
#include "storage/base/mutex.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/fake_daemon.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

grpc::Status Lost() { return {grpc::StatusCode::UNAVAILABLE, "Socket closed"}; }

grpc::Status Refused() { return WireError(Reason::kUnavailable, "Too many wait.", "admission"); }

v1::Restore RestoreIn(v1::RestoreState state) {
  v1::Restore restore;
  restore.set_id("rst-1");
  restore.set_state(state);
  return restore;
}

v1::CreateRestoreRequest Order(const std::string& request_id) {
  v1::CreateRestoreRequest request;
  request.set_request_id(request_id);
  return request;
}

class ClientTest : public testing::Test {
 protected:
  std::unique_ptr<FakeDaemon> StartDaemon(FakeAnswers answers) {
    return std::make_unique<FakeDaemon>(dir_.path() + "/d.sock", std::move(answers));
  }

  static std::unique_ptr<ReinstateClient> ConnectTo(const FakeDaemon& daemon,
                                                    absl::Duration timeout = absl::Seconds(20),
                                                    std::vector<absl::Status>* refusals = nullptr) {
    ClientOptions options;
    options.address = daemon.address();
    options.actor = "pat@support";
    options.timeout = timeout;
    if (refusals != nullptr) {
      options.on_refusal = [=](const absl::Status& refusal) { refusals->push_back(refusal); };
    }
    absl::StatusOr<std::unique_ptr<ReinstateClient>> client = ReinstateClient::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status();
    return *std::move(client);
  }

  TempDir dir_;
};

TEST_F(ClientTest, SaysAtOnceThatNobodyListens) {
  ClientOptions options;
  options.address = "unix:" + dir_.path() + "/nobody.sock";
  options.timeout = absl::Minutes(10);
  const absl::Time begin = absl::Now();
  const absl::Status status = ReinstateClient::Connect(options).status();
  EXPECT_EQ(ReasonOf(status), "UNAVAILABLE");
  EXPECT_THAT(std::string(status.message()), HasSubstr("nobody.sock"));
  EXPECT_LT(absl::Now() - begin, absl::Minutes(1));
}

TEST_F(ClientTest, RefusesACertificateWithoutItsKey) {
  ClientOptions options;
  options.tls.certificate = "client.pem";
  EXPECT_EQ(ReasonOf(ReinstateClient::Connect(options).status()), "INVALID_ARGUMENT");
}

TEST_F(ClientTest, RepeatsALostCreationWithTheSameRequestId) {
  std::vector<v1::CreateRestoreRequest> received;
  FakeAnswers answers;
  answers.create_restore = [&](const v1::CreateRestoreRequest& request, v1::Restore* restore) {
    received.push_back(request);
    *restore = RestoreIn(v1::RESTORE_STATE_QUEUED);
    return received.size() < 3 ? Lost() : grpc::Status::OK;
  };
  const auto daemon = StartDaemon(answers);
  const auto client = ConnectTo(*daemon);

  const absl::StatusOr<v1::Restore> restore = client->CreateRestore({});
  ASSERT_TRUE(restore.ok()) << restore.status();
  EXPECT_EQ(restore->id(), "rst-1");
  ASSERT_EQ(received.size(), 3);
  EXPECT_THAT(received[0].request_id(),
              MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_EQ(received[1].SerializeAsString(), received[0].SerializeAsString());
  EXPECT_EQ(received[2].SerializeAsString(), received[0].SerializeAsString());
  EXPECT_EQ(received[0].actor(), "pat@support");
}

TEST_F(ClientTest, SaysThatAnAnswerWasLostAndWithWhichRequestIdTheOrderIsOne) {
  FakeAnswers answers;
  answers.create_restore = [](const auto& /*request*/, v1::Restore* /*restore*/) { return Lost(); };
  answers.get_restore = [](const auto& /*request*/, v1::Restore* /*restore*/) { return Lost(); };
  const auto daemon = StartDaemon(answers);
  int losses = 0;
  ClientOptions options;
  options.address = daemon->address();
  options.timeout = absl::Milliseconds(1500);
  options.on_loss = [&losses] { ++losses; };
  const auto client = ReinstateClient::Connect(options);
  ASSERT_TRUE(client.ok()) << client.status();
  const absl::Status lost = (*client)->CreateRestore(Order("INC-77")).status();
  EXPECT_EQ(ReasonOf(lost), "UNAVAILABLE");
  EXPECT_THAT(std::string(lost.message()),
              EndsWith("It may have taken the order all the same: given again with the request id "
                       "INC-77 it is done once."));
  EXPECT_EQ(losses, 1);
  // Who only asks can ask again.
  EXPECT_THAT(std::string((*client)->GetRestore({}).status().message()),
              Not(HasSubstr("request id")));
}

TEST_F(ClientTest, SaysOfAnOrderThatIsNotAnsweredInTimeWithWhichRequestIdItIsOne) {
  FakeAnswers answers;
  answers.create_restore = [](const auto& /*request*/, v1::Restore* /*restore*/) {
    absl::SleepFor(absl::Seconds(2));
    return grpc::Status::OK;
  };
  const auto daemon = StartDaemon(answers);
  const absl::Status late =
      ConnectTo(*daemon, absl::Seconds(1))->CreateRestore(Order("INC-77")).status();
  EXPECT_EQ(ReasonOf(late), "DEADLINE_EXCEEDED");
  EXPECT_THAT(std::string(late.message()), HasSubstr("did not answer within 1s"));
  EXPECT_THAT(std::string(late.message()), HasSubstr("request id INC-77"));
}

TEST_F(ClientTest, KeepsTheRequestIdAndTheActorThatItIsGiven) {
  v1::CreateRestoreRequest received;
  FakeAnswers answers;
  answers.create_restore = [&](const v1::CreateRestoreRequest& request, v1::Restore* /*restore*/) {
    received = request;
    return grpc::Status::OK;
  };
  const auto daemon = StartDaemon(answers);
  v1::CreateRestoreRequest request;
  request.set_request_id("INC-77");
  request.set_actor("robot");
  ASSERT_TRUE(ConnectTo(*daemon)->CreateRestore(request).ok());
  EXPECT_EQ(received.request_id(), "INC-77");
  EXPECT_EQ(received.actor(), "robot");
}

TEST_F(ClientTest, DoesNotRepeatWhatTheDaemonHasAnswered) {
  int calls = 0;
  FakeAnswers answers;
  answers.create_restore = [&](const v1::CreateRestoreRequest& /*request*/,
                               v1::Restore* /*restore*/) {
    ++calls;
    return WireError(Reason::kUnavailable, "The store main does not answer.");
  };
  const auto daemon = StartDaemon(answers);
  const absl::Status status = ConnectTo(*daemon)->CreateRestore({}).status();
  EXPECT_EQ(status.message(), "The store main does not answer.");
  EXPECT_EQ(calls, 1);
}

TEST_F(ClientTest, TriesAgainAndSaysSoWhenTheDaemonHasTooManyCallsWaiting) {
  int calls = 0;
  FakeAnswers answers;
  answers.create_restore = [&](const v1::CreateRestoreRequest& /*request*/,
                               v1::Restore* /*restore*/) {
    return ++calls < 4 ? Refused() : grpc::Status::OK;
  };
  const auto daemon = StartDaemon(answers);
  std::vector<absl::Status> refusals;
  const auto client = ConnectTo(*daemon, absl::Seconds(20), &refusals);
  EXPECT_TRUE(client->CreateRestore({}).ok());
  EXPECT_EQ(calls, 4);
  ASSERT_EQ(refusals.size(), 1);
  EXPECT_EQ(refusals[0].message(), "Too many wait.");
}

TEST_F(ClientTest, GivesUpOnADaemonThatKeepsRefusingWithWhatItSaid) {
  FakeAnswers answers;
  answers.create_restore = [](const v1::CreateRestoreRequest& /*request*/,
                              v1::Restore* /*restore*/) { return Refused(); };
  const auto daemon = StartDaemon(answers);
  std::vector<absl::Status> refusals;
  const auto client = ConnectTo(*daemon, absl::Milliseconds(1500), &refusals);
  EXPECT_EQ(client->CreateRestore({}).status().message(), "Too many wait.");
  EXPECT_EQ(refusals.size(), 1);
}

TEST_F(ClientTest, BeginsAWatchAgainThatWasRefused) {
  int watches = 0;
  FakeAnswers answers;
  answers.watch_restore = [&](const v1::WatchRestoreRequest& /*request*/,
                              grpc::ServerContext* /*context*/,
                              const std::function<void(const v1::Restore&)>& send) {
    if (++watches < 3) {
      return Refused();
    }
    send(RestoreIn(v1::RESTORE_STATE_SUCCEEDED));
    return grpc::Status::OK;
  };
  const auto daemon = StartDaemon(answers);
  std::vector<absl::Status> refusals;
  const auto client = ConnectTo(*daemon, absl::Seconds(20), &refusals);
  EXPECT_TRUE(client->WaitForRestore("rst-1", {}).ok());
  EXPECT_EQ(watches, 3);
  EXPECT_EQ(refusals.size(), 1);
}

TEST_F(ClientTest, RefusesTextsThatAreNoUtf8BeforeTheyAreSent) {
  const auto daemon = StartDaemon({});
  const auto client = ConnectTo(*daemon);
  v1::CreateRestoreRequest request;
  request.mutable_spec()->set_tenant("\xff");
  const absl::Status status = client->CreateRestore(request).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_ARGUMENT");
  EXPECT_THAT(std::string(status.message()), HasSubstr("'tenant'"));
  request.mutable_spec()->set_tenant("1001");
  request.mutable_spec()->add_tables("issue");
  request.mutable_spec()->add_tables("\xc0\x80");
  EXPECT_EQ(ReasonOf(client->CreateRestore(request).status()), "INVALID_ARGUMENT");
  EXPECT_EQ(ReasonOf(client->WaitForRestore("\xff", {}).status()), "INVALID_ARGUMENT");
}

TEST_F(ClientTest, FollowsAllPagesOfAList) {
  std::vector<std::string> tokens;
  FakeAnswers answers;
  answers.list_restores = [&](const v1::ListRestoresRequest& request,
                              v1::ListRestoresResponse* response) {
    tokens.push_back(request.page_token());
    response->add_restores()->set_id("rst-" + std::to_string(tokens.size()));
    response->set_next_page_token(tokens.size() < 3 ? std::to_string(tokens.size()) : "");
    return grpc::Status::OK;
  };
  const auto daemon = StartDaemon(answers);
  const auto restores = ConnectTo(*daemon)->ListRestores({});
  ASSERT_TRUE(restores.ok()) << restores.status();
  EXPECT_EQ(restores->size(), 3);
  EXPECT_THAT(tokens, ElementsAre("", "1", "2"));
}

TEST_F(ClientTest, AsksForNoMorePagesThanTheLimitNeeds) {
  std::vector<int> sizes;
  FakeAnswers answers;
  answers.list_restores = [&](const v1::ListRestoresRequest& request,
                              v1::ListRestoresResponse* response) {
    sizes.push_back(request.page_size());
    response->add_restores();
    response->set_next_page_token("more");
    return grpc::Status::OK;
  };
  const auto daemon = StartDaemon(answers);
  const auto restores = ConnectTo(*daemon)->ListRestores({}, /*limit=*/2);
  ASSERT_TRUE(restores.ok()) << restores.status();
  EXPECT_EQ(restores->size(), 2);
  EXPECT_THAT(sizes, ElementsAre(2, 1));
}

TEST_F(ClientTest, WaitsThroughLostStreamsAndAStoppingDaemon) {
  std::atomic<int> watches = 0;
  FakeAnswers answers;
  answers.watch_restore = [&](const v1::WatchRestoreRequest& request,
                              grpc::ServerContext* /*context*/, const auto& send) {
    EXPECT_EQ(request.restore(), "rst-1");
    switch (++watches) {
      case 1:
        send(RestoreIn(v1::RESTORE_STATE_RUNNING));
        return WireError(Reason::kShuttingDown, "The daemon ends.");
      case 2:
        return Lost();
      case 3:
        return grpc::Status::OK;  // ends without a final state
      default:
        send(RestoreIn(v1::RESTORE_STATE_SUCCEEDED));
        return grpc::Status::OK;
    }
  };
  const auto daemon = StartDaemon(answers);
  std::vector<v1::RestoreState> seen;
  std::vector<bool> answering;
  const auto restore = ConnectTo(*daemon)->WaitForRestore(
      "rst-1", {.on_update = [&](const v1::Restore& r) { seen.push_back(r.state()); },
                .on_connection = [&](const absl::Status& s) { answering.push_back(s.ok()); }});
  ASSERT_TRUE(restore.ok()) << restore.status();
  EXPECT_EQ(restore->state(), v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_THAT(seen, ElementsAre(v1::RESTORE_STATE_RUNNING, v1::RESTORE_STATE_SUCCEEDED));
  // Said once when it went away and once when it came back, however many tries there were.
  EXPECT_THAT(answering, ElementsAre(false, true));
}

TEST_F(ClientTest, WaitsForADaemonThatRestarts) {
  std::atomic<bool> restarted = false;
  FakeAnswers answers;
  answers.watch_restore = [&](const v1::WatchRestoreRequest& /*request*/,
                              grpc::ServerContext* context, const auto& send) {
    if (restarted) {
      send(RestoreIn(v1::RESTORE_STATE_SUCCEEDED));
      return grpc::Status::OK;
    }
    send(RestoreIn(v1::RESTORE_STATE_RUNNING));
    while (!context->IsCancelled()) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    return grpc::Status::CANCELLED;
  };
  const auto daemon = StartDaemon(answers);
  std::thread restart;
  const auto restore = ConnectTo(*daemon)->WaitForRestore(
      "rst-1", {.on_update =
                    [&](const v1::Restore& r) {
                      if (r.state() == v1::RESTORE_STATE_RUNNING) {
                        restart = std::thread([&] {
                          daemon->Stop();
                          restarted = true;
                          daemon->Start();
                        });
                      }
                    },
                .on_connection = nullptr});
  restart.join();
  ASSERT_TRUE(restore.ok()) << restore.status();
  EXPECT_EQ(restore->state(), v1::RESTORE_STATE_SUCCEEDED);
}

TEST_F(ClientTest, StopsWaitingWhereTheDaemonKnowsNoSuchRestore) {
  FakeAnswers answers;
  answers.watch_restore = [](const v1::WatchRestoreRequest& /*request*/,
                             grpc::ServerContext* /*context*/, const auto& /*send*/) {
    return WireError(Reason::kRestoreNotFound, "There is no restore rst-1.");
  };
  const auto daemon = StartDaemon(answers);
  EXPECT_EQ(ReasonOf(ConnectTo(*daemon)->WaitForRestore("rst-1", {}).status()),
            "RESTORE_NOT_FOUND");
}

TEST_F(ClientTest, GivesUpOnADaemonThatStaysAway) {
  FakeAnswers answers;
  answers.watch_restore = [](const v1::WatchRestoreRequest& /*request*/,
                             grpc::ServerContext* /*context*/,
                             const auto& /*send*/) { return Lost(); };
  const auto daemon = StartDaemon(answers);
  ClientOptions options;
  options.address = daemon->address();
  options.reconnect_for = absl::Milliseconds(1);
  const auto client = ReinstateClient::Connect(options);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(ReasonOf((*client)->WaitForRestore("rst-1", {}).status()), "UNAVAILABLE");
}

TEST_F(ClientTest, EndsAWaitThatIsInterruptedAndLeavesTheRestoreAlone) {
  FakeAnswers answers;
  answers.watch_restore = [](const v1::WatchRestoreRequest& /*request*/,
                             grpc::ServerContext* context, const auto& send) {
    send(RestoreIn(v1::RESTORE_STATE_RUNNING));
    while (!context->IsCancelled()) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    return grpc::Status::CANCELLED;
  };
  const auto daemon = StartDaemon(answers);
  const auto client = ConnectTo(*daemon);
  const auto restore = client->WaitForRestore(
      "rst-1", {.on_update = [&](const v1::Restore&) { client->InterruptWaits(); },
                .on_connection = nullptr});
  EXPECT_EQ(ReasonOf(restore.status()), kInterruptedReason);
  // Later ones too, at once.
  EXPECT_EQ(ReasonOf(client->WaitForRestore("rst-1", {}).status()), kInterruptedReason);
}

TEST(OutcomeOf, IsTheFailureOfARestoreWithItsReason) {
  v1::Restore restore = RestoreIn(v1::RESTORE_STATE_FAILED);
  restore.mutable_failure()->set_code(static_cast<int>(absl::StatusCode::kAborted));
  restore.mutable_failure()->set_reason("TENANT_BUSY");
  restore.mutable_failure()->set_message("Try again later.");
  const absl::Status status = OutcomeOf(restore);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(status), "TENANT_BUSY");
  EXPECT_EQ(status.message(), "Try again later.");
}

TEST(OutcomeOf, IsNeverOkUnlessItSucceeded) {
  for (int number = v1::RestoreState_MIN; number <= v1::RestoreState_MAX; ++number) {
    const auto state = static_cast<v1::RestoreState>(number);
    const bool succeeded =
        state == v1::RESTORE_STATE_SUCCEEDED || state == v1::RESTORE_STATE_UNDONE;
    EXPECT_EQ(OutcomeOf(RestoreIn(state)).ok(), succeeded) << v1::RestoreState_Name(state);
  }
}

TEST(OutcomeOf, OfARestoreInDoubtSaysThatAPersonMustResolveIt) {
  EXPECT_EQ(ReasonOf(OutcomeOf(RestoreIn(v1::RESTORE_STATE_IN_DOUBT))), "TENANT_IN_DOUBT");
}

TEST(NewRequestId, IsDifferentEachTime) {
  std::set<std::string> ids;
  for (int i = 0; i < 1'000; ++i) {
    ids.insert(NewRequestId());
  }
  EXPECT_EQ(ids.size(), 1'000);
}

}  // namespace
}  // namespace reinstate
