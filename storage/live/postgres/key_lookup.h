#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// Says whose `keys` of a table are, as TenantSession::LookUp does. Values of other tenants do not
// leave the server. UNSUPPORTED if a row of nobody has one of them, since such a key is not free,
// or if a row has a key that is equal for the server but not in text (numeric 1.0 and 1.00,
// citext).
absl::StatusOr<std::vector<KeyState>> LookUpKeys(const PgTenantMap& map, const PgTablePlan& plan,
                                                 const TenantId& tenant,
                                                 std::span<const RowKey> keys,
                                                 PgConnection* connection);

}  // namespace reinstate
