#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/write_target.h"
#include "storage/model/row_key.h"

namespace reinstate {

// A row to be deleted or replaced.
struct KeyedRow {
  RowKey key;
  std::string old_payload;
  std::string new_payload;  // empty if it is to be deleted
};

// Deletes and replaces rows by their keys. Each statement gives back the rows as they were, and it
// is LIVE_CHANGED unless each change met exactly the row that it speaks of.
//
// A replacement is an UPDATE of the columns that differ: to delete and to insert the row would undo
// what the application is about to do to it, without a word. Only where it cannot be avoided it is
// both: where a unique value moves from one row to another, so that the order of updates would
// matter; where two rows and more change what an expression, a predicate or an exclusion constraint
// makes such values of, which only the server can compute; and where an identity column differs
// that is GENERATED ALWAYS.
//
// Not thread-safe. After an error the transaction is of no use.
class KeyedWrites {
 public:
  // `connection` outlives it.
  explicit KeyedWrites(PgConnection* connection) : connection_(connection) {}

  absl::Status Delete(const WriteTarget& target, const std::vector<KeyedRow>& rows);

  // `rows` are all replacements of the table. The payloads of those that were only deleted, and are
  // now to be inserted, are added to `*to_insert`.
  absl::Status Replace(const WriteTarget& target, const std::vector<KeyedRow>& rows,
                       std::vector<std::string>* to_insert);

 private:
  using Rows = std::vector<const KeyedRow*>;

  absl::Status DeleteBatch(const WriteTarget& target, const Rows& rows);
  absl::Status DeleteKeyless(const WriteTarget& target, const Rows& rows);
  absl::Status Update(const WriteTarget& target, const std::vector<size_t>& changed,
                      const Rows& rows);
  // Runs `sql`, which gives the number of a row and the row as it was.
  absl::Status ExpectRows(const WriteTarget& target, std::string_view doing, const std::string& sql,
                          const Rows& rows);

  PgConnection* const connection_;
};

}  // namespace reinstate
