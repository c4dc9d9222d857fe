#pragma once

#include "absl/status/status.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// Looks whether a connection's role and database are such that we work with them. NOT_ALLOWED for a
// superuser unless `allow_superuser`; UNSUPPORTED for a database whose encoding is none
// (SQL_ASCII), since its texts need not be text.
absl::Status CheckRole(PgConnection* connection, bool allow_superuser);

// Whether the role can read all that a cut captures. NOT_ALLOWED with each privilege that is
// missing and the statement that grants it.
absl::Status CheckReadable(const PgTenantMap& map);

}  // namespace reinstate
