#pragma once

#include <memory>

#include "server/rpc/live_cuts.h"
#include "server/rpc/stream_source.h"
#include "storage/model/streams.h"

namespace reinstate {

// What the server-streaming calls of LiveStoreService send: the entries of a stream, in messages of
// about a quarter of a megabyte. Those of a cut keep it open.
std::unique_ptr<StreamSource> MakeTenantCountSource(std::unique_ptr<TenantCountStream> counts);
std::unique_ptr<StreamSource> MakeShardSource(const LiveCuts::Use& use,
                                              std::unique_ptr<TenantRowStream> rows);
std::unique_ptr<StreamSource> MakeLabelsSource(const LiveCuts::Use& use,
                                               std::unique_ptr<TenantLabelsStream> labels);

}  // namespace reinstate
