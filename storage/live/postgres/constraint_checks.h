#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// Checks what the server does not check while triggers are silent: foreign keys, deferrable unique
// constraints, and that sequences do not run into rows that were restored. It takes down what a
// transaction writes, and looks after the last write and before the commit.
//
// - A row that was written needs its parents. Those that the transaction did not write itself are
//   locked FOR KEY SHARE, as the server's own check would do.
// - A row that was deleted must have no children left. Those that the transaction sees it finds
//   itself; those that came after its view are found by a second connection, which sees what is
//   committed. None can come after the deletion, since it holds the row's lock.
// - Tables with deferrable exclusion constraints are not written to (WriteRefusal).
// - Values of a deferrable unique constraint must not be there twice. A transaction that wrote to
//   the table before we did may not have seen ours, so that it must have ended before the second
//   connection looks.
//
// Not thread-safe. Holds the keys of parents in memory, each once.
class ConstraintChecks {
 public:
  // `map` outlives it.
  ConstraintChecks(const PgTenantMap* map, TenantId tenant);
  ~ConstraintChecks();
  ConstraintChecks(const ConstraintChecks&) = delete;
  ConstraintChecks& operator=(const ConstraintChecks&) = delete;

  // Whether the rows of `table` need to be noted at all.
  bool Concerns(PgOid table) const { return tables_.contains(table); }

  // What the transaction does to a row, with the fields of its COPY lines.
  using Fields = std::vector<std::string_view>;
  void NoteInserted(PgOid table, const Fields& after);
  void NoteReplaced(PgOid table, const Fields& before, const Fields& after);
  void NoteDeleted(PgOid table, const Fields& before);

  // What the checks run on.
  struct Connections {
    PgConnection* main = nullptr;    // in the transaction, whose last write is done
    PgConnection* second = nullptr;  // without a transaction
    absl::Duration patience;         // how long to wait for other writers
  };

  // KEY_CONFLICT: a constraint does not hold, which the message names with table and number of
  // rows. LIVE_CHANGED: it does not hold because of what others committed meanwhile.
  absl::Status Check(const Connections& connections);

 private:
  // A foreign key and what has to be looked at. A key is the fields of its columns, with tabs.
  struct ForeignKey {
    const PgForeignKey* facts = nullptr;
    const PgTable* child = nullptr;
    const PgTable* parent = nullptr;
    std::vector<size_t> child_fields;
    std::vector<size_t> parent_fields;
    absl::flat_hash_set<std::string> needed;   // parents of written rows
    absl::flat_hash_set<std::string> removed;  // parents that were removed
    std::string last_needed;                   // rows of one parent often follow each other
  };
  struct Sequence {
    const PgSequence* facts = nullptr;
    const PgTable* table = nullptr;
    size_t field = 0;
    int64_t highest = 0;
    int64_t lowest = 0;
    bool written = false;
  };
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

  void NoteParent(ForeignKey* key, const Fields* before, const Fields* after);
  void NoteChild(ForeignKey* key, const Fields* before, const Fields& after);
  void NoteValue(Sequence* sequence, const Fields& after);
  void NoteRow(PgOid table, const Fields* before, const Fields* after);
  void AddForeignKey(const PgForeignKey& facts);
  void AddTable(const PgTable& table);
  absl::Status CheckParents(ForeignKey* key, const Connections& connections);
  absl::Status CheckParentBatch(const ForeignKey& key, const std::vector<std::string>& batch,
                                const Connections& connections);
  absl::Status CheckChildren(ForeignKey* key, const Connections& connections);
  absl::Status CheckChildBatch(const ForeignKey& key, const std::vector<std::string>& batch,
                               const Connections& connections);
  absl::Status CheckUnique(const Unique& unique, const Connections& connections);
  absl::Status LookForDuplicates(const Unique& unique, const Connections& connections);

  const PgTenantMap* const map_;
  const TenantId tenant_;
  std::vector<ForeignKey> foreign_keys_;
  std::vector<Sequence> sequences_;
  std::vector<Unique> uniques_;
  std::map<PgOid, OfTable> tables_;
  std::string xid_;     // our transaction's number, once it is looked at
  std::string joined_;  // scratch
  std::string joined_before_;
};

}  // namespace reinstate
