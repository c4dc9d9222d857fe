#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/cli/session.h"
#include "client/cli/tenant_list_file.h"

namespace reinstate {

struct ListComparisonOptions {
  std::string store;  // may be empty if there is only one
  std::string at;
  double lost_fraction = 0;  // who has less than this part of the rows left is lost; 0 for 0.5
};

// Sets a list of tenants beside the data of a store: who of it is gone or much smaller than at the
// point, who of it is not, who else is, and which lines mean nobody for sure. Counts go to stderr,
// the rows to stdout.
absl::Status CompareListWithData(const TenantListFile& file, const ListComparisonOptions& options,
                                 Session& session);

}  // namespace reinstate
