#include "client/cli/exit_code.h"

#include <string>
#include <utility>

#include "client/api/client.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

// Reasons whose exit code is not that of their status code.
struct ReasonExitCode {
  std::string_view reason;
  ExitCode exit_code;
};

constexpr ReasonExitCode kByReason[] = {
    {kInterruptedReason, ExitCode::kInterrupted},
    {kDeclinedReason, ExitCode::kDeclined},
    {kPartlyFailedReason, ExitCode::kPartlyFailed},
    {"CONFIRMATION_NEEDED", ExitCode::kDeclined},
};

ExitCode ByCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kUsage;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ExitCode::kNotAllowed;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return ExitCode::kConflict;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnavailable;
    case absl::StatusCode::kDataLoss:
      return ExitCode::kVerificationMismatch;
    default:
      return ExitCode::kFailed;
  }
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  for (const ReasonExitCode& entry : kByReason) {
    if (entry.reason == reason) {
      return entry.exit_code;
    }
  }
  return ByCode(status.code());
}

}  // namespace reinstate
