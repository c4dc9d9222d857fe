#pragma once

#include "absl/status/statusor.h"
#include "reinstate/v1/tenant_service.pb.h"
#include "server/rpc/service_parts.h"

namespace reinstate {

// TenantService.FindTenants.
absl::StatusOr<v1::FindTenantsResponse> FindTenants(const ServiceParts& parts,
                                                    const v1::FindTenantsRequest& request);

}  // namespace reinstate
