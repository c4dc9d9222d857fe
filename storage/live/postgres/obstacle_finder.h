#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// Whether FindObstacles can find something in the way of rows of `table`, which `map` has: it has
// unique or exclusion constraints or indexes but for its key, a row may find no partition, or it
// refers to rows of a table that is not a tenant's and whose rows the role may not lock. Pure.
bool MayBeObstructed(const PgTenantMap& map, const PgTable& table);

// As TenantSession::FindObstacles. One statement looks for all of `changes`, by probing the indexes
// themselves; whose the rows are that it finds is asked only if there are some. The server
// evaluates expressions, predicates and generated columns, and which partition takes a row. Left to
// the writing of rows are indexes with an expression over the row as a whole, and NULLs that are
// not distinct where more than four columns of an index may be NULL.
//
// Errors of the connection; NOT_ALLOWED if a row refers to one that the role may not lock.
absl::StatusOr<std::vector<Obstacle>> FindObstacles(const PgTenantMap& map, const TenantId& tenant,
                                                    std::span<const Change> changes,
                                                    PgConnection* connection);

}  // namespace reinstate
