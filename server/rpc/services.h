#pragma once

#include <memory>

#include "server/rpc/service_parts.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace reinstate {

class CallGate;

// The services of reinstate.v1, but for LiveStoreService. Each decodes, delegates to the parts and
// encodes; what a call means and how it fails is written in its .proto file. Each is thread-safe
// and borrows the gate.
std::unique_ptr<grpc::Service> MakeStoreService(CallGate* gate, const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeSnapshotService(CallGate* gate, const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeJobService(CallGate* gate, const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeTenantService(CallGate* gate, const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeRestoreService(CallGate* gate, const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeBatchService(CallGate* gate, const ServiceParts& parts);
std::unique_ptr<grpc::Service> MakeRecordService(CallGate* gate, const ServiceParts& parts);

}  // namespace reinstate
