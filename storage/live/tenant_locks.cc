#include "storage/live/tenant_locks.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::StatusOr<std::unique_ptr<TenantLocks::Held>> TenantLocks::Take(const TenantId& tenant,
                                                                     absl::Duration timeout,
                                                                     const ShouldEnd& should_end) {
  const absl::Time give_up = absl::Now() + timeout;
  while (true) {
    // Without our lock, since it may take one of its own.
    RETURN_IF_ERROR(AskShouldEnd(should_end));
    MutexLock lock(&mu_);
    if (held_.insert(tenant.value()).second) {
      return std::make_unique<Held>(this, tenant.value());
    }
    const absl::Duration left = give_up - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return MakeError(Reason::kTenantBusy,
                       absl::StrCat("tenant \"", Printable(tenant.value()),
                                    "\" is being worked on by another session; its lock was not "
                                    "free within ",
                                    absl::FormatDuration(timeout), "; try again later"));
    }
    // In slices, so that a jump of the clock cannot make the wait much longer either.
    released_.WaitFor(&mu_, std::min(left, kAskShouldEndEvery));
  }
}

void TenantLocks::Release(const std::string& tenant) {
  MutexLock lock(&mu_);
  held_.erase(tenant);
  released_.SignalAll();
}

}  // namespace reinstate
