#pragma once

#include "absl/status/statusor.h"
#include "reinstate/v1/tenant_service.pb.h"
#include "server/rpc/service_parts.h"

namespace reinstate {

// TenantService.ListTenants.
absl::StatusOr<v1::ListTenantsResponse> ListTenants(const ServiceParts& parts,
                                                    const v1::ListTenantsRequest& request);

}  // namespace reinstate
