#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// What checks of constraints have in common: the keys that they remember, and how they look for
// many of them at once. A key is the fields of its columns as COPY writes them, with tabs between
// them.

// What the checks of a transaction run on, after its last write.
struct CheckConnections {
  PgConnection* main = nullptr;    // in the transaction
  PgConnection* second = nullptr;  // for Second
  absl::Duration patience;         // how long to wait for other writers
  std::string xid;                 // the number of the transaction; empty if none needs it

  // The second connection in a READ COMMITTED transaction, which is begun for the first who asks.
  absl::StatusOr<PgConnection*> Second() const;
};

// How much the sets of keys of one transaction may hold together.
struct KeyMemory {
  size_t limit_bytes = 0;
  size_t used_bytes = 0;
};

// Keys, each once. When there is no room for one more, it forgets all of its own and takes no more:
// they have to be asked of the server then. Not thread-safe.
class KeySet {
 public:
  // `memory` outlives it.
  explicit KeySet(KeyMemory* memory) : memory_(memory) {}

  void Insert(const std::string& key);
  void Erase(const std::string& key);
  // As if there had been no room for a key.
  void Forget();

  // Whether nothing is in it, nor was forgotten.
  bool empty() const { return keys_.empty() && !overflown_; }
  bool overflown() const { return overflown_; }
  const absl::flat_hash_set<std::string>& keys() const { return keys_; }

 private:
  KeyMemory* const memory_;
  absl::flat_hash_set<std::string> keys_;
  size_t bytes_ = 0;  // of keys_, in memory_
  bool overflown_ = false;
};

// A row as the fields of its COPY line.
using RowFields = std::vector<std::string_view>;

// The places of columns in a payload; of a generated one, which is in none, npos.
std::vector<size_t> FieldsOf(const PgTable& table, const std::vector<PgAttnum>& columns);

// Makes a key of the fields at these places; false if one is NULL.
bool JoinFields(const RowFields& fields, const std::vector<size_t>& places, std::string* key);

using Keys = std::vector<std::string>;
using CheckKeys = std::function<absl::Status(const Keys& batch)>;

// Calls `check` with all keys of a set that has not overflown, in batches; its first error.
absl::Status ForEachBatch(const KeySet& keys, const CheckKeys& check);

// The same with the rows that `select` gives, whose columns are texts. Holds one batch at a time.
// `check` may use the connection.
absl::Status ForEachBatch(PgConnection* connection, std::string_view doing,
                          const std::string& select, const CheckKeys& check);

// CORRUPT if a key has not as many fields.
absl::StatusOr<KeyBatch> MakeBatch(size_t columns, const Keys& keys);

// Those of `keys` whose numbers (column 0, from 1) are not among the rows of `found`.
Keys NotAmong(const Keys& keys, const PgResult& found);

// How rows of `table` are found by these columns.
PlanMode ModeFor(const PgTable& table, const std::vector<PgAttnum>& columns);

// Runs one statement, planned in that mode.
absl::StatusOr<PgResult> QueryIn(PgConnection* connection, PlanMode mode, std::string_view doing,
                                 const std::string& sql);

}  // namespace reinstate
