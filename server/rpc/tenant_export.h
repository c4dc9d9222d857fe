#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/rpc/call.h"
#include "server/rpc/stream_source.h"
#include "storage/history/point_reader.h"
#include "storage/model/tenant_id.h"
#include "storage/state/state.pb.h"
#include "storage/state/state_store.h"

namespace reinstate {

// What ExportTenant is to send, and who asks.
struct ExportOrder {
  Call call;
  std::string store;
  TenantId tenant = TenantId::Ownerless();
  state::Point point;
  std::vector<std::string> tables;  // names; all that the snapshot covers if empty
};

// Reads the rows of a tenant at a point, as v1::ExportTenantResponse messages of about 256 KiB,
// with the end only if everything adds up. That it was ordered is in the audit when this returns,
// and how it ended when the source is destroyed. TENANT_NOT_AT_POINT, TABLE_NOT_FOUND; errors of
// the state. Borrows `state`.
absl::StatusOr<std::unique_ptr<StreamSource>> MakeTenantExport(ExportOrder order,
                                                               std::unique_ptr<PointReader> reader,
                                                               StateStore* state);

}  // namespace reinstate
