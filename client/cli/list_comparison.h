#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"
#include "client/cli/tenant_list_file.h"

namespace reinstate {

// Sets a list of tenants beside the data of `store`: who of it is gone or much smaller than at the
// point `at`, who of it is not, who else is, and which lines mean nobody for sure. Counts go to
// stderr, the rows to stdout.
absl::Status CompareListWithData(const TenantListFile& file, const std::string& store,
                                 const std::string& at, Session& session);

}  // namespace reinstate
