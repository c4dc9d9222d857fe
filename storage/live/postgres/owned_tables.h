#pragma once

#include <set>
#include <string>

#include "storage/live/postgres/ownership.h"

namespace reinstate {

// The owned tables of `map`, with those on the paths to their owners; none of nullptr.
std::set<PgOid> OwnedTables(const PgTenantMap* map);

// The plan of an owned table by its identity; nullptr if it is none. Borrowed.
const PgTablePlan* FindOwned(const PgTenantMap& map, const std::string& identity);

// A statement that keeps the definition of OwnedTables as it is; empty if there are none.
std::string LockOwnedTables(const PgTenantMap* map);

}  // namespace reinstate
