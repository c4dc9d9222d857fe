#include "server/jobs/batch_course.h"

#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/jobs/blocked_lines.h"
#include "server/jobs/job_failure.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct BatchEnd {
  state::BatchState state;
  std::string message;
};

// In which stores some customers have no data; empty if all have some in all of them.
std::string AbsencesText(const BatchBoard& board) {
  std::vector<std::string> stores;
  for (const auto& [store, lines] : board.absences()) {
    stores.push_back(absl::StrCat(lines, " in store ", store));
  }
  return stores.empty() ? ""
                        : absl::StrCat("not all customers have data in all stores at the point: ",
                                       absl::StrJoin(stores, ", "),
                                       " had none, and nothing was restored there for them");
}

// What somebody should know of a batch that has ended; `cancelled` says by whom it was, if so.
std::string MessageOf(const BatchBoard& board, const std::string& cancelled) {
  if (const int64_t doubts = board.Count(BatchLineState::kInDoubt); doubts > 0) {
    return absl::StrCat(doubts, doubts == 1 ? " restore is" : " restores are",
                        " in doubt: look at the tenants, then `reinstate restore resolve`");
  }
  const int64_t undone = board.Count(BatchLineState::kUndone);
  if (undone > 0 && cancelled.empty()) {
    return absl::StrCat(undone, " of its customers ",
                        undone == 1 ? "was undone since; a new batch restores it again"
                                    : "were undone since; a new batch restores them again");
  }
  return cancelled.empty() ? AbsencesText(board) : cancelled;
}

// How the batch ends with what has become of its lines; nothing if it goes on.
std::optional<BatchEnd> EndOf(const state::BatchRecord& batch, const BatchBoard& board) {
  const bool cancelled =
      batch.state() == state::BATCH_CANCELLING || batch.state() == state::BATCH_CANCELLED;
  if (!board.AllEnded()) {
    return std::nullopt;
  }
  if (cancelled) {
    return BatchEnd{state::BATCH_CANCELLED,
                    MessageOf(board, absl::StrCat("cancelled by ", batch.cancelled_by().name()))};
  }
  const bool all =
      board.Count(BatchLineState::kSucceeded) == static_cast<int64_t>(board.lines().size());
  return BatchEnd{all ? state::BATCH_SUCCEEDED : state::BATCH_PARTLY_FAILED, MessageOf(board, "")};
}

}  // namespace

BatchCourse::Due BatchCourse::DueLines(const std::string& id) const {
  Due due;
  desk_->shelf->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Place place : board.Due()) {
      due.emplace_back(board.lines()[place.line].record, place.target);
    }
  });
  return due;
}

// Gives lines that are due their restores, as long as the batch runs. With an error if a store says
// nothing of a line, which is left as it is then, with those after it.
absl::Status BatchCourse::CheckDue(const state::BatchRecord& batch,
                                   std::vector<Begun>* begun) const {
  for (auto& [line, target] : DueLines(batch.id())) {
    if (!IsIn(*desk_, batch.id(), state::BATCH_RUNNING)) {
      return absl::OkStatus();
    }
    Begun next{.before = line, .target = target, .after = line, .restores = {}};
    absl::Status checked = desk_->orders->Begin(batch, target, &next.after, &next.restores);
    if (HasReason(checked, Reason::kUnavailable)) {
      return checked;
    }
    if (!checked.ok()) {
      *next.after.mutable_problem() = FailureOf(checked);
    }
    begun->push_back(std::move(next));
  }
  return absl::OkStatus();
}

absl::Status BatchCourse::BeginDue(const std::string& id) {
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
  if (batch.state() != state::BATCH_RUNNING) {
    return absl::OkStatus();  // it was paused or cancelled meanwhile
  }
  std::vector<Begun> begun;
  absl::Status checked = CheckDue(batch, &begun);
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord present, desk_->state->GetBatch(id));
  if (present.state() != state::BATCH_RUNNING) {
    return absl::OkStatus();
  }
  std::map<std::pair<int32_t, size_t>, std::string> due;
  for (const auto& [line, target] : DueLines(id)) {
    due[{line.number(), target}] = line.SerializeAsString();
  }
  BatchParts parts;
  for (Begun& next : begun) {
    const auto still = due.find({next.before.number(), next.target});
    if (still == due.end() || still->second != next.before.SerializeAsString()) {
      desk_->wake(id);  // somebody has changed it meanwhile: look again
      continue;
    }
    std::move(next.restores.begin(), next.restores.end(), std::back_inserter(parts.restores));
    parts.lines.push_back(std::move(next.after));
  }
  RETURN_IF_ERROR(Begin(id, std::move(parts)));
  return checked;
}

absl::Status BatchCourse::Begin(const std::string& id, BatchParts parts) {
  if (parts.lines.empty()) {
    return absl::OkStatus();
  }
  const auto store = [&]() -> absl::StatusOr<Created> {
    ASSIGN_OR_RETURN(
        const state::BatchRecord changed,
        desk_->state->UpdateBatch(
            id, [](state::BatchRecord*) { return absl::OkStatus(); }, parts, std::nullopt));
    desk_->shelf->Put(changed, parts.lines);
    return Created{id, false};
  };
  return desk_->restores->CreateAll(&parts.restores, /*hold=*/false, store).status();
}

absl::Status BatchCourse::RunBlocked(const std::string& id) {
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
  if (batch.state() != state::BATCH_RUNNING) {
    return absl::OkStatus();  // it was paused or cancelled meanwhile
  }
  BlockedLines blocked;
  desk_->shelf->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    blocked = FindBlockedLines(board);
  });
  for (const std::string& restore : blocked.again) {
    RETURN_IF_ERROR(desk_->restores->RunAgain(restore));
  }
  for (const auto& [restore, failure] : blocked.stuck) {
    RETURN_IF_ERROR(desk_->restores->GiveUp(restore, failure));
  }
  return absl::OkStatus();
}

absl::Status BatchCourse::CancelRest(const state::BatchRecord& batch) {
  desk_->restores->CancelPlans(desk_->shelf->UnfinishedPlans(batch.id()));
  const std::vector<std::string> restores = desk_->shelf->Unfinished(batch.id());
  for (const std::string& restore : restores) {
    const auto cancelled =
        desk_->restores->CancelWithBatch(restore, batch.cancelled_by(), batch.cancel_reason());
    // What commits, or has ended meanwhile, is told of when it has.
    if (!cancelled.ok() && !HasReason(cancelled.status(), Reason::kNotCancellable)) {
      return cancelled.status();
    }
  }
  desk_->restores->Release(restores);  // so that what was rolled back ends as cancelled
  return absl::OkStatus();
}

absl::Status BatchCourse::LeaveDue(const std::string& id) {
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
  const bool cancelled =
      batch.state() == state::BATCH_CANCELLING || batch.state() == state::BATCH_CANCELLED;
  if (!cancelled) {
    return absl::OkStatus();
  }
  BatchParts parts;
  for (auto& [line, target] : DueLines(id)) {
    *line.mutable_problem() = FailureOf(
        MakeError(Reason::kCancelled,
                  absl::StrCat("the batch was cancelled before its ",
                               batch.order().dry_run() ? "plan" : "restore", " in store ",
                               line.targets(static_cast<int>(target)).store(), " was begun")));
    line.mutable_problem()->set_retryable(!batch.order().dry_run());
    parts.lines.push_back(std::move(line));
  }
  if (parts.lines.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(
      const state::BatchRecord changed,
      desk_->state->UpdateBatch(
          id, [](state::BatchRecord*) { return absl::OkStatus(); }, parts, std::nullopt));
  desk_->shelf->Put(changed, parts.lines);
  return absl::OkStatus();
}

absl::Status BatchCourse::GoOnIfDue(const state::BatchRecord& batch) {
  {
    MutexLock lock(desk_->changing);
    if (batch.order().dry_run() || DueLines(batch.id()).empty()) {
      return absl::OkStatus();
    }
    // What is undone is not restored in further stores meanwhile; the end of the undo wakes it.
    ASSIGN_OR_RETURN(const auto undo, UndoUnderWay(*desk_, batch.id()));
    if (undo.has_value()) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(ChangeBatchState(*desk_, batch.id(), batch.state(), state::BATCH_RUNNING, ""));
  }
  return BeginDue(batch.id());
}

absl::Status BatchCourse::EndIfDone(const std::string& id) {
  MutexLock lock(desk_->changing);
  state::BatchRecord present;
  std::optional<BatchEnd> end;
  desk_->shelf->With(id, [&](const state::BatchRecord& batch, const BatchBoard& board) {
    present = batch;
    end = EndOf(batch, board);
  });
  if (!end.has_value() ||
      (end->state == present.state() && end->message == present.state_message())) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(ChangeBatchState(*desk_, id, present.state(), end->state, end->message));
  if (const std::string& undone = present.order().undo_of(); !undone.empty()) {
    desk_->wake(undone);
  }
  return absl::OkStatus();
}

}  // namespace reinstate
