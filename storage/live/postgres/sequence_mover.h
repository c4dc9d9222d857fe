#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/pg_result.h"

namespace reinstate {

// What a transaction wrote into the column that takes the values of a sequence.
struct WrittenValues {
  const PgSequence* sequence = nullptr;
  const PgTable* table = nullptr;
  size_t field = 0;  // of a payload
  int64_t highest = 0;
  int64_t lowest = 0;
  bool written = false;  // any of them
};

// Makes sure that no sequence of `written` gives a value that is in a row of its table already: if
// the next one would be at most `highest` (at least `lowest` for one that counts down), it is moved
// past it. By nextval, never by setval, which would move it back if others took values meanwhile;
// and only if it has to be, since that is not undone by a rollback.
//
// Values that are further away than twenty million did not come from it (applications make some
// themselves): it is then moved past the rows within reach only, and not at all if there are none.
//
// `states` is what SequenceSql gave for each of them, at any time: those that it shows to be past
// the rows are not looked at again. LIVE_CHANGED if one is gone.
absl::Status MoveSequencesPast(const std::vector<WrittenValues>& written,
                               std::span<const PgResult> states, PgConnection* connection);

// A statement that gives the state of a sequence, which any transaction sees. Fails if it is gone.
std::string SequenceSql(const PgSequence& sequence);

}  // namespace reinstate
