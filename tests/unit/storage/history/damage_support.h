#pragma once

#include <string>

#include "tests/support/tenant_model.h"

namespace reinstate {

// 12 tenants with 8 rows each; the first row of each differs with `fill`.
TenantModel SomeTenants(char fill);

// Replaces the folder `to` by a copy of `from`, which may be in use: files that are removed
// meanwhile are left out.
void CopyFolder(const std::string& from, const std::string& to);

}  // namespace reinstate
