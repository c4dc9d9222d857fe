#pragma once

#include "absl/status/status.h"
#include "reinstate/v1/batch_service.pb.h"
#include "reinstate/v1/job_service.pb.h"
#include "reinstate/v1/restore.pb.h"

namespace reinstate {

// Whether it has come to an end, or to a doubt that a person must resolve. Hooks may still follow.
bool HasEnded(const v1::Restore& restore);

// Whether nothing more will happen by itself: of a restore, neither to its rows nor by its hooks.
bool IsFinal(const v1::Restore& restore);
bool IsFinal(const v1::Plan& plan);
bool IsFinal(const v1::Job& job);
bool IsFinal(const v1::Batch& batch);

// How something that is final has ended: OK, or its failure as a status with the daemon's reason.
// CANCELLED if somebody stopped it, TENANT_IN_DOUBT if a person must resolve it; UNKNOWN with
// kPartlyFailedReason if a restore has succeeded and a hook that is required after it has not.
absl::Status OutcomeOf(const v1::Restore& restore);
absl::Status OutcomeOf(const v1::Plan& plan);
absl::Status OutcomeOf(const v1::Job& job);

// OK only if every line was restored in every store and none was undone since (a dry run: planned;
// an undo: undone), lines that were left out included. Else UNKNOWN with one of the two reasons
// below.
absl::Status OutcomeOf(const v1::Batch& batch);

// The reason of a call that InterruptWaits has ended.
inline constexpr char kInterruptedReason[] = "INTERRUPTED";

// Of several, some did not succeed; none did.
inline constexpr char kPartlyFailedReason[] = "PARTLY_FAILED";
inline constexpr char kNoneSucceededReason[] = "NONE_SUCCEEDED";

}  // namespace reinstate
