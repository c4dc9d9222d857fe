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
// Keys that it has no memory for, or that no payload tells (of generated columns, or of the rows of
// a single partition), are read again from the rows that the transaction wrote: those with its
// number in xmin, and, by the second connection, for which what was deleted is still there, in
// xmax.
//
// A key that is NOT VALID is checked like others, as the server would: it is not known here which
// rows had no parent at the point, and which have lost it since. A table in MapConfig::orphans is
// left alone by such keys.
//
// Not thread-safe.
class ForeignKeyCheck {
 public:
  // `map`, which has the child, and both memories outlive it; `facts` is of its catalog.
  // `parent_memory` is for the parents that were inserted before their children: one that it has no
  // room for is looked for like any other.
  ForeignKeyCheck(const PgTenantMap* map, TenantId tenant, const PgForeignKey* facts,
                  KeyMemory* memory, KeyMemory* parent_memory);

  // What becomes of a row of the parent, which is there before and after unless that is nullptr.
  void NoteParent(const RowFields* before, const RowFields* after);

  // A row of the child that is written; `before` is nullptr if it is inserted.
  void NoteChild(const RowFields* before, const RowFields& after);

  const PgForeignKey& facts() const { return *facts_; }

  // Whether rows of the child were written whose parents the transaction has not written.
  bool needs_parents() const { return !needed_.empty(); }

  // Whether the checks have to tell rows that the transaction wrote from others.
  bool needs_xid() const { return needed_.overflown() || !removed_.empty() || may_be_partial_; }

  // Both: KEY_CONFLICT, with the names of both tables and the number of rows; LIVE_CHANGED if it is
  // because of what others committed meanwhile.
  //
  // Children of all keys are looked for before the parents of any: rows that are locked look to the
  // second connection like rows that the transaction changed.
  absl::Status CheckChildren(const CheckConnections& connections);
  absl::Status CheckParents(const CheckConnections& connections);

  // How many parents of rows that were written CheckParents did not find, and let pass since the
  // configuration allows it (MapConfig::orphans).
  int64_t missing_parents() const { return missing_parents_; }

 private:
  absl::Status CheckFull(const CheckConnections& connections) const;
  absl::Status CheckParentBatch(const Keys& batch, const CheckConnections& connections);
  // KEY_CONFLICT: so many parents are not there.
  absl::Status OfMissing(size_t parents) const;
  absl::Status ListOrphansBefore(const CheckConnections& connections);
  absl::Status CheckChildBatch(const Keys& batch, const CheckConnections& connections) const;
  std::string FindParents(const KeyBatch& batch) const;
  std::string NeededSql(const std::string& xid) const;
  std::string OrphansBeforeSql(const std::string& xid) const;
  std::string EqualSql() const;
  std::string RemovedSql(const std::string& xid) const;
  std::string OfTenantSql(const PgTable& table) const;

  const PgTenantMap* const map_;
  const TenantId tenant_;
  const PgForeignKey* const facts_;
  const PgTable* const child_;
  const PgTable* const parent_;
  const std::string child_sql_;  // the relations that the key is of
  const std::string parent_sql_;
  const std::vector<size_t> child_fields_;
  const std::vector<size_t> parent_fields_;
  const bool child_told_;   // whether a payload tells if its row is a child, and of what
  const bool parent_told_;  // whether it tells the key of a parent
  const bool may_orphan_;
  KeySet needed_;    // parents of written rows, but for those that were written too
  KeySet inserted_;  // parents that were inserted and may get children yet
  bool children_inserted_ = false;
  KeySet removed_;               // parents that were removed
  KeySet orphans_before_;        // that changed rows referred to in vain before
  bool may_be_partial_ = false;  // a row may have only a part of a key that is MATCH FULL
  int64_t missing_parents_ = 0;
  std::string last_needed_;  // rows of one parent often follow each other
  std::string joined_;       // scratch
  std::string joined_before_;
};

}  // namespace reinstate
