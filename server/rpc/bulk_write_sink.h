#pragma once

#include <memory>

#include "server/jobs/store_registry.h"
#include "server/rpc/message_sink.h"

namespace reinstate {

// The receiving end of RecordService.Write: applies each message in one step and syncs with the
// last one. Holds one message.
std::unique_ptr<MessageSink> MakeBulkWriteSink(const StoreRegistry* stores);

}  // namespace reinstate
