#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/live/postgres/constraint_checks.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// Writes the changes of one tenant in one transaction: deletions and replacements in batches by
// key, insertions by COPY.
//
// A batch gives back the rows as they were, and fails with LIVE_CHANGED unless each of its changes
// met exactly the row that it speaks of. Rows of a table with an owner column are only touched if
// it has this tenant, and a payload with another tenant in it is never sent. Rows that are owned
// through a path are not touched if it leads to another tenant.
//
// A replacement is an UPDATE of the columns that differ: to delete and to insert the row would
// silently undo what the application is about to do to it. Only where unique values move from one
// row to another, so that no order of updates is possible, it is both.
//
// Not thread-safe. After an error the transaction is of no use.
class RowChanges {
 public:
  struct Parts {
    const PgTenantMap* map = nullptr;
    PgConnection* connection = nullptr;
    ConstraintChecks* checks = nullptr;
    std::set<std::string> may_fire;  // tables whose ALWAYS triggers and rules may fire
  };

  // What `parts` points to outlives it.
  RowChanges(Parts parts, TenantId tenant);

  // Adds a change of a table of the map that is owned. As TenantSession::Apply.
  absl::Status Add(const PgTablePlan& plan, const Change& change);

  // Sends what is buffered; afterwards the connection is free.
  absl::Status Flush();

  // Whether anything was ever added.
  bool any() const { return any_; }

 private:
  // A replacement that waits to be sent, or a deletion.
  struct Pending {
    RowKey key;
    std::string old_payload;
    std::string new_payload;
  };
  // What is known of the table that changes come for now.
  struct Target {
    const PgTablePlan* plan = nullptr;
    const PgTable* table = nullptr;
    std::vector<const PgColumn*> columns;
    size_t owner_field = 0;  // if owned by a column of its own
    bool noted = false;      // constraints have to know of its rows
    // Places of the columns of unique indexes that are looked at row by row.
    std::vector<std::vector<size_t>> unique_fields;
    std::unique_ptr<RowCodec> codec;
  };

  absl::Status Aim(const PgTablePlan& plan, ChangeKind kind);
  absl::Status CheckOwner(const std::vector<std::string_view>& fields) const;
  absl::Status Note(const Change& change);

  absl::Status AddInsertion(const std::string& payload);
  absl::Status StartCopy();
  absl::Status EndCopy();
  // The error of a COPY or UPDATE: that its key is taken is a race with the application.
  absl::Status OfTakenKey(const absl::Status& status) const;

  absl::Status FlushDeletions(const std::vector<Pending>& rows);
  absl::Status FlushKeylessDeletions(const std::vector<Pending>& rows);
  absl::Status FlushReplacements();
  absl::Status Update(const std::vector<size_t>& changed, const std::vector<const Pending*>& rows);
  // Replacements that take a unique value from another row that is replaced.
  std::set<size_t> MovedValues() const;
  // Runs `sql`, which gives the number of a row and the row as it was, for each of `rows` once.
  absl::Status ExpectRows(std::string_view doing, const std::string& sql,
                          const std::vector<const Pending*>& rows);

  std::string TargetSql() const;
  std::string TouchableSql() const;
  absl::Status NotAsSaid() const;

  const Parts parts_;
  const TenantId tenant_;
  bool any_ = false;
  Target target_;
  ChangeKind kind_ = ChangeKind::kDelete;
  std::vector<Pending> pending_;
  size_t pending_bytes_ = 0;
  bool copying_ = false;
  int64_t copied_ = 0;
  std::string lines_;  // of the COPY, not yet sent
  // Rows whose replacement is a deletion now and an insertion once all others are done: lines.
  std::vector<std::string> reinserted_;
  std::vector<std::string_view> fields_;
  std::vector<std::string_view> old_fields_;
};

}  // namespace reinstate
