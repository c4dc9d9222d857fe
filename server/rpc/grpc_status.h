#pragma once

#include "absl/status/status.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace reinstate {

// The one place where our statuses become gRPC's: code and message, and a google.rpc.Status in the
// details with an ErrorInfo (domain "reinstate") whose reason is one of AllReasons(); BadRequest
// for a status of FieldError; RetryInfo where waiting is likely to help. Messages are cut to about
// a KiB and made printable, since they travel in HTTP/2 headers, which are limited.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace reinstate
