#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// A short text that changes with the definition of any table, column, index, constraint, trigger,
// function or sequence of the database, or with what a role may do to it: as long as it is the
// same, ReadCatalog gives the same but for its estimates. Costs a small part of that. Of the
// current transaction's view.
absl::StatusOr<std::string> ReadCatalogFingerprint(PgConnection* connection);

// SQL that gives it, a row of one text, to be put among other statements of `connection`.
absl::StatusOr<std::string> CatalogFingerprintSql(PgConnection* connection);

}  // namespace reinstate
