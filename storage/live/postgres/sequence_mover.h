#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// Makes sure that `sequence` does not give a value that is in a row of `table` already: if the next
// one would be at most `highest` (at least `lowest` for one that counts down), it is moved past it.
// By nextval, never by setval, which would move it back if others took values meanwhile; and only
// if it has to be, since that is not undone by a rollback.
//
// Values that are further away than twenty million did not come from it (applications make some
// themselves): it is then moved past the rows within reach only, and not at all if there are none.
absl::Status MoveSequencePast(const PgTable& table, const PgSequence& sequence, int64_t lowest,
                              int64_t highest, PgConnection* connection);

}  // namespace reinstate
