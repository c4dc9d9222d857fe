#include "server/rpc/opened_point.h"

#include <utility>

#include "server/restore/point_resolver.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::StatusOr<TenantId> ParseTenantOf(const StoreRegistry& stores, const std::string& store,
                                       std::string_view field, std::string_view text) {
  absl::StatusOr<TenantId> tenant = stores.CanonicalTenant(store, text);
  return HasReason(tenant.status(), Reason::kTenantIdInvalid) ? AboutField(tenant.status(), field)
                                                              : tenant;
}

absl::StatusOr<OpenedPoint> OpenPointAt(const ServiceParts& parts, const ServedStore& store,
                                        const std::string& at) {
  OpenedPoint opened;
  ASSIGN_OR_RETURN(opened.point,
                   ResolvePoint(*parts.history, store.lineage, at, parts.clock->Now()));
  ASSIGN_OR_RETURN(const SnapshotId id, SnapshotId::Parse(opened.point.snapshot()));
  ASSIGN_OR_RETURN(opened.reader, parts.history->OpenPoint(id));
  return opened;
}

absl::StatusOr<std::unique_ptr<PointReader>> OpenNewest(const ServiceParts& parts,
                                                        const ServedStore& store) {
  const absl::StatusOr<SnapshotInfo> newest =
      parts.history->SnapshotAt(store.lineage, absl::InfiniteFuture());
  if (HasReason(newest.status(), Reason::kPointBeforeFirstSnapshot)) {
    return nullptr;
  }
  RETURN_IF_ERROR(newest.status());
  return parts.history->OpenPoint(newest->id);
}

}  // namespace reinstate
