#pragma once

#include "absl/status/status.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace reinstate {

// `status` of a call that was refused before it began, as too many wait: whatever the call, making
// it again is safe.
absl::Status RefusedCall(absl::Status status);

// The one place where our statuses become gRPC's: code and message, and a google.rpc.Status in the
// details with an ErrorInfo (domain "reinstate") whose reason is one of AllReasons(); BadRequest
// for a status of FieldError; the step "admission" in the ErrorInfo of a RefusedCall; RetryInfo
// where waiting is likely to help. Messages are cut to about a KiB and made printable, since they
// travel in HTTP/2 headers, which are limited.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace reinstate
