#include "server/jobs/store_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "storage/base/status_macros.h"
#include "tests/support/wrapped_store.h"
#include "tests/unit/server/jobs/jobs_fixture.h"

namespace reinstate {
namespace {

// A store whose identity can be changed and that can be away.
class ShiftingStore final : public LiveStore {
 public:
  explicit ShiftingStore(LiveStore* store) : store_(store) {}

  std::string id = "first";
  bool away = false;

  absl::StatusOr<StoreIdentity> Identity() override {
    if (away) {
      return MakeError(Reason::kUnavailable, "away");
    }
    return StoreIdentity{.id = id, .address = "host/" + id};
  }
  StoreCapabilities Capabilities() const override { return store_->Capabilities(); }
  absl::StatusOr<TenantMap> Catalog() override { return store_->Catalog(); }
  absl::StatusOr<std::unique_ptr<Cut>> OpenCut(const CutOptions& options) override {
    return store_->OpenCut(options);
  }
  absl::StatusOr<std::unique_ptr<TenantSession>> OpenTenant(
      const TenantId& tenant, const SessionOptions& options) override {
    return store_->OpenTenant(tenant, options);
  }
  absl::StatusOr<SizeEstimate> EstimateTenant(const TenantId& tenant) override {
    return store_->EstimateTenant(tenant);
  }
  absl::StatusOr<std::unique_ptr<TenantCountStream>> CountTenants() override {
    return store_->CountTenants();
  }
  absl::StatusOr<std::vector<int64_t>> CountRowsOf(std::span<const TenantId> tenants) override {
    return store_->CountRowsOf(tenants);
  }
  StoreHealth ProbeHealth() override { return store_->ProbeHealth(); }

 private:
  LiveStore* const store_;
};

class StoreRegistryTest : public JobsFixture {
 protected:
  ShiftingStore shifting_{&site_.store()};
};

TEST_F(StoreRegistryTest, GivesEachStoreALineageOfItsOwn) {
  ASSERT_THAT(registry_->Register(Served("shifting", &shifting_)), IsOk());
  EXPECT_EQ((*registry_->Find("main"))->lineage, site_.lineage());
  EXPECT_NE((*registry_->Find("shifting"))->lineage, site_.lineage());
  EXPECT_EQ(registry_->List().size(), 2U);
}

TEST_F(StoreRegistryTest, NamesTheStoresThatThereAreWhenOneIsNotFound) {
  const auto missing = registry_->Find("nope");
  EXPECT_THAT(missing, FailsWith(Reason::kStoreNotFound));
  EXPECT_NE(missing.status().message().find("main"), absl::string_view::npos);
}

TEST_F(StoreRegistryTest, AsksForAStoreWhereNoneIsNamed) {
  const auto unnamed = registry_->Find("");
  EXPECT_THAT(unnamed, FailsWith(Reason::kInvalidArgument));
  EXPECT_EQ(unnamed.status().message(), "say which store it is about; there is main");
}

TEST_F(StoreRegistryTest, SpellsATenantAsItsStoreDoesAndAsGivenWhereThatCannotAnswer) {
  StoreHooks hooks;
  WrappedStore wrapped(&site_.store(), &hooks);
  ASSERT_THAT(registry_->Register(Served("wrapped", &wrapped)), IsOk());
  absl::StatusOr<TenantId> answer = TenantId::Parse("7");
  hooks.canonical_tenant = [&answer](const TenantId&) { return answer; };
  EXPECT_EQ(registry_->CanonicalTenant("wrapped", "007")->value(), "7");
  answer = MakeError(Reason::kTenantIdInvalid, "no number");
  EXPECT_THAT(registry_->CanonicalTenant("wrapped", "x"), FailsWith(Reason::kTenantIdInvalid));
  answer = MakeError(Reason::kUnavailable, "away");
  EXPECT_EQ(registry_->CanonicalTenant("wrapped", "007")->value(), "007");
  EXPECT_THAT(registry_->CanonicalTenant("wrapped", ""), FailsWith(Reason::kTenantIdInvalid));
  EXPECT_THAT(registry_->CanonicalTenant("nope", "7"), FailsWith(Reason::kStoreNotFound));
}

TEST_F(StoreRegistryTest, RefusesTwoStoresWithOneName) {
  EXPECT_THAT(registry_->Register(Served("main", &shifting_)), FailsWith(Reason::kConfigInvalid));
}

TEST_F(StoreRegistryTest, FindsAnotherIdentityAlsoAfterARestart) {
  ASSERT_THAT(registry_->Register(Served("shifting", &shifting_)), IsOk());
  EXPECT_THAT(registry_->CheckIdentity("shifting"), IsOk());
  OpenState();
  shifting_.id = "second";
  ASSERT_THAT(registry_->Register(Served("shifting", &shifting_)), IsOk());
  EXPECT_THAT(registry_->CheckIdentity("shifting"), FailsWith(Reason::kStoreIdentityChanged));
  EXPECT_EQ(registry_->Record("shifting")->identity(), "first");
}

TEST_F(StoreRegistryTest, RebindsToTheIdentityThatWasConfirmedOnly) {
  ASSERT_THAT(registry_->Register(Served("shifting", &shifting_)), IsOk());
  shifting_.id = "second";
  EXPECT_THAT(registry_->Rebind("shifting", "third", Ada(), "moved"),
              FailsWith(Reason::kConfirmationNeeded));
  ASSERT_THAT(registry_->Rebind("shifting", "second", Ada(), "moved"), IsOk());
  EXPECT_THAT(registry_->CheckIdentity("shifting"), IsOk());
  const auto audit = state_->ListAudit(0, 100);
  EXPECT_EQ(audit->back().action(), "store.rebound");
  EXPECT_EQ(audit->back().actor().name(), "ada");
  EXPECT_THAT(audit->back().details(), testing::HasSubstr(R"("reason":"moved")"));
}

TEST_F(StoreRegistryTest, AThrottleIsKeptWhenTheStoreIsReboundAndOverARestart) {
  ASSERT_THAT(registry_->Register(Served("shifting", &shifting_)), IsOk());
  state::Throttle throttle;
  throttle.set_bytes_per_second(1 << 20);
  throttle.set_max_running(2);
  ASSERT_THAT(registry_->SetThrottle("shifting", throttle, Ada(), "INC-77"), IsOk());
  EXPECT_EQ(state_->ListAudit(0, 100)->back().action(), "store.throttled");
  shifting_.id = "second";
  ASSERT_THAT(registry_->Rebind("shifting", "second", Ada(), "moved"), IsOk());
  OpenState();
  ASSERT_THAT(registry_->Register(Served("shifting", &shifting_)), IsOk());
  const auto record = registry_->Record("shifting");
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->identity(), "second");
  EXPECT_EQ(record->throttle().bytes_per_second(), 1 << 20);
  EXPECT_EQ(record->throttle().max_running(), 2);
}

TEST_F(StoreRegistryTest, AStoreThatNeverWasReachedCannotBeThrottled) {
  shifting_.away = true;
  ASSERT_THAT(registry_->Register(Served("shifting", &shifting_)), IsOk());
  EXPECT_THAT(registry_->SetThrottle("shifting", state::Throttle(), Ada(), ""),
              FailsWith(Reason::kUnavailable));
  EXPECT_THAT(registry_->SetThrottle("nope", state::Throttle(), Ada(), ""),
              FailsWith(Reason::kStoreNotFound));
}

TEST_F(StoreRegistryTest, BindsAStoreThatWasAwayOnceItIsThere) {
  shifting_.away = true;
  ASSERT_THAT(registry_->Register(Served("shifting", &shifting_)), IsOk());
  EXPECT_THAT(registry_->Record("shifting"), FailsWith(Reason::kUnavailable));
  EXPECT_THAT(registry_->CheckIdentity("shifting"), FailsWith(Reason::kUnavailable));
  shifting_.away = false;
  EXPECT_THAT(registry_->CheckIdentity("shifting"), IsOk());
  EXPECT_EQ(registry_->Record("shifting")->address(), "host/first");
}

}  // namespace
}  // namespace reinstate
