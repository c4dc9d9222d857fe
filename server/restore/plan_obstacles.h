#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "server/restore/plan_writer.h"
#include "server/restore/tenant_plan.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// Looks, once all actions of a plan are known, for what is in the way of its rows beside their
// keys: unique values that other rows have, partitions that are not there. Rows of the tenant that
// the plan itself takes away or replaces are in nobody's way.
//
// Asks the session only about tables that may be obstructed; reads the actions once more if there
// are such, and again if rows of the tenant were found. Not thread-safe; used once.
class PlanObstacles {
 public:
  // Borrows everything. Of `plan` everything is written but what PlanWriter::Finish adds.
  PlanObstacles(TenantPlan* plan, TenantSession* session, PlanWriter* writer)
      : plan_(plan), session_(session), writer_(writer) {}

  // Has the conflicts written. Errors of the session and of the action log.
  absl::Status Find();

 private:
  // A row whose way is barred by another row of the tenant, unless the plan moves that one.
  struct Barred {
    uint32_t table = 0;
    ChangeKind kind = ChangeKind::kInsert;
    RowKey key;
    Obstacle obstacle;
  };

  bool Concerns(uint32_t table, ChangeKind kind) const;
  absl::Status Take(const Action& action);
  absl::Status AskBatch();
  // Takes up what is in the way of one row, and has that written that the plan cannot move.
  void TakeObstacles(uint32_t table, const Change& change, std::span<const Obstacle> obstacles);
  // Has what is still barred written, since the plan moves nothing of that.
  absl::Status SettleBarred();
  void Report(const Barred& barred);

  TenantPlan* const plan_;
  TenantSession* const session_;
  PlanWriter* const writer_;
  std::vector<bool> moves_rows_;  // of each table: whether the plan replaces or deletes any
  std::vector<Change> batch_;
  std::vector<uint32_t> batch_tables_;  // theirs
  int64_t batch_bytes_ = 0;
  std::vector<Barred> barred_;
};

}  // namespace reinstate
