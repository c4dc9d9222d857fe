#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// How many rows each of `tenants` has in the owned tables, in their order, as the transaction of
// `connection` sees them. Tables where indexes lead to a tenant's rows are asked for each tenant,
// those where none do are read once for a thousand of them. Leaves the plan mode of the transaction
// changed. Errors of PgConnection::Query; the server's error is of class 22 if a text can be no id.
absl::StatusOr<std::vector<int64_t>> CountTenantRows(const PgTenantMap& map,
                                                     std::span<const TenantId> tenants,
                                                     PgConnection* connection);

}  // namespace reinstate
