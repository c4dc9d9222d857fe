#include "server/restore/plan_obstacles.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kBatchRows = 1000;
constexpr int64_t kBatchBytes = 1 << 20;
// How many rows that others of the tenant bar are kept in memory.
constexpr size_t kMostBarred = 20'000;

// A row of the tenant, among all tables of a plan.
std::string Place(uint32_t table, const std::string& key) { return absl::StrCat(table, " ", key); }

}  // namespace

bool PlanObstacles::Concerns(uint32_t table, ChangeKind kind) const {
  return kind != ChangeKind::kDelete && plan_->tables[table].may_be_obstructed;
}

absl::Status PlanObstacles::Find() {
  bool any = false;
  for (size_t i = 0; i < plan_->tables.size(); ++i) {
    const state::TableSummary& summary = plan_->summary.tables(static_cast<int>(i));
    any =
        any || (plan_->tables[i].may_be_obstructed && summary.inserted() + summary.replaced() > 0);
    moves_rows_.push_back(summary.replaced() + summary.deleted() > 0);
  }
  if (!any) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(plan_->actions.ForEach([this](const Action& action) { return Take(action); }));
  RETURN_IF_ERROR(AskBatch());
  return SettleBarred();
}

absl::Status PlanObstacles::Take(const Action& action) {
  if (!Concerns(action.table, action.kind)) {
    return absl::OkStatus();
  }
  batch_.push_back({.kind = action.kind,
                    .table = plan_->tables[action.table].identity,
                    .key = RowKey(action.key),
                    .old_payload = action.old_payload,
                    .new_payload = action.new_payload});
  batch_tables_.push_back(action.table);
  batch_bytes_ += static_cast<int64_t>(action.old_payload.size() + action.new_payload.size());
  return batch_.size() < kBatchRows && batch_bytes_ < kBatchBytes ? absl::OkStatus() : AskBatch();
}

absl::Status PlanObstacles::AskBatch() {
  if (batch_.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<Obstacle> obstacles, session_->FindObstacles(batch_));
  for (auto first = obstacles.begin(); first != obstacles.end();) {
    const size_t change = first->change;
    if (change >= batch_.size()) {
      return MakeError(Reason::kInternal, "the store named a row that it was not asked about");
    }
    const auto last = std::find_if(first, obstacles.end(), [change](const Obstacle& obstacle) {
      return obstacle.change != change;
    });
    TakeObstacles(batch_tables_[change], batch_[change], {first, last});
    first = last;
  }
  batch_.clear();
  batch_tables_.clear();
  batch_bytes_ = 0;
  return barred_.size() < kMostBarred ? absl::OkStatus() : SettleBarred();
}

// One that cannot move says enough of a row.
void PlanObstacles::TakeObstacles(uint32_t table, const Change& change,
                                  std::span<const Obstacle> obstacles) {
  for (const Obstacle& obstacle : obstacles) {
    if (obstacle.owner != KeyOwner::kThisTenant || !moves_rows_[table]) {
      Report({.table = table, .kind = change.kind, .key = change.key, .obstacle = obstacle});
      return;
    }
  }
  for (const Obstacle& obstacle : obstacles) {
    // Without a key it is not known which of the tenant's rows it is; the writing shows it.
    if (obstacle.key.has_value()) {
      barred_.push_back(
          {.table = table, .kind = change.kind, .key = change.key, .obstacle = obstacle});
    }
  }
}

absl::Status PlanObstacles::SettleBarred() {
  if (barred_.empty()) {
    return absl::OkStatus();
  }
  absl::flat_hash_set<std::string> in_the_way;
  for (const Barred& barred : barred_) {
    in_the_way.insert(Place(barred.table, barred.obstacle.key->bytes()));
  }
  RETURN_IF_ERROR(plan_->actions.ForEach([&](const Action& action) {
    if (action.kind != ChangeKind::kInsert && plan_->tables[action.table].may_be_obstructed) {
      in_the_way.erase(Place(action.table, action.key));
    }
    return absl::OkStatus();
  }));
  const Barred* reported = nullptr;
  for (const Barred& barred : barred_) {
    const bool stays = in_the_way.contains(Place(barred.table, barred.obstacle.key->bytes()));
    const bool is_new =
        reported == nullptr || reported->table != barred.table || reported->key != barred.key;
    if (stays && is_new) {
      Report(barred);
      reported = &barred;
    }
  }
  barred_.clear();
  return absl::OkStatus();
}

void PlanObstacles::Report(const Barred& barred) {
  writer_->SelectTable(barred.table);
  writer_->Obstructed(barred.kind, barred.key, barred.obstacle);
}

}  // namespace reinstate
