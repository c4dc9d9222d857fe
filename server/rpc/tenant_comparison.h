#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/rpc/stream_source.h"
#include "storage/history/point_reader.h"
#include "storage/live/live_store.h"
#include "storage/model/tenant_id.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// What CompareTenant is to compare.
struct ComparisonOrder {
  std::string store;
  TenantId tenant = TenantId::Ownerless();
  std::string label;
  state::Point point;
  std::vector<std::string> tables;  // names; all if empty
};

// Compares a tenant at a point with the tenant live, row by row: v1::CompareTenantResponse
// messages, progress now and then and the comparison at the end. Holds the tenant's lock from here
// until it is destroyed. TENANT_NOT_AT_POINT, TABLE_NOT_FOUND, TENANT_BUSY, UNAVAILABLE. Borrows
// `live`.
absl::StatusOr<std::unique_ptr<StreamSource>> MakeTenantComparison(
    ComparisonOrder order, std::unique_ptr<PointReader> reader, LiveStore* live);

}  // namespace reinstate
