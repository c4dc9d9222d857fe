// What goes wrong on the side of a store, as who calls sees it: the real daemon and command line
// over a store of the test's own, which speaks the adapter protocol.

#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"
#include "storage/live/memory/memory_store.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/support/live_store_server.h"
#include "tests/support/manual_clock.h"
#include "tests/support/wrapped_store.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class TroubledStore : public CliSite {
 protected:
  void SetUp() override {
    Serve("the store of the beginning");
    std::ofstream(dir_.path() + "/reinstated.toml")
        << "[[store]]\nname = \"store\"\nadapter = \"remote\"\naddress = \""
        << LoopbackAddress(server_->port()) << "\"\n";
    StartDaemon("", {"--config", dir_.path() + "/reinstated.toml"});
    Put("1001", "tenant", "name", "Acme Corp");
    for (const char* key : {"1", "2", "3"}) {
      Put("1001", "issue", key, absl::StrCat("issue ", key));
    }
    const ProgramResult taken = Run({"snapshot", "take", "--wait"});
    ASSERT_EQ(taken.exit_code, 0) << taken.err;
  }

  void TearDown() override {
    daemon_.reset();
    server_.reset();
  }

  // Serves an empty store with this identity, where the one before was served.
  void Serve(const std::string& identity) {
    const int port = server_ == nullptr ? 0 : server_->port();
    server_.reset();
    store_ = std::make_unique<MemoryStore>(MemoryStoreOptions{
        .id = identity, .resolves_tokens = false, .clock = &clock_, .faults = &faults_});
    wrapped_ = std::make_unique<WrappedStore>(store_.get(), &hooks_);
    server_ = std::make_unique<LiveStoreServer>(wrapped_.get(), LiveStoreServiceOptions(), port);
  }

  void Put(const std::string& tenant, const std::string& table, const std::string& key,
           const std::string& payload) {
    const RecordWrite write{
        .tenant = *TenantId::Parse(tenant), .table = table, .key = RowKey(key), .payload = payload};
    ASSERT_TRUE(store_->Write({&write, 1}, /*sync=*/false).ok());
  }

  std::string Get(const std::string& key) {
    return store_->Get(*TenantId::Parse("1001"), "issue", RowKey(key))->value_or("(none)");
  }

  void LoseTenant() { ASSERT_TRUE(store_->DeleteTenant(*TenantId::Parse("1001")).ok()); }

  ProgramResult Restore() { return Run({"restore", "create", "1001", "--at", "latest", "--wait"}); }

  // A restore whose commit was lost on the way, while the application wrote the very rows.
  std::string RestoreInDoubt() {
    LoseTenant();
    hooks_.before_commit = [this] {
      hooks_.before_commit = nullptr;
      for (const char* key : {"1", "2", "3"}) {
        Put("1001", "issue", key, "neither old nor ours");
      }
      Put("1001", "tenant", "name", "Neither");
      return MakeError(Reason::kUnavailable, "the request was lost");
    };
    const ProgramResult doubtful = Restore();
    EXPECT_EQ(doubtful.exit_code, 6) << doubtful.err;
    EXPECT_THAT(doubtful.err, HasSubstr("restore resolve"));
    const nlohmann::json restores = Json({"restore", "list"});
    EXPECT_EQ(restores[0]["state"], "RESTORE_STATE_IN_DOUBT");
    return restores[0]["id"];
  }

  ManualClock clock_{absl::Now()};
  FaultPoints faults_;
  StoreHooks hooks_;
  std::unique_ptr<MemoryStore> store_;
  std::unique_ptr<WrappedStore> wrapped_;
  std::unique_ptr<LiveStoreServer> server_;
};

TEST_F(TroubledStore, ARestoreInDoubtBlocksTheTenantUntilAPersonSaysThatItWasNotCommitted) {
  const std::string id = RestoreInDoubt();
  const ProgramResult blocked = Restore();
  EXPECT_EQ(blocked.exit_code, 6);
  EXPECT_THAT(blocked.err, HasSubstr("[TENANT_IN_DOUBT]"));
  EXPECT_EQ(Run({"restore", "resolve", id, "--outcome", "maybe", "--reason", "x"}).exit_code, 2);

  const ProgramResult resolved = Run({"restore", "resolve", id, "--outcome", "not-committed",
                                      "--reason", "the rows are the application's, INC-77"});
  EXPECT_EQ(resolved.exit_code, 0) << resolved.err;
  const nlohmann::json restore = Json({"restore", "get", id});
  EXPECT_EQ(restore["state"], "RESTORE_STATE_FAILED");
  EXPECT_THAT(std::string(restore["failure"]["message"]), HasSubstr("INC-77"));
  EXPECT_EQ(Run({"restore", "resolve", id, "--outcome", "committed", "--reason", "x"}).exit_code, 6)
      << "it is not in doubt any more";
  EXPECT_EQ(Get("1"), "neither old nor ours") << "resolving writes no rows";

  EXPECT_EQ(Restore().exit_code, 0) << "the tenant is free again";
}

TEST_F(TroubledStore, ARestoreInDoubtThatWasCommittedGetsACertificateThatSaysWhoStatedIt) {
  const std::string id = RestoreInDoubt();
  const ProgramResult resolved = Run(
      {"restore", "resolve", id, "--outcome", "committed", "--reason", "seen in the audit table"});
  EXPECT_EQ(resolved.exit_code, 0) << resolved.err;
  EXPECT_EQ(Json({"restore", "get", id})["state"], "RESTORE_STATE_SUCCEEDED");
  const ProgramResult certificate = Run({"restore", "certificate", id});
  EXPECT_EQ(certificate.exit_code, 0) << certificate.err;
  EXPECT_THAT(certificate.out,
              AllOf(HasSubstr("pat@support"), HasSubstr("seen in the audit table")));
}

TEST_F(TroubledStore, AnotherStoreAtTheSameAddressIsRefusedUntilTheNameIsReboundToIt) {
  Serve("the store of a fail-over");
  Put("1002", "issue", "1", "a replica that is behind");
  Put("1002", "tenant", "name", "Globex");
  const ProgramResult refused = Restore();
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_THAT(refused.err, HasSubstr("[STORE_IDENTITY_CHANGED]"));
  EXPECT_EQ(Run({"snapshot", "take", "--wait"}).exit_code, 6);

  const ProgramResult unasked = Run({"store", "rebind", "store", "--reason", "fail-over"});
  EXPECT_EQ(unasked.exit_code, 8) << "nobody was asked";
  EXPECT_THAT(unasked.err, AllOf(HasSubstr("the store of a fail-over"),
                                 HasSubstr("the store of the beginning"), HasSubstr("address")));
  EXPECT_EQ(Run({"store", "rebind", "store", "--reason", "x", "--confirm", "another"}).exit_code,
            8);
  EXPECT_EQ(Restore().exit_code, 6);

  const ProgramResult rebound = Run({"store", "rebind", "store", "--reason", "fail-over, INC-77",
                                     "--confirm", "the store of a fail-over"});
  EXPECT_EQ(rebound.exit_code, 0) << rebound.err;
  const ProgramResult restored = Restore();
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_EQ(Get("1"), "issue 1");
}

TEST_F(TroubledStore, AStoreThatIsAwayIsNotRebound) {
  const int port = server_->port();
  server_.reset();
  const ProgramResult away = Run({"store", "rebind", "store", "--reason", "x", "--confirm", "y"});
  EXPECT_EQ(away.exit_code, 7) << away.out << away.err;
  server_ = std::make_unique<LiveStoreServer>(wrapped_.get(), LiveStoreServiceOptions(), port);
}

TEST_F(TroubledStore, AStoreThatRefusesUsIsNotAllowed) {
  LoseTenant();
  faults_.Arm("live.open_tenant",
              [] { return MakeError(Reason::kNotAllowed, "the role may not write to issue"); });
  const ProgramResult refused = Restore();
  EXPECT_EQ(refused.exit_code, 4) << refused.err;
  EXPECT_THAT(refused.err, AllOf(HasSubstr("[NOT_ALLOWED]"), HasSubstr("may not write to issue")));
  EXPECT_EQ(Get("1"), "(none)");
}

TEST_F(TroubledStore, AStoreThatWritesSomethingElseThanItWasToldIsAMismatch) {
  LoseTenant();
  hooks_.apply = [](TenantSession* session, const Change& change) {
    Change altered = change;
    altered.new_payload = "not what was told";
    return session->Apply(altered);
  };
  const ProgramResult mismatch = Restore();
  EXPECT_EQ(mismatch.exit_code, 9) << mismatch.err;
  EXPECT_THAT(mismatch.err, HasSubstr("[VERIFICATION_MISMATCH]"));
  EXPECT_EQ(Get("1"), "(none)") << "it must not be committed";
}

TEST_F(TroubledStore, AClockThatJumpsBackIsRefusedUntilThatIsAccepted) {
  clock_.Advance(-absl::Hours(3));
  const ProgramResult jumped = Run({"snapshot", "take", "--wait"});
  EXPECT_EQ(jumped.exit_code, 6) << jumped.err;
  EXPECT_THAT(jumped.err, HasSubstr("[CLOCK_JUMPED]"));
  EXPECT_EQ(Json({"snapshot", "list"}).size(), 1U);
  const ProgramResult accepted = Run({"snapshot", "take", "--accept-clock-jump", "--wait"});
  EXPECT_EQ(accepted.exit_code, 0) << accepted.err;
  EXPECT_EQ(Json({"snapshot", "list"}).size(), 2U);
}

TEST_F(TroubledStore, AClockFarAheadIsRefusedToo) {
  clock_.Advance(absl::Hours(3));
  const ProgramResult jumped = Run({"snapshot", "take", "--wait"});
  EXPECT_EQ(jumped.exit_code, 6) << jumped.err;
  EXPECT_THAT(jumped.err, HasSubstr("[CLOCK_JUMPED]"));
  EXPECT_EQ(Json({"snapshot", "list"}).size(), 1U);
}

}  // namespace
}  // namespace reinstate
