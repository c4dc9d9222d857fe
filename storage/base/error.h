#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace reinstate {

// Why something failed, as a stable name that programs may depend on. Each belongs to one status
// code. The table that people read is in proto/README.md; a test holds the two together.
enum class Reason {
  // INVALID_ARGUMENT
  kInvalidArgument,
  kTenantIdInvalid,
  kPageTokenInvalid,
  kConfigInvalid,
  kPointInvalid,
  // NOT_FOUND
  kStoreNotFound,
  kTenantNotFound,
  kTenantNotAtPoint,
  kTableNotFound,
  kRecordNotFound,
  kSnapshotNotFound,
  kPointBeforeFirstSnapshot,
  kRestoreNotFound,
  kPlanNotFound,
  kJobNotFound,
  kBatchNotFound,
  kGroupNotFound,
  // ALREADY_EXISTS
  kRequestIdReused,
  kKeyExists,
  kTenantTwice,
  // ABORTED
  kLiveChanged,
  kPlanChanged,
  kTenantBusy,
  kKeyConflict,
  kUndoConflict,
  // FAILED_PRECONDITION
  kPointInFuture,
  kPointShrunken,
  kTablesUncovered,
  kTableUnresolved,
  kTenantInDoubt,
  kNotInDoubt,
  kNotUndoable,
  kNotCancellable,
  kBatchLinesInvalid,
  kBatchEnded,
  kStoreBeforeFailed,
  kHookFailed,
  kStoreIdentityChanged,
  kClockJumped,
  kSnapshotHeld,
  kSnapshotHidden,
  kHistoryIncomplete,
  kHistoryWrongFormat,
  kStateLost,
  kDataDirectoryInUse,
  kConfirmationNeeded,
  // DATA_LOSS
  kCorrupt,
  kShortfall,
  kVerificationMismatch,
  // UNKNOWN
  kCommitUnknown,
  // UNAVAILABLE
  kUnavailable,
  kSessionLost,
  kShuttingDown,
  // Others
  kDeadlineExceeded,
  kNoSpace,
  kTooLarge,
  kCancelled,
  kNotAllowed,
  kUnsupported,
  kInternal,
};

struct ReasonInfo {
  Reason reason;
  std::string_view name;  // e.g. "TENANT_BUSY"; what goes over the wire as ErrorInfo.reason
  absl::StatusCode code;
};

// All reasons, in the order of the enum.
std::span<const ReasonInfo> AllReasons();

// The stable name of `reason`.
std::string_view ReasonName(Reason reason);

// A status with the code that belongs to `reason`, carrying its name. `message` is a sentence for a
// person: what is wrong and what to do, with store, tenant, table or step; never values of rows.
absl::Status MakeError(Reason reason, std::string_view message);

// As MakeError, with the code and reason of `cause` and its message after `context`. OK stays OK.
absl::Status WithContext(const absl::Status& cause, std::string_view context);

// The name of the reason that `status` carries; for a status from elsewhere, the name of its code.
// Empty for OK.
std::string ReasonOf(const absl::Status& status);

// Whether `status` carries `reason`.
bool HasReason(const absl::Status& status, Reason reason);

// A status with `code` whose reason is `reason_name`, for statuses that come from the wire or from
// disk.
absl::Status MakeErrorFromName(absl::StatusCode code, std::string_view reason_name,
                               std::string_view message);

}  // namespace reinstate
