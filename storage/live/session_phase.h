#pragma once

#include <atomic>
#include <string_view>

#include "absl/status/status.h"

namespace reinstate {

// Keeps a TenantSession to the life that its contract describes: which calls are allowed when, that
// nothing but Rollback, Resolve and the destructor follows an error, and that Cancel makes calls
// fail. Adapters run the body of each call through it.
//
// Not thread-safe, but for Cancel and cancelled().
class SessionPhase {
 public:
  enum class Call { kBegin, kRead, kApply, kSeal, kCommit, kResolve };

  // Runs `body` (returning a Status or StatusOr) if `call` is allowed now, and takes up its
  // outcome. CANCELLED after Cancel, INTERNAL if the call is out of order. Either is an error like
  // any other.
  template <typename Body>
  auto Run(Call call, Body body) -> decltype(body()) {
    if (absl::Status allowed = Check(call); !allowed.ok()) {
      Finish(call, false);
      return allowed;
    }
    auto result = body();
    Finish(call, result.ok());
    return result;
  }

  // There is no transaction any more.
  void RolledBack() { phase_ = Phase::kNone; }

  // From any thread: calls fail with CANCELLED from now on.
  void Cancel() { cancelled_ = true; }

  // CANCELLED after Cancel; for loops within a call and for streams.
  absl::Status CheckCancelled() const;

 private:
  enum class Phase { kNone, kOpen, kSealed, kFailed };

  absl::Status Check(Call call) const;
  void Finish(Call call, bool ok);

  std::atomic<bool> cancelled_ = false;
  Phase phase_ = Phase::kNone;
};

}  // namespace reinstate
