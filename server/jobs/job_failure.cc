#include "server/jobs/job_failure.h"

#include "storage/base/error.h"

namespace reinstate {
namespace {

bool CanBeRetried(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return true;
    case absl::StatusCode::kAborted:
      return HasReason(status, Reason::kTenantBusy) || HasReason(status, Reason::kLiveChanged);
    default:
      return false;
  }
}

}  // namespace

state::Failure FailureOf(const absl::Status& status) {
  state::Failure failure;
  failure.set_reason(ReasonOf(status));
  failure.set_message(std::string(status.message()));
  failure.set_code(static_cast<int>(status.code()));
  failure.set_retryable(CanBeRetried(status));
  return failure;
}

std::string WaitSentence(const state::Failure& cause) {
  return absl::StrCat("It is tried again once others of its batch are done: ", cause.message());
}

}  // namespace reinstate
