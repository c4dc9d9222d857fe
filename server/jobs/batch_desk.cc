#include "server/jobs/batch_desk.h"

#include <optional>

#include "absl/time/time.h"
#include "storage/base/status_macros.h"

namespace reinstate {

state::BatchState FirstState(const BatchDesk& desk, const state::BatchOrder& order) {
  if (order.dry_run()) {
    return state::BATCH_PLANNING;
  }
  const bool look = order.undo_of().empty() && !order.accept_shrinking() &&
                    desk.shrink_watch > absl::ZeroDuration();
  return look ? state::BATCH_CHECKING : state::BATCH_RUNNING;
}

bool IsIn(const BatchDesk& desk, const std::string& batch, state::BatchState state) {
  bool is_in = false;
  desk.shelf->With(batch, [&](const state::BatchRecord& record, const BatchBoard&) {
    is_in = record.state() == state;
  });
  return is_in;
}

std::vector<std::string> RestoresOf(const std::vector<state::BatchLine>& lines) {
  std::vector<std::string> restores;
  for (const state::BatchLine& line : lines) {
    for (const state::BatchLine::Target& target : line.targets()) {
      if (!target.restore().empty()) {
        restores.push_back(target.restore());
      }
    }
  }
  return restores;
}

absl::StatusOr<std::optional<std::string>> UndoUnderWay(const BatchDesk& desk,
                                                        const std::string& batch) {
  ASSIGN_OR_RETURN(const auto unfinished, desk.state->UnfinishedBatches());
  for (const state::BatchRecord& undo : unfinished) {
    if (undo.order().undo_of() == batch) {
      return undo.id();
    }
  }
  return std::nullopt;
}

absl::Status CancelPlansOf(const BatchDesk& desk,
                           const std::function<bool(const std::string& batch)>& is_so) {
  ASSIGN_OR_RETURN(const auto unfinished, desk.state->UnfinishedPlans());
  std::vector<std::string> plans;
  for (const state::PlanRecord& plan : unfinished) {
    if (!plan.order().batch().empty() && is_so(plan.order().batch())) {
      plans.push_back(plan.id());
    }
  }
  desk.restores->CancelPlans(plans);
  return absl::OkStatus();
}

absl::Status ChangeBatchState(const BatchDesk& desk, const std::string& id, state::BatchState from,
                              state::BatchState to, const std::string& message) {
  ASSIGN_OR_RETURN(const state::BatchRecord changed,
                   desk.state->UpdateBatch(
                       id,
                       [&](state::BatchRecord* batch) {
                         if (batch->state() != from) {
                           return absl::OkStatus();  // somebody was quicker
                         }
                         batch->set_state(to);
                         batch->set_state_message(message);
                         if (!HasEnded(to)) {
                           batch->clear_finished_us();
                         } else if (!HasEnded(from)) {
                           batch->set_finished_us(absl::ToUnixMicros(desk.clock->Now()));
                         }
                         return absl::OkStatus();
                       },
                       {}, std::nullopt));
  desk.shelf->Put(changed, {});
  return absl::OkStatus();
}

}  // namespace reinstate
