#pragma once

#include <functional>
#include <map>

#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/map_config.h"
#include "storage/live/postgres/ownership.h"

namespace reinstate {

// Guesses what unresolved tables refer to, where no foreign key says so: a column issue_id names
// the key of issues, or of app_issues if its own table is app_comments. Each table gets one
// reference, to a table that is owned, or would be by these references; those that `left_out` holds
// for get none. A column beside one that names a type (subject_id, subject_type) says nothing. By
// table. Pure.
std::map<PgOid, VirtualReference> GuessReferences(
    const PgTenantMap& map, const std::function<bool(const PgTable&)>& left_out);

}  // namespace reinstate
