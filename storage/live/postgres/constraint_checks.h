#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/live/postgres/check_batches.h"
#include "storage/live/postgres/foreign_key_check.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/pg_result.h"
#include "storage/live/postgres/sequence_mover.h"

namespace reinstate {

// Checks what the server does not check while triggers are silent: foreign keys (ForeignKeyCheck),
// deferrable unique constraints (CheckUnique), and that sequences do not run into rows that were
// restored. It takes down what a transaction writes, and looks after the last write and before the
// commit. Tables with deferrable exclusion constraints are not written to (WriteRefusal).
//
// Not thread-safe.
class ConstraintChecks {
 public:
  // `map` outlives it. The keys of parents are kept in memory, each once, up to `memory_bytes`;
  // what does not fit is read again from the rows that were written.
  ConstraintChecks(const PgTenantMap* map, TenantId tenant, size_t memory_bytes);
  ~ConstraintChecks();
  ConstraintChecks(const ConstraintChecks&) = delete;
  ConstraintChecks& operator=(const ConstraintChecks&) = delete;

  // Whether the rows of `table` need to be noted at all.
  bool Concerns(PgOid table) const { return tables_.contains(table); }

  // What the transaction does to a row, with the fields of its COPY lines.
  void NoteInserted(PgOid table, const RowFields& after);
  void NoteReplaced(PgOid table, const RowFields& before, const RowFields& after);
  void NoteDeleted(PgOid table, const RowFields& before);

  // Whether the parents, by this step, of all rows of `child` that were inserted were written by
  // the transaction as well. False if no foreign key says so.
  bool ParentsAreWritten(PgOid child, const PathStep& step) const;

  // What Check has to know of sequences: statements to be run after the last write, each of which
  // gives rows.
  std::vector<std::string> SequencesSql() const;

  // `main` is in the transaction, whose last write is done; `sequences` is what the statements of
  // SequencesSql gave. Waits for other writers for as long as `patience`.
  //
  // KEY_CONFLICT: a constraint does not hold, which the message names with table and number of
  // rows. LIVE_CHANGED: it does not hold because of what others committed meanwhile.
  absl::Status Check(CheckConnections connections, std::span<const PgResult> sequences);

  // What Check let pass since the configuration allows it, a sentence each: rows without parents
  // (MapConfig::orphans).
  std::vector<std::string> Exceptions() const;

 private:
  struct Unique {
    const PgUnique* facts = nullptr;
    const PgTable* table = nullptr;
    bool written = false;
  };
  // Indexes into the vectors below.
  struct OfTable {
    std::vector<size_t> as_child;
    std::vector<size_t> as_parent;
    std::vector<size_t> sequences;
    std::vector<size_t> uniques;
  };

  static void NoteValue(WrittenValues* sequence, const RowFields& after);
  void NoteRow(PgOid table, const RowFields* before, const RowFields* after);
  void AddForeignKey(const PgForeignKey& facts);
  void AddTable(const PgTable& table);
  absl::Status CheckRows(const CheckConnections& connections);
  std::vector<WrittenValues> WrittenSequences() const;

  const PgTenantMap* const map_;
  const TenantId tenant_;
  KeyMemory memory_;
  KeyMemory parent_memory_;
  std::vector<ForeignKeyCheck> foreign_keys_;
  std::vector<WrittenValues> sequences_;
  std::vector<Unique> uniques_;
  std::map<PgOid, OfTable> tables_;
};

}  // namespace reinstate
