#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/restore/action_log.h"
#include "storage/base/error.h"
#include "storage/model/sum.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// A table of a plan and what it must hold once the plan is applied. Sums use the plan's hasher with
// `number`.
struct PlannedTable {
  std::string identity;
  std::string name;
  uint32_t number = 0;
  Sum live;      // as the transaction saw it while planning
  Sum expected;  // afterwards
  std::optional<Sum>
      at_point;  // of the snapshot; nullopt if it did not cover the table, and for undos
  std::string write_refusal = {};    // as MappedTable's
  std::string replace_refusal = {};  // as MappedTable's
  Reason refusal_reason = Reason::kUnsupported;
  bool may_be_obstructed = false;  // as MappedTable's
  bool is_all_key = false;         // as evidence.h says
};

// What a restore or an undo is about to do to one tenant, as of one transaction's view. Movable.
struct TenantPlan {
  TenantPlan(RecordHasher plan_hasher, const std::string& spill_folder, int64_t memory_bytes)
      : hasher(plan_hasher), actions(spill_folder, memory_bytes) {}

  RecordHasher hasher;
  std::vector<PlannedTable> tables;
  ActionLog actions;
  state::PlanSummary summary;

  int64_t expected_rows() const {
    int64_t rows = 0;
    for (const PlannedTable& table : tables) {
      rows += table.expected.rows;
    }
    return rows;
  }
};

}  // namespace reinstate
