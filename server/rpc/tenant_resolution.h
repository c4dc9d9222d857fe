#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "reinstate/v1/tenant_service.pb.h"
#include "server/rpc/service_parts.h"
#include "server/rpc/stream_source.h"

namespace reinstate {

// TenantService.ResolveTenants: v1::ResolveTenantsResponse messages. What it reads it reads before
// the first of them; while a slow client takes them, only the tenants' ids, labels and sizes are
// kept. Borrows what `parts` names.
absl::StatusOr<std::unique_ptr<StreamSource>> MakeTenantResolution(
    const ServiceParts& parts, const v1::ResolveTenantsRequest& request);

}  // namespace reinstate
