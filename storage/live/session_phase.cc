#include "storage/live/session_phase.h"

#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::Status SessionPhase::CheckCancelled() const {
  return cancelled_ ? MakeError(Reason::kCancelled, "the session was cancelled") : absl::OkStatus();
}

absl::Status SessionPhase::Check(Call call) const {
  RETURN_IF_ERROR(CheckCancelled());
  bool allowed = false;
  switch (call) {
    case Call::kBegin:
      allowed = phase_ == Phase::kNone;
      break;
    case Call::kRead:
      allowed = phase_ == Phase::kOpen || phase_ == Phase::kSealed;
      break;
    case Call::kApply:
    case Call::kSeal:
      allowed = phase_ == Phase::kOpen;
      break;
    case Call::kCommit:
      allowed = phase_ == Phase::kSealed;
      break;
    case Call::kResolve:
      allowed = true;
      break;
  }
  if (!allowed) {
    return MakeError(Reason::kInternal,
                     "a tenant session was called out of order; this is a fault of the program");
  }
  return absl::OkStatus();
}

void SessionPhase::Finish(Call call, bool ok) {
  if (call == Call::kResolve) {
    return;
  }
  if (!ok) {
    phase_ = Phase::kFailed;
  } else if (call == Call::kBegin) {
    phase_ = Phase::kOpen;
  } else if (call == Call::kSeal) {
    phase_ = Phase::kSealed;
  } else if (call == Call::kCommit) {
    phase_ = Phase::kNone;
  }
}

}  // namespace reinstate
