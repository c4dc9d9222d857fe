#pragma once

#include <memory>

#include "server/rpc/call_observer.h"

namespace grpc::experimental {
class ServerInterceptorFactoryInterface;
}  // namespace grpc::experimental

namespace reinstate {

// Makes what tells `observer` of every call that the server answers, those of health and reflection
// included; it sees them where they get their status, however they ended. `observer` outlives the
// server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallInterceptor(
    CallObserver* observer);

}  // namespace reinstate
