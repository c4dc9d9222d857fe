#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "reinstate/v1/common.pb.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace reinstate::live_wire {

// The one place where what a server of the adapter protocol says of failures becomes our status. A
// server is not believed more than it must be: a reason counts only if it is one of AllReasons(),
// with the code that belongs to it, and messages are made printable and cut.

// The outcome of a call. With an ErrorInfo of ours in the details it keeps its reason, but
// SHUTTING_DOWN, which is the server's affair: for us it is UNAVAILABLE. A status without one comes
// from gRPC or from something in between and is UNAVAILABLE too, unless its code says that trying
// again is of no use.
absl::Status FromGrpcStatus(const grpc::Status& status);

// What a request of a session failed with. INTERNAL if it is no failure that we know.
absl::Status FromFailure(const v1::Failure& failure);

// The server has said something that the protocol does not allow. INTERNAL.
absl::Status ProtocolBroken(std::string_view what);

}  // namespace reinstate::live_wire
