#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/restore/tenant_plan.h"
#include "storage/live/tenant_session.h"
#include "storage/model/record.h"

namespace reinstate {

// Writes what a planner finds into a TenantPlan: actions, counts, samples, and the sums that must
// result. The one place that knows how they hang together. Borrows the plan. Not thread-safe.
class PlanWriter {
 public:
  explicit PlanWriter(TenantPlan* plan) : plan_(plan) {}

  // Begins the next table of the plan; the calls below are about it.
  void BeginTable(PlannedTable table, bool covered);

  // Goes back to the table with this index: the calls below are about it again.
  void SelectTable(size_t index) { current_ = index; }

  // A row that is live, whatever becomes of it. To be called for every live row, before what is
  // done to it.
  void CountLive(const Record& record);

  // A row of the point; its hash is in the table's at_point, which the history has compared it
  // with.
  void CountAtPoint();

  // After all rows of the table. SHORTFALL unless as many rows of the point were counted as its
  // at_point has.
  absl::Status CheckPointIsWhole();

  // What the plan does to a row. UNSUPPORTED or NOT_ALLOWED if the table has a refusal of that,
  // so that no plan looks fine whose restore must fail; errors of ActionLog::Append.
  absl::Status Insert(const Record& record);
  absl::Status Replace(const Record& live, const std::string& new_payload);
  absl::Status Delete(const Record& live);

  // What it leaves alone.
  void Unchanged();
  void Kept(const RowKey& key);
  // The key is that of a row of `owner`.
  void KeyTaken(const RowKey& key, KeyOwner owner);
  // An undo: the row is not the one that the restore left.
  void ChangedSince(const RowKey& key);

  // After all tables: something is in the way of a row that is to be inserted or replaced. The
  // action stays, but no plan with such rows is carried out.
  void Obstructed(ChangeKind kind, const RowKey& key, const Obstacle& obstacle);

  // Completes the summary: sums, totals, and the digest over the actions and `framing`, which says
  // what else must be equal for two plans to be the same.
  void Finish(const std::string& framing);

 private:
  PlannedTable& table() { return plan_->tables[current_]; }
  state::TableSummary& summary() {
    return *plan_->summary.mutable_tables(static_cast<int>(current_));
  }
  void AddSample(const RowKey& key, const std::string& action);
  // Counts a conflict; one of the first ones, to be filled in, else nullptr.
  state::Sample* CountConflict(const RowKey& key, const std::string& action);
  absl::Status Append(ChangeKind kind, const RowKey& key, const std::string& old_payload,
                      const std::string& new_payload);

  TenantPlan* const plan_;
  size_t current_ = 0;  // index of the table that the calls are about
  int64_t bytes_to_write_ = 0;
  int64_t obstructed_ = 0;  // rows
  Action action_;           // its memory is reused
};

}  // namespace reinstate
