#pragma once

#include <set>

#include "absl/status/statusor.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// Owned tables of `map` in which `tenant` has no row, in the view of the present transaction of
// `connection`; not those where no index leads to the owner. A deleted tenant has rows in none: to
// find that out costs one statement, which the server keeps, where each table that is read costs
// one that the server has to plan.
absl::StatusOr<std::set<PgOid>> FindEmptyTables(const PgTenantMap& map, const TenantId& tenant,
                                                PgConnection* connection);

}  // namespace reinstate
