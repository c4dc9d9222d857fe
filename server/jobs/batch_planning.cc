#include "server/jobs/batch_planning.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_failure.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"

namespace reinstate {
namespace {

// Lines that are planned in one step.
constexpr size_t kPlansAStep = 64;

}  // namespace

std::vector<state::BatchLine> BatchPlanning::UnplannedLines(const std::string& id) const {
  const auto unplanned = [](const state::BatchLine& line) {
    return !line.has_problem() &&
           std::any_of(line.targets().begin(), line.targets().end(),
                       [](const auto& target) { return target.restore().empty(); });
  };
  std::vector<state::BatchLine> lines;
  desk_->shelf->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Line& line : board.lines()) {
      if (lines.size() < kPlansAStep && unplanned(line.record)) {
        lines.push_back(line.record);
      }
    }
  });
  return lines;
}

absl::Status BatchPlanning::PlanLine(const state::BatchRecord& batch, state::BatchLine* line) {
  for (int i = 0; i < line->targets_size() && !line->has_problem(); ++i) {
    if (!line->targets(i).restore().empty()) {
      continue;
    }
    // The same request after a crash finds the plan that was made before it.
    const RequestKey request{.id = absl::StrCat(batch.id(), "/", line->number(), "/", i),
                             .method = "PlanBatchLine",
                             .request_digest = batch.id()};
    const absl::StatusOr<state::PlanRecord> plan = desk_->restores->CreatePlan(
        request, BatchOrders::OrderOf(batch, static_cast<size_t>(i), *line));
    if (plan.ok()) {
      line->mutable_targets(i)->set_restore(plan->id());
    } else if (HasReason(plan.status(), Reason::kUnavailable)) {
      return plan.status();  // it says nothing of the line
    } else {
      *line->mutable_problem() = FailureOf(plan.status());
    }
  }
  return absl::OkStatus();
}

// Of some lines: the others are left to later steps. If the batch is cancelled meanwhile, so are
// the plans, which it has all the same: it ends once they have ended, and not before.
absl::StatusOr<bool> BatchPlanning::MakePlans(const std::string& id) {
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
  BatchParts parts;
  parts.lines = UnplannedLines(id);
  if (parts.lines.empty() || batch.state() != state::BATCH_PLANNING) {
    return false;
  }
  absl::Status made;
  for (state::BatchLine& line : parts.lines) {
    if (made.ok() && IsIn(*desk_, id, state::BATCH_PLANNING)) {
      made = PlanLine(batch, &line);
    }
  }
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord present, desk_->state->GetBatch(id));
  ASSIGN_OR_RETURN(
      const state::BatchRecord changed,
      desk_->state->UpdateBatch(
          id, [](state::BatchRecord*) { return absl::OkStatus(); }, parts, std::nullopt));
  desk_->shelf->Put(changed, parts.lines);
  // Some may have ended before their lines were known here.
  for (const std::string& plan : RestoresOf(parts.lines)) {
    const auto record = desk_->state->GetPlan(plan);
    if (record.ok() && record->state() != state::PLAN_QUEUED) {
      desk_->shelf->PlanEnded(*record);
    }
  }
  if (present.state() != state::BATCH_PLANNING) {
    desk_->restores->CancelPlans(RestoresOf(parts.lines));
    return false;
  }
  RETURN_IF_ERROR(made);
  return true;
}

// Gives each target the digest of its plan; returns that over all of them.
absl::StatusOr<std::string> BatchPlanning::AddDigests(BatchParts* parts) const {
  Digest digest;
  for (state::BatchLine& line : parts->lines) {
    if (line.has_problem()) {
      continue;
    }
    for (state::BatchLine::Target& target : *line.mutable_targets()) {
      ASSIGN_OR_RETURN(const state::PlanRecord plan, desk_->state->GetPlan(target.restore()));
      target.set_plan_digest(plan.summary().digest());
      digest.Add(target.store());
      digest.Add(target.tenant());
      digest.Add(target.plan_digest());
    }
  }
  return digest.Finish();
}

absl::Status BatchPlanning::End(const std::string& id) {
  MutexLock lock(desk_->changing);
  bool ended = false;
  BatchParts parts;
  desk_->shelf->With(id, [&](const state::BatchRecord& batch, const BatchBoard& board) {
    ended = batch.state() == state::BATCH_PLANNING && board.AllEnded();
    for (const BatchBoard::Line& line : board.lines()) {
      parts.lines.push_back(line.record);
      for (const BatchBoard::Target& target : line.targets) {
        if (target.state == state::FAILED) {
          *parts.lines.back().mutable_problem() = target.failure;
        }
      }
    }
  });
  if (!ended) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string digest, AddDigests(&parts));
  ASSIGN_OR_RETURN(const state::BatchRecord planned,
                   desk_->state->UpdateBatch(
                       id,
                       [&](state::BatchRecord* batch) {
                         if (batch->state() == state::BATCH_PLANNING) {
                           batch->set_state(state::BATCH_PLANNED);
                           batch->set_digest(digest);
                           batch->set_finished_us(absl::ToUnixMicros(desk_->clock->Now()));
                         }
                         return absl::OkStatus();
                       },
                       parts, std::nullopt));
  desk_->shelf->Put(planned, parts.lines);
  return absl::OkStatus();
}

}  // namespace reinstate
