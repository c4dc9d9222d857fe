#pragma once

#include "absl/status/status.h"
#include "reinstate/v1/batch_service.pb.h"
#include "reinstate/v1/job_service.pb.h"
#include "reinstate/v1/restore.pb.h"

namespace reinstate {

// Whether nothing more will happen by itself.
bool IsFinal(const v1::Restore& restore);
bool IsFinal(const v1::Plan& plan);
bool IsFinal(const v1::Job& job);
bool IsFinal(const v1::Batch& batch);

// How something that is final has ended: OK, or its failure as a status with the daemon's reason.
// CANCELLED if somebody stopped it, TENANT_IN_DOUBT if a person must resolve it.
absl::Status OutcomeOf(const v1::Restore& restore);
absl::Status OutcomeOf(const v1::Plan& plan);
absl::Status OutcomeOf(const v1::Job& job);

// OK only if every line was restored in every store (a dry run: planned; an undo: undone), lines
// that were left out included. Else UNKNOWN with one of the two reasons below.
absl::Status OutcomeOf(const v1::Batch& batch);

// The reason of a call that InterruptWaits has ended.
inline constexpr char kInterruptedReason[] = "INTERRUPTED";

// Of several, some did not succeed; none did.
inline constexpr char kPartlyFailedReason[] = "PARTLY_FAILED";
inline constexpr char kNoneSucceededReason[] = "NONE_SUCCEEDED";

}  // namespace reinstate
