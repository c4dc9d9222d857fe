#pragma once

#include "absl/status/status.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace reinstate {

// The daemon's answer to a call as a status: its code and message, the wrong fields of the request
// if it names any, and the reason of its ErrorInfo (ReasonOf). A status without ErrorInfo does not
// come from the daemon's services; its reason is the name of its code. OK stays OK.
absl::Status StatusFromWire(const grpc::Status& status);

// Whether the call got lost on the way or the daemon was stopping, so that the same call may
// succeed when the daemon is back. False for what the daemon itself has answered, also if that is
// UNAVAILABLE: then a store does not answer, and repeating the call is for a person to decide. Not
// for calls that this client has cancelled.
bool IsLostCall(const grpc::Status& status);

// Whether the time for the call was over before the daemon answered.
bool IsOverdueCall(const grpc::Status& status);

// Whether the daemon had too many calls waiting and refused this one before it began: repeating it
// is safe, and succeeds once there is room.
bool IsRefusedCall(const grpc::Status& status);

}  // namespace reinstate
