#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/live/postgres/constraint_checks.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/keyed_writes.h"
#include "storage/live/postgres/large_changes.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/write_target.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// Writes the changes of one tenant in one transaction: deletions and replacements in batches by
// key, insertions by COPY. Keeps a few MiB in memory before it sends anything, since what is sent
// locks rows that the application may be waiting for; a larger restore streams.
//
// A payload with another tenant's id in it is never sent. Where a payload does not say whose it is,
// the server is asked before the commit (CheckOwners).
//
// Not thread-safe. After an error the transaction is of no use.
class RowChanges {
 public:
  struct Parts {
    const PgTenantMap* map = nullptr;
    PgConnection* connection = nullptr;
    ConstraintChecks* checks = nullptr;
    std::set<std::string> may_fire;  // names of tables whose ALWAYS triggers and rules may fire
    LargeChanges* large = nullptr;   // shared with the other sessions of the store
  };

  // What `parts` points to outlives it.
  RowChanges(Parts parts, TenantId tenant);
  ~RowChanges();

  // Adds a change of a table of the map that is owned. As TenantSession::Apply.
  absl::Status Add(const PgTablePlan& plan, const Change& change);

  // Sends what is buffered; afterwards the connection is free.
  absl::Status Flush();

  // Looks whether all that was written is the tenant's, where the payloads did not say so; all has
  // been flushed. `mode_for` says how the rows of a table are read. KEY_CONFLICT if some are not:
  // their path leads to another tenant, or to nobody.
  absl::Status CheckOwners(const std::function<PlanMode(const PgTablePlan&)>& mode_for);

  // The tables that it has changes of.
  std::set<PgOid> Tables() const;

  // Whether anything was ever added.
  bool any() const { return any_; }

 private:
  // Changes of one kind to one table that wait to be sent.
  struct Group {
    const WriteTarget* target = nullptr;
    ChangeKind kind = ChangeKind::kInsert;
    std::vector<KeyedRow> rows;
    std::string lines;  // of insertions
    int64_t line_count = 0;
    std::vector<RowKey> keys;  // theirs, of a table with values that can be taken
    size_t bytes = 0;
  };

  // A table that is written to.
  struct Written {
    std::unique_ptr<const WriteTarget> target;
    std::string write_refusal;
    std::string replace_refusal;
    int64_t rows = 0;        // inserted or replaced
    bool says_owner = true;  // each of them
    bool follows = true;     // each was inserted, and refers to a parent
  };

  absl::StatusOr<Written*> WrittenFor(const PgTablePlan& plan, ChangeKind kind);
  absl::Status Note(Written* written, const Change& change);
  absl::Status CheckOwnersIn(const Written& written, PlanMode mode);
  absl::Status KeepReplacements();
  void Buffer(const WriteTarget* target, const Change& change);
  absl::Status Send(Group* group);
  absl::Status SendAll(bool but_last);

  std::deque<const WriteTarget*> NextInsertions(size_t kept) const;
  // Begins to insert into the first, after which EndCopy goes on with the next.
  absl::Status StartCopies(std::deque<const WriteTarget*> targets);
  absl::Status PutLine(const std::string& line);
  absl::Status EndCopy();
  // The error of a COPY or UPDATE: that its key is taken is a race with the application. `row` says
  // which row it is about, as "row 7", if that is not that of a line of COPY.
  absl::Status OfTakenKey(const WriteTarget& target, const absl::Status& status,
                          const std::string& row = "") const;
  // Remembers whose the next line of COPY is.
  void NoteCopied(RowKey key);
  // "row 7" for a line of COPY, from 1; "a row" if it is not known whose it is.
  std::string RowOfLine(int64_t line) const;

  const Parts parts_;
  const TenantId tenant_;
  KeyedWrites keyed_;
  bool any_ = false;
  std::map<PgOid, Written> written_;
  std::deque<Group> groups_;
  size_t bytes_ = 0;         // in groups_
  bool keeps_many_ = false;  // parts_.large is ours
  // The COPY that is under way:
  const WriteTarget* copying_ = nullptr;
  std::deque<const WriteTarget*> next_copies_;  // that follow it in the same statements
  int64_t copied_ = 0;
  std::deque<RowKey> copied_keys_;  // of the last lines, of a table with values that can be taken
  std::string lines_;               // not yet sent
  std::string joined_;              // scratch
  std::vector<std::string_view> before_;
  std::vector<std::string_view> after_;
};

}  // namespace reinstate
