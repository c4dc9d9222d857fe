#include "storage/base/error.h"

#include <array>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

using Code = absl::StatusCode;

constexpr absl::string_view kReasonPayload = "reinstate.reason";

constexpr std::array kReasons = {
    ReasonInfo{Reason::kInvalidArgument, "INVALID_ARGUMENT", Code::kInvalidArgument},
    ReasonInfo{Reason::kTenantIdInvalid, "TENANT_ID_INVALID", Code::kInvalidArgument},
    ReasonInfo{Reason::kPageTokenInvalid, "PAGE_TOKEN_INVALID", Code::kInvalidArgument},
    ReasonInfo{Reason::kConfigInvalid, "CONFIG_INVALID", Code::kInvalidArgument},
    ReasonInfo{Reason::kPointInvalid, "POINT_INVALID", Code::kInvalidArgument},
    ReasonInfo{Reason::kStoreNotFound, "STORE_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kTenantNotFound, "TENANT_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kTenantNotAtPoint, "TENANT_NOT_AT_POINT", Code::kNotFound},
    ReasonInfo{Reason::kTableNotFound, "TABLE_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kRecordNotFound, "RECORD_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kSnapshotNotFound, "SNAPSHOT_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kPointBeforeFirstSnapshot, "POINT_BEFORE_FIRST_SNAPSHOT", Code::kNotFound},
    ReasonInfo{Reason::kRestoreNotFound, "RESTORE_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kPlanNotFound, "PLAN_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kJobNotFound, "JOB_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kBatchNotFound, "BATCH_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kGroupNotFound, "GROUP_NOT_FOUND", Code::kNotFound},
    ReasonInfo{Reason::kRequestIdReused, "REQUEST_ID_REUSED", Code::kAlreadyExists},
    ReasonInfo{Reason::kKeyExists, "KEY_EXISTS", Code::kAlreadyExists},
    ReasonInfo{Reason::kTenantTwice, "TENANT_TWICE", Code::kAlreadyExists},
    ReasonInfo{Reason::kLiveChanged, "LIVE_CHANGED", Code::kAborted},
    ReasonInfo{Reason::kPlanChanged, "PLAN_CHANGED", Code::kAborted},
    ReasonInfo{Reason::kTenantBusy, "TENANT_BUSY", Code::kAborted},
    ReasonInfo{Reason::kKeyConflict, "KEY_CONFLICT", Code::kAborted},
    ReasonInfo{Reason::kUndoConflict, "UNDO_CONFLICT", Code::kAborted},
    ReasonInfo{Reason::kPointInFuture, "POINT_IN_FUTURE", Code::kFailedPrecondition},
    ReasonInfo{Reason::kPointShrunken, "POINT_SHRUNKEN", Code::kFailedPrecondition},
    ReasonInfo{Reason::kTablesUncovered, "TABLES_UNCOVERED", Code::kFailedPrecondition},
    ReasonInfo{Reason::kTableUnresolved, "TABLE_UNRESOLVED", Code::kFailedPrecondition},
    ReasonInfo{Reason::kTenantInDoubt, "TENANT_IN_DOUBT", Code::kFailedPrecondition},
    ReasonInfo{Reason::kNotInDoubt, "NOT_IN_DOUBT", Code::kFailedPrecondition},
    ReasonInfo{Reason::kNotUndoable, "NOT_UNDOABLE", Code::kFailedPrecondition},
    ReasonInfo{Reason::kNotCancellable, "NOT_CANCELLABLE", Code::kFailedPrecondition},
    ReasonInfo{Reason::kBatchLinesInvalid, "BATCH_LINES_INVALID", Code::kFailedPrecondition},
    ReasonInfo{Reason::kBatchEnded, "BATCH_ENDED", Code::kFailedPrecondition},
    ReasonInfo{Reason::kStoreBeforeFailed, "STORE_BEFORE_FAILED", Code::kFailedPrecondition},
    ReasonInfo{Reason::kHookFailed, "HOOK_FAILED", Code::kFailedPrecondition},
    ReasonInfo{Reason::kStoreIdentityChanged, "STORE_IDENTITY_CHANGED", Code::kFailedPrecondition},
    ReasonInfo{Reason::kClockJumped, "CLOCK_JUMPED", Code::kFailedPrecondition},
    ReasonInfo{Reason::kSnapshotHeld, "SNAPSHOT_HELD", Code::kFailedPrecondition},
    ReasonInfo{Reason::kSnapshotHidden, "SNAPSHOT_HIDDEN", Code::kFailedPrecondition},
    ReasonInfo{Reason::kHistoryIncomplete, "HISTORY_INCOMPLETE", Code::kFailedPrecondition},
    ReasonInfo{Reason::kHistoryWrongFormat, "HISTORY_WRONG_FORMAT", Code::kFailedPrecondition},
    ReasonInfo{Reason::kStateLost, "STATE_LOST", Code::kFailedPrecondition},
    ReasonInfo{Reason::kDataDirectoryInUse, "DATA_DIRECTORY_IN_USE", Code::kFailedPrecondition},
    ReasonInfo{Reason::kConfirmationNeeded, "CONFIRMATION_NEEDED", Code::kFailedPrecondition},
    ReasonInfo{Reason::kCorrupt, "CORRUPT", Code::kDataLoss},
    ReasonInfo{Reason::kShortfall, "SHORTFALL", Code::kDataLoss},
    ReasonInfo{Reason::kVerificationMismatch, "VERIFICATION_MISMATCH", Code::kDataLoss},
    ReasonInfo{Reason::kCommitUnknown, "COMMIT_UNKNOWN", Code::kUnknown},
    ReasonInfo{Reason::kUnavailable, "UNAVAILABLE", Code::kUnavailable},
    ReasonInfo{Reason::kSessionLost, "SESSION_LOST", Code::kUnavailable},
    ReasonInfo{Reason::kShuttingDown, "SHUTTING_DOWN", Code::kUnavailable},
    ReasonInfo{Reason::kDeadlineExceeded, "DEADLINE_EXCEEDED", Code::kDeadlineExceeded},
    ReasonInfo{Reason::kNoSpace, "NO_SPACE", Code::kResourceExhausted},
    ReasonInfo{Reason::kTooLarge, "TOO_LARGE", Code::kResourceExhausted},
    ReasonInfo{Reason::kCancelled, "CANCELLED", Code::kCancelled},
    ReasonInfo{Reason::kNotAllowed, "NOT_ALLOWED", Code::kPermissionDenied},
    ReasonInfo{Reason::kUnsupported, "UNSUPPORTED", Code::kUnimplemented},
    ReasonInfo{Reason::kInternal, "INTERNAL", Code::kInternal},
};

// The table is indexed by the enum.
constexpr bool IsIndexedByEnum() {
  for (size_t i = 0; i < kReasons.size(); ++i) {
    if (static_cast<size_t>(kReasons[i].reason) != i) {
      return false;
    }
  }
  return kReasons.size() == static_cast<size_t>(Reason::kInternal) + 1;
}
static_assert(IsIndexedByEnum());

const ReasonInfo& InfoOf(Reason reason) { return kReasons[static_cast<size_t>(reason)]; }

}  // namespace

std::span<const ReasonInfo> AllReasons() { return kReasons; }

std::string_view ReasonName(Reason reason) { return InfoOf(reason).name; }

absl::Status MakeError(Reason reason, std::string_view message) {
  const ReasonInfo& info = InfoOf(reason);
  return MakeErrorFromName(info.code, info.name, message);
}

absl::Status MakeErrorFromName(absl::StatusCode code, std::string_view reason_name,
                               std::string_view message) {
  absl::Status status(code, Absl(message));
  status.SetPayload(kReasonPayload, absl::Cord(Absl(reason_name)));
  return status;
}

absl::Status WithContext(const absl::Status& cause, std::string_view context) {
  if (cause.ok()) {
    return cause;
  }
  return MakeErrorFromName(cause.code(), ReasonOf(cause),
                           absl::StrCat(Absl(context), ": ", cause.message()));
}

std::string ReasonOf(const absl::Status& status) {
  if (status.ok()) {
    return "";
  }
  const auto payload = status.GetPayload(kReasonPayload);
  return payload.has_value() ? std::string(*payload) : absl::StatusCodeToString(status.code());
}

bool HasReason(const absl::Status& status, Reason reason) {
  return !status.ok() && ReasonOf(status) == ReasonName(reason);
}

}  // namespace reinstate
