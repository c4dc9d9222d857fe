// What adapters within the daemon's process share.

#include <gtest/gtest.h>

#include "storage/live/labels.h"
#include "storage/live/session_phase.h"
#include "storage/live/tenant_locks.h"
#include "storage/model/tenant_id.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using Call = SessionPhase::Call;

absl::Status Fine() { return absl::OkStatus(); }
absl::Status Fails() { return MakeError(Reason::kLiveChanged, "a race"); }

TEST(SessionPhase, AllowsTheLifeOfATransaction) {
  SessionPhase phase;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(phase.Run(Call::kBegin, Fine), IsOk());
    EXPECT_THAT(phase.Run(Call::kRead, Fine), IsOk());
    EXPECT_THAT(phase.Run(Call::kApply, Fine), IsOk());
    EXPECT_THAT(phase.Run(Call::kSeal, Fine), IsOk());
    EXPECT_THAT(phase.Run(Call::kRead, Fine), IsOk());
    EXPECT_THAT(phase.Run(Call::kCommit, Fine), IsOk());
  }
}

TEST(SessionPhase, RefusesCallsOutOfOrder) {
  const auto fails = [](std::vector<Call> before, Call call) {
    SessionPhase phase;
    for (const Call earlier : before) {
      EXPECT_THAT(phase.Run(earlier, Fine), IsOk());
    }
    return !phase.Run(call, Fine).ok();
  };
  EXPECT_TRUE(fails({}, Call::kRead));
  EXPECT_TRUE(fails({}, Call::kApply));
  EXPECT_TRUE(fails({}, Call::kCommit));
  EXPECT_TRUE(fails({Call::kBegin}, Call::kBegin));
  EXPECT_TRUE(fails({Call::kBegin}, Call::kCommit)) << "unsealed";
  EXPECT_TRUE(fails({Call::kBegin, Call::kSeal}, Call::kApply)) << "sealed";
  EXPECT_TRUE(fails({Call::kBegin, Call::kSeal}, Call::kSeal));
}

TEST(SessionPhase, AllowsOnlyResolveAndARollbackAfterAnError) {
  SessionPhase phase;
  EXPECT_THAT(phase.Run(Call::kBegin, Fine), IsOk());
  EXPECT_THAT(phase.Run(Call::kApply, Fails), FailsWith(Reason::kLiveChanged));
  EXPECT_THAT(phase.Run(Call::kApply, Fine), FailsWith(Reason::kInternal));
  EXPECT_THAT(phase.Run(Call::kRead, Fine), FailsWith(Reason::kInternal));
  EXPECT_THAT(phase.Run(Call::kResolve, Fine), IsOk());
  phase.RolledBack();
  EXPECT_THAT(phase.Run(Call::kBegin, Fine), IsOk());
}

TEST(SessionPhase, DoesNotRunACallAfterACancel) {
  SessionPhase phase;
  phase.Cancel();
  bool ran = false;
  const auto run = [&] {
    ran = true;
    return absl::OkStatus();
  };
  EXPECT_THAT(phase.Run(Call::kBegin, run), FailsWith(Reason::kCancelled));
  EXPECT_FALSE(ran);
}

TEST(TenantLocks, AreHadByOneAtATime) {
  TenantLocks locks;
  auto held = locks.Take(TenantId::FromStored("a"), absl::ZeroDuration());
  ASSERT_THAT(held, IsOk());
  EXPECT_THAT(locks.Take(TenantId::FromStored("a"), absl::ZeroDuration()),
              FailsWith(Reason::kTenantBusy));
  EXPECT_THAT(locks.Take(TenantId::FromStored("ab"), absl::ZeroDuration()), IsOk());
  *held = nullptr;
  EXPECT_THAT(locks.Take(TenantId::FromStored("a"), absl::ZeroDuration()), IsOk());
}

TEST(Labels, AreTheTextOfThePayloadWhereItIsText) {
  EXPECT_EQ(LabelFromPayload("Bäckerei\nMüller"), "Bäckerei\nMüller");
  EXPECT_EQ(LabelFromPayload("\xff"), "\xef\xbf\xbd");
  EXPECT_TRUE(IsUtf8(LabelFromPayload(std::string(3000, '\xc3'))));
}

}  // namespace
}  // namespace reinstate
