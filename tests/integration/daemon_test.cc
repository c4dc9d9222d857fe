// The daemon as a process: how it starts, refuses to start, stops, and goes on.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/daemon_fixture.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// One message to any method, one message back.
std::string CallRaw(const std::string& address, const std::string& method,
                    const std::string& message) {
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const grpc::Slice slice(message);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, grpc::StubOptions(), &request, &response,
                 [&](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(response.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& part : slices) {
    bytes.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return bytes;
}

// What the health service answers: SERVING (1) or NOT_SERVING (2), field 1 of HealthCheckResponse.
std::string Health(const std::string& address) {
  return CallRaw(address, "/grpc.health.v1.Health/Check", "");
}

TEST_F(DaemonTest, ServesUntilSigtermAndEndsWithCodeZero) {
  Start();
  EXPECT_EQ(ShowStore().adapter(), v1::ADAPTER_KIND_EMBEDDED);
  EXPECT_TRUE(std::filesystem::exists(Path("data/reinstated.address")));
  EXPECT_EQ(daemon_->Terminate(), 0) << daemon_->Output();
  EXPECT_FALSE(std::filesystem::exists(Path("data/reinstated.address")));
  EXPECT_THAT(daemon_->Output(), HasSubstr("stopped"));
}

TEST_F(DaemonTest, KeepsItsDataFromOtherUsers) {
  Start();
  for (const char* name : {"data/state", "data/history", "data/stores/main"}) {
    const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
    EXPECT_EQ(std::filesystem::status(Path(name)).permissions() & others,
              std::filesystem::perms::none)
        << name;
  }
}

TEST_F(DaemonTest, AnswersHealthAndReflection) {
  Start();
  EXPECT_EQ(Health(daemon_->address()), "\x08\x01");
  // list_services, field 7 of ServerReflectionRequest.
  const std::string services =
      CallRaw(daemon_->address(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              std::string("\x3A\x00", 2));
  for (const char* name : {"StoreService", "SnapshotService", "JobService", "TenantService",
                           "RestoreService", "RecordService"}) {
    EXPECT_THAT(services, HasSubstr(absl::StrCat("reinstate.v1.", name)));
  }
}

TEST_F(DaemonTest, SaysThatItIsNotReadyAnyMoreWhenItIsToEnd) {
  Start();
  grpc::GenericStub stub(
      grpc::CreateChannel(daemon_->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::CompletionQueue queue;
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto watch = stub.PrepareCall(&context, "/grpc.health.v1.Health/Watch", &queue);
  watch->StartCall(nullptr);
  ASSERT_TRUE(next());
  const grpc::Slice everything("", 0);
  watch->WriteLast(grpc::ByteBuffer(&everything, 1), grpc::WriteOptions(), nullptr);
  ASSERT_TRUE(next());
  const auto read = [&] {
    grpc::ByteBuffer answer;
    watch->Read(&answer, nullptr);
    std::vector<grpc::Slice> slices;
    return next() && answer.Dump(&slices).ok() && slices.size() == 1
               ? std::string(reinterpret_cast<const char*>(slices[0].begin()), slices[0].size())
               : "none";
  };
  EXPECT_EQ(read(), "\x08\x01");
  std::future<int> ended = std::async(std::launch::async, [&] { return daemon_->Terminate(); });
  EXPECT_EQ(read(), "\x08\x02");
  context.TryCancel();
  EXPECT_EQ(ended.get(), 0) << daemon_->Output();
}

TEST_F(DaemonTest, ASecondOneOnTheSameDataIsRefusedAndTheFirstGoesOn) {
  Start();
  Put("acme", "1", "one");
  EXPECT_THAT(Refusal("data", {}), AllOf(HasSubstr("code 1"), HasSubstr("in use")));
  EXPECT_EQ(*Get("acme", "1"), "one");
}

TEST_F(DaemonTest, AnAddressThatIsTakenIsRefused) {
  Start();
  EXPECT_THAT(Refusal("other", {"--listen", daemon_->address()}),
              AllOf(HasSubstr("code 1"), HasSubstr(daemon_->address())));
}

TEST_F(DaemonTest, ABadConfigurationIsRefusedWithItsLine) {
  const std::string path = Path("reinstated.toml");
  std::ofstream(path) << "insecure = false\n\n[memory]\nsnapshot = \"1GiB\"\n";
  EXPECT_THAT(
      Refusal("data", {"--config", path}),
      AllOf(HasSubstr("code 2"), HasSubstr(path + ":4: snapshot is not known in [memory]")));
  EXPECT_THAT(Refusal("data", {"--config", path, "--check-config"}), HasSubstr("code 2"));
  std::ofstream(path) << "insecure = false\n";
  EXPECT_THAT(Refusal("data", {"--config", path, "--check-config"}),
              AllOf(HasSubstr("code 0"), HasSubstr("is valid")));
  EXPECT_THAT(Refusal("data", {"--no-such-option"}), HasSubstr("code 2"));
}

TEST_F(DaemonTest, AnAddressThatOthersReachIsRefusedWithoutTls) {
  EXPECT_THAT(Refusal("data", {"--listen", "0.0.0.0:0"}),
              AllOf(HasSubstr("code 2"), HasSubstr("insecure = true")));
}

TEST_F(DaemonTest, ServesOnAUnixSocketToo) {
  const std::string socket = "unix:" + Path("socket");
  Start({"--listen", socket});
  ClientOptions options;
  options.address = socket;
  const auto client = ReinstateClient::Connect(options);
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT((*client)->ListStores(), IsOk());
}

TEST_F(DaemonTest, WhatWasDoneIsThereAfterARestart) {
  Start();
  for (int i = 0; i < 100; ++i) {
    Put("acme", absl::StrCat(i), absl::StrCat("payload ", i));
  }
  const std::string snapshot = MustTakeSnapshot();
  DeleteTenant("acme");
  const v1::Restore restore = Restore("acme");
  ASSERT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED) << restore.DebugString();
  const absl::StatusOr<v1::Restore> once = CreateRestore("acme", "once");
  ASSERT_THAT(once, IsOk());
  ASSERT_THAT(client_->WaitForRestore(once->id(), {}), IsOk());
  Stop();

  Start();
  EXPECT_EQ(*Get("acme", "99"), "payload 99");
  v1::GetCertificateRequest certify;
  certify.set_restore(restore.id());
  const absl::StatusOr<v1::Certificate> certificate = client_->GetCertificate(certify);
  ASSERT_THAT(certificate, IsOk());
  EXPECT_EQ(certificate->inserted(), 100);
  EXPECT_EQ(certificate->actor().name(), "tester");
  EXPECT_EQ(CreateRestore("acme", "once")->id(), once->id());
  EXPECT_EQ(ShowStore().last_good_snapshot(), snapshot);
  v1::UndoRestoreRequest undo;
  undo.set_restore(restore.id());
  const absl::StatusOr<v1::Restore> undone = client_->UndoRestore(undo);
  ASSERT_THAT(undone, IsOk());
  EXPECT_EQ(client_->WaitForRestore(undone->id(), {})->state(), v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_THAT(Get("acme", "99"), FailsWith(Reason::kRecordNotFound));
}

// Each restore takes a second, so that few of them are done when the daemon is stopped.
constexpr char kSlow[] = "restore.verifying=slow";

TEST_F(DaemonTest, RestoresThatAShutdownInterruptsGoOnAfterTheNextStart) {
  Start({}, kSlow);
  for (int tenant = 0; tenant < 20; ++tenant) {
    for (int i = 0; i < 20; ++i) {
      Put(absl::StrCat("t", tenant), absl::StrCat(i), "payload");
    }
  }
  MustTakeSnapshot();
  std::vector<std::string> ids;
  for (int tenant = 0; tenant < 20; ++tenant) {
    DeleteTenant(absl::StrCat("t", tenant));
    const absl::StatusOr<v1::Restore> created = CreateRestore(absl::StrCat("t", tenant));
    ASSERT_THAT(created, IsOk());
    ids.push_back(created->id());
  }
  ASSERT_EQ(client_->WaitForRestore(ids.front(), {})->state(), v1::RESTORE_STATE_SUCCEEDED);
  Stop();
  EXPECT_THAT(stopped_output_, HasSubstr("job interrupted, to be run again")) << "none was running";
  EXPECT_THAT(stopped_output_, Not(HasSubstr("restore ended restore=" + ids.back())))
      << "none was queued";
  Start();
  for (const std::string& id : ids) {
    const absl::StatusOr<v1::Restore> restore = client_->WaitForRestore(id, {});
    ASSERT_THAT(restore, IsOk());
    EXPECT_EQ(restore->state(), v1::RESTORE_STATE_SUCCEEDED) << restore->DebugString();
  }
  for (int tenant = 0; tenant < 20; ++tenant) {
    EXPECT_EQ(*Get(absl::StrCat("t", tenant), "19"), "payload");
  }
}

TEST_F(DaemonTest, AWaitingClientFollowsItThroughAnEndAndANewStart) {
  const std::string socket = "unix:" + Path("socket");
  Start({"--listen", socket}, kSlow);
  for (int tenant = 0; tenant < 30; ++tenant) {
    Put(absl::StrCat("t", tenant), "1", "payload");
  }
  MustTakeSnapshot();
  std::string last;
  for (int tenant = 0; tenant < 30; ++tenant) {
    DeleteTenant(absl::StrCat("t", tenant));
    last = CreateRestore(absl::StrCat("t", tenant))->id();
  }
  ClientOptions options;
  options.address = socket;
  auto follower = ReinstateClient::Connect(options);
  ASSERT_THAT(follower, IsOk());
  std::future<absl::StatusOr<v1::Restore>> waiting =
      std::async(std::launch::async, [&] { return (*follower)->WaitForRestore(last, {}); });
  Stop();
  EXPECT_THAT(stopped_output_, Not(HasSubstr("restore ended restore=" + last)))
      << "there was nothing left to follow";
  Start({"--listen", socket});
  const absl::StatusOr<v1::Restore> restore = waiting.get();
  ASSERT_THAT(restore, IsOk());
  EXPECT_EQ(restore->state(), v1::RESTORE_STATE_SUCCEEDED) << restore->DebugString();
}

TEST_F(DaemonTest, RestoresAStoreOfAnotherDaemonThroughTheAdapterProtocol) {
  Start();
  for (int i = 0; i < 500; ++i) {
    Put("acme", absl::StrCat(i), absl::StrCat("payload ", i));
  }
  Put("zoo", "1", "bystander");
  const std::unique_ptr<ReinstateClient> near = std::move(client_);
  const std::unique_ptr<DaemonProcess> owner = std::move(daemon_);
  const std::string config = Path("remote.toml");
  std::ofstream(config) << "[[store]]\nname = \"main\"\nadapter = \"remote\"\naddress = \""
                        << owner->address() << "\"\n";
  auto second =
      DaemonProcess::Start({.data_path = Path("second"), .arguments = {"--config", config}});
  ASSERT_THAT(second, IsOk());
  daemon_ = *std::move(second);
  ClientOptions options;
  options.address = daemon_->address();
  auto client = ReinstateClient::Connect(options);
  ASSERT_THAT(client, IsOk());
  client_ = *std::move(client);
  EXPECT_EQ(ShowStore().adapter(), v1::ADAPTER_KIND_REMOTE);
  MustTakeSnapshot();
  v1::DeleteTenantRequest erase;
  erase.set_tenant("acme");
  EXPECT_EQ(near->DeleteTenant(erase)->records(), 500);
  const v1::Restore restore = Restore("acme");
  ASSERT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED) << restore.DebugString();
  EXPECT_EQ(restore.totals().inserted(), 500);
  EXPECT_THAT(Get("acme", "1"), FailsWith(Reason::kUnsupported));
  client_ = nullptr;
  EXPECT_EQ(daemon_->Terminate(), 0);
  v1::GetRequest get;
  get.mutable_key()->set_tenant("acme");
  get.mutable_key()->set_table("issue");
  get.mutable_key()->set_key("499");
  EXPECT_EQ(near->GetRecord(get)->record().payload(), "payload 499");
  EXPECT_EQ(owner->Terminate(), 0) << owner->Output();
}

class LostPartsTest : public DaemonTest {
 protected:
  // Serves for reading only, and says why.
  void ExpectReadOnly(Reason reason, const std::string& snapshot) {
    const v1::Store store = ShowStore();
    EXPECT_EQ(store.state(), v1::STORE_STATE_HISTORY_READ_ONLY) << store.state_message();
    EXPECT_THAT(store.state_message(), HasSubstr("--accept-history"));
    EXPECT_EQ(Health(daemon_->address()), "\x08\x02") << "nobody can be restored";
    EXPECT_THAT(TakeSnapshot(), FailsWith(reason));
    EXPECT_THAT(CreateRestore("acme"), FailsWith(reason));
    v1::GetSnapshotRequest request;
    request.set_snapshot(snapshot);
    EXPECT_THAT(client_->GetSnapshot(request), IsOk());
    v1::FindTenantsRequest find;
    find.set_query("acme");
    EXPECT_EQ(client_->FindTenants(find)->matches_size(), 1);
    EXPECT_EQ(*Get("acme", "1"), "one");
    Put("acme", "2", "the application goes on");
  }

  void ExpectAllIsWell() {
    MustTakeSnapshot();
    DeleteTenant("acme");
    EXPECT_EQ(Restore("acme").state(), v1::RESTORE_STATE_SUCCEEDED);
    EXPECT_EQ(*Get("acme", "1"), "one");
  }
};

TEST_F(LostPartsTest, ALostStateIsServedForReadingUntilTheHistoryIsAccepted) {
  Start();
  Put("acme", "1", "one");
  const std::string snapshot = MustTakeSnapshot();
  Stop();
  std::filesystem::remove_all(Path("data/state"));
  Start();
  ExpectReadOnly(Reason::kStateLost, snapshot);
  Stop();
  Start();  // having served for reading does not make it right
  ExpectReadOnly(Reason::kStateLost, snapshot);
  Stop();
  Start({"--accept-history"});
  ExpectAllIsWell();
  Stop();
  Start();
  ExpectAllIsWell();
}

TEST_F(LostPartsTest, AnOlderStateIsServedForReadingUntilTheHistoryIsAccepted) {
  Start();
  Put("acme", "1", "one");
  MustTakeSnapshot();
  Stop();
  std::filesystem::copy(Path("data/state"), Path("older"),
                        std::filesystem::copy_options::recursive);
  Start();
  const std::string snapshot = MustTakeSnapshot();
  Stop();
  std::filesystem::remove_all(Path("data/state"));
  std::filesystem::rename(Path("older"), Path("data/state"));
  Start();
  ExpectReadOnly(Reason::kStateLost, snapshot);
  Stop();
  Start({"--accept-history"});
  ExpectAllIsWell();
  Stop();
  Start();
  ExpectAllIsWell();
}

TEST_F(LostPartsTest, AnOlderHistoryIsServedForReadingUntilItIsAccepted) {
  Start();
  Put("acme", "1", "one");
  const std::string snapshot = MustTakeSnapshot();
  Stop();
  std::filesystem::copy(Path("data/history"), Path("older"),
                        std::filesystem::copy_options::recursive);
  Start();
  MustTakeSnapshot();
  Stop();
  std::filesystem::remove_all(Path("data/history"));
  std::filesystem::rename(Path("older"), Path("data/history"));
  Start();
  ExpectReadOnly(Reason::kHistoryIncomplete, snapshot);
  Stop();
  Start({"--accept-history"});
  ExpectAllIsWell();
  Stop();
  Start();
  ExpectAllIsWell();
}

TEST_F(LostPartsTest, AHistoryThatIsGoneIsNotSilentlyBegunAnew) {
  Start();
  Put("acme", "1", "one");
  const std::string snapshot = MustTakeSnapshot();
  Stop();
  std::filesystem::remove_all(Path("data/history"));
  EXPECT_THAT(Refusal("data", {}), AllOf(HasSubstr("code 1"), HasSubstr(snapshot)));
  Start({"--accept-history"});
  ExpectAllIsWell();
}

}  // namespace
}  // namespace reinstate
