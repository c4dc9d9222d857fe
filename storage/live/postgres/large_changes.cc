#include "storage/live/postgres/large_changes.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

// How long a cancel may go unnoticed.
constexpr absl::Duration kLook = absl::Milliseconds(100);

}  // namespace

absl::Status LargeChanges::Borrow(absl::Duration patience, const PgConnection& connection) {
  const absl::Time until = absl::Now() + patience;
  MutexLock lock(&mu_);
  while (lent_) {
    const absl::Duration left = until - absl::Now();
    if (connection.cancelled()) {
      return MakeError(Reason::kCancelled, "the session was cancelled");
    }
    if (left <= absl::ZeroDuration()) {
      return MakeError(Reason::kUnavailable,
                       "another restore of the store is replacing very many rows with unique "
                       "values, which takes memory; this one can go on after it");
    }
    returned_.WaitFor(&mu_, std::min(left, kLook));
  }
  lent_ = true;
  return absl::OkStatus();
}

void LargeChanges::Return() {
  MutexLock lock(&mu_);
  lent_ = false;
  returned_.Signal();
}

}  // namespace reinstate
