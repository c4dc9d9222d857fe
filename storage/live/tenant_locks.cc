#include "storage/live/tenant_locks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"

namespace reinstate {

absl::StatusOr<std::unique_ptr<TenantLocks::Held>> TenantLocks::Take(const TenantId& tenant,
                                                                     absl::Duration timeout) {
  const absl::Time give_up = absl::Now() + timeout;
  MutexLock lock(&mu_);
  while (held_.contains(tenant.value())) {
    const absl::Duration left = give_up - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return MakeError(Reason::kTenantBusy,
                       absl::StrCat("tenant \"", Printable(tenant.value()),
                                    "\" is being worked on by another session; its lock was not "
                                    "free within ",
                                    absl::FormatDuration(timeout), "; try again later"));
    }
    // In slices, so that a jump of the clock cannot make the wait much longer.
    released_.WaitFor(&mu_, std::min(left, absl::Seconds(1)));
  }
  held_.insert(tenant.value());
  return std::make_unique<Held>(this, tenant.value());
}

void TenantLocks::Release(const std::string& tenant) {
  MutexLock lock(&mu_);
  held_.erase(tenant);
  released_.SignalAll();
}

}  // namespace reinstate
