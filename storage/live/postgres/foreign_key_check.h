#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/live/postgres/check_batches.h"
#include "storage/live/postgres/ownership.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// Checks one foreign key for what a transaction wrote, since the server does not while triggers are
// silent.
//
// - A row that was written needs its parent. Those that the transaction did not write itself are
//   locked FOR KEY SHARE, as the server's own check would do.
// - A row that was deleted must have no children left. Those that the transaction sees it finds
//   itself; those that came after its view are found by the second connection, which sees what is
//   committed. None can come after the deletion, since it holds the row's lock.
//
// Keys that it has no memory for are read again from the rows that the transaction wrote: those
// with its number in xmin, and, by the second connection, for which what was deleted is still
// there, in xmax.
//
// Not thread-safe.
class ForeignKeyCheck {
 public:
  // `map`, which has the child, and `memory` outlive it; `facts` is of its catalog.
  ForeignKeyCheck(const PgTenantMap* map, TenantId tenant, const PgForeignKey* facts,
                  KeyMemory* memory);

  // What becomes of a row of the parent, which is there before and after unless that is nullptr.
  void NoteParent(const RowFields* before, const RowFields* after);

  // A row of the child that is written; `before` is nullptr if it is inserted.
  void NoteChild(const RowFields* before, const RowFields& after);

  const PgForeignKey& facts() const { return *facts_; }

  // Whether rows of the child were written whose parents the transaction has not written.
  bool needs_parents() const { return !needed_.empty(); }

  // Whether there is anything to check.
  bool any() const { return !needed_.empty() || !removed_.empty(); }

  // KEY_CONFLICT, with the names of both tables and the number of rows; LIVE_CHANGED if it is
  // because of what others committed meanwhile; UNSUPPORTED for a reference to a single partition.
  absl::Status Check(const CheckConnections& connections);

 private:
  absl::Status CheckParents(const CheckConnections& connections) const;
  absl::Status CheckParentBatch(const Keys& batch, const CheckConnections& connections) const;
  absl::Status CheckChildren(const CheckConnections& connections) const;
  absl::Status CheckChildBatch(const Keys& batch, const CheckConnections& connections) const;
  std::string FindParents(const KeyBatch& batch) const;
  std::string NeededSql(const std::string& xid) const;
  std::string RemovedSql(const std::string& xid) const;
  std::string OfTenantSql(const PgTable& table) const;

  const PgTenantMap* const map_;
  const TenantId tenant_;
  const PgForeignKey* const facts_;
  const PgTable* const child_;
  const PgTable* const parent_;  // null: a single partition
  const std::vector<size_t> child_fields_;
  const std::vector<size_t> parent_fields_;
  KeySet needed_;            // parents of written rows
  KeySet removed_;           // parents that were removed
  std::string last_needed_;  // rows of one parent often follow each other
  std::string joined_;       // scratch
  std::string joined_before_;
};

}  // namespace reinstate
