#include "server/restore/undo_planner.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/restore/evidence.h"
#include "server/restore/plan_obstacles.h"
#include "server/restore/plan_writer.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kLookUpRows = 500;

// What the live store has under the key of an undo row.
struct UndoneRow {
  const state::UndoChunk::Row* undo = nullptr;
  const KeyState* live = nullptr;
};

bool IsGone(const UndoneRow& row) {
  return row.live->owner == KeyOwner::kNobody && !row.live->payload.has_value();
}

bool IsAsBefore(const UndoneRow& row) {
  if (IsGone(row)) {
    return !row.undo->had_row();
  }
  return row.live->owner == KeyOwner::kThisTenant && row.undo->had_row() &&
         *row.live->payload == row.undo->old_payload();
}

bool IsAsLeft(const UndoneRow& row) {
  if (row.undo->left_hash().empty()) {
    return IsGone(row);
  }
  return row.live->owner == KeyOwner::kThisTenant &&
         RowHash(row.undo->key(), *row.live->payload) == row.undo->left_hash();
}

// Turns undo rows into a plan. Rows come by kind, table and key, so that each table comes up to
// three times; actions of one kind stay in their order.
class UndoRun {
 public:
  UndoRun(TenantSession* session, ProgressMeter* meter, TenantPlan* plan)
      : session_(session), meter_(meter), plan_(plan) {}

  // Takes down every owned table as it is: an undo must leave all else as it was.
  absl::Status CountLive(const TenantMap& map, PlanWriter* writer) {
    Record record;
    for (const MappedTable& table : map.tables) {
      if (table.relation != Relation::kOwned) {
        continue;
      }
      table_index_[table.schema.identity] = plan_->tables.size();
      writer->BeginTable({.identity = table.schema.identity,
                          .name = table.schema.name,
                          .write_refusal = table.write_refusal,
                          .replace_refusal = table.replace_refusal,
                          .refusal_reason = table.refusal_reason,
                          .may_be_obstructed = table.may_be_obstructed,
                          .is_all_key = IsAllKey(table.schema)},
                         /*covered=*/true);
      ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> live,
                       session_->ReadTableUnordered(table.schema.identity));
      while (true) {
        ASSIGN_OR_RETURN(const bool more, live->Next(&record));
        if (!more) {
          break;
        }
        writer->CountLive(record);
        RETURN_IF_ERROR(meter_->Tick(RecordBytes(record)));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddChunk(const state::UndoChunk& chunk, PlanWriter* writer) {
    int next = 0;
    while (next < chunk.rows_size()) {
      const int first = next;
      while (next < chunk.rows_size() && chunk.rows(next).table() == chunk.rows(first).table() &&
             static_cast<size_t>(next - first) < kLookUpRows) {
        ++next;
      }
      RETURN_IF_ERROR(AddRows(chunk, first, next, writer));
    }
    return absl::OkStatus();
  }

 private:
  // Rows [first, last) are of one table.
  absl::Status AddRows(const state::UndoChunk& chunk, int first, int last, PlanWriter* writer) {
    const std::string& table = chunk.rows(first).table();
    const auto index = table_index_.find(table);
    if (index == table_index_.end()) {
      return MakeError(Reason::kTableNotFound, absl::StrCat("the restore changed a table (", table,
                                                            ") that the live store no longer has"));
    }
    std::vector<RowKey> keys;
    for (int i = first; i < last; ++i) {
      keys.emplace_back(chunk.rows(i).key());
    }
    ASSIGN_OR_RETURN(const std::vector<KeyState> states, session_->LookUp(table, keys));
    if (states.size() != keys.size()) {
      return MakeError(Reason::kInternal,
                       "the store answered for another number of keys than it was asked");
    }
    writer->SelectTable(index->second);
    for (int i = first; i < last; ++i) {
      RETURN_IF_ERROR(
          WithContext(AddRow({.undo = &chunk.rows(i), .live = &states[i - first]}, writer),
                      absl::StrCat("table ", plan_->tables[index->second].name)));
    }
    return absl::OkStatus();
  }

  static absl::Status AddRow(const UndoneRow& row, PlanWriter* writer) {
    const RowKey key(row.undo->key());
    if (IsAsBefore(row)) {
      writer->Unchanged();
      return absl::OkStatus();
    }
    if (!IsAsLeft(row)) {
      writer->ChangedSince(key);
      return absl::OkStatus();
    }
    if (IsGone(row)) {
      return writer->Insert({.key = key, .payload = row.undo->old_payload()});
    }
    const Record live{.key = key, .payload = *row.live->payload};
    return row.undo->had_row() ? writer->Replace(live, row.undo->old_payload())
                               : writer->Delete(live);
  }

  TenantSession* const session_;
  ProgressMeter* const meter_;
  TenantPlan* const plan_;
  std::map<std::string, size_t> table_index_;
};

}  // namespace

absl::StatusOr<TenantPlan> UndoPlanner::Plan(const state::RestoreRecord& undone,
                                             const StateStore& state, LiveStore* store,
                                             TenantSession* session, ProgressMeter* meter) const {
  ASSIGN_OR_RETURN(const TenantId tenant, TenantId::Parse(undone.order().tenant()));
  ASSIGN_OR_RETURN(const SizeEstimate size, store->EstimateTenant(tenant));
  ASSIGN_OR_RETURN(const TenantMap map, CatalogOf(store, session));
  meter->SetTotals(size.rows, size.bytes);
  meter->BeginPass(state::PLANNING, size.rows, size.bytes);
  TenantPlan plan(RecordHasher(0), spill_folder_, memory_bytes_);
  PlanWriter writer(&plan);
  UndoRun run(session, meter, &plan);
  RETURN_IF_ERROR(run.CountLive(map, &writer));
  RETURN_IF_ERROR(state.ReadUndo(
      undone.id(), [&](const state::UndoChunk& chunk) { return run.AddChunk(chunk, &writer); }));
  RETURN_IF_ERROR(PlanObstacles(&plan, session, &writer).Find());
  writer.Finish(absl::StrCat("undo of ", undone.id()));
  return plan;
}

}  // namespace reinstate
