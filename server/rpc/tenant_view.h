#pragma once

#include "absl/status/statusor.h"
#include "reinstate/v1/tenant_service.pb.h"
#include "server/rpc/service_parts.h"

namespace reinstate {

// TenantService.GetTenant.
absl::StatusOr<v1::Tenant> ViewTenant(const ServiceParts& parts,
                                      const v1::GetTenantRequest& request);

}  // namespace reinstate
