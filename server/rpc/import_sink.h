#pragma once

#include <memory>

#include "server/rpc/message_sink.h"
#include "server/rpc/service_parts.h"

namespace grpc {
class ServerContextBase;
}  // namespace grpc

namespace reinstate {

// The receiving end of SnapshotService.ImportSnapshot: checks each message, keeps the dump in a
// file of the folder of imports, and creates the job that imports it once the end has come. Nothing
// is left of a dump that is refused or breaks off. Borrows `context`, which says who asks.
std::unique_ptr<MessageSink> MakeImportSink(const ServiceParts& parts,
                                            const grpc::ServerContextBase* context);

}  // namespace reinstate
