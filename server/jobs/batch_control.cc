#include "server/jobs/batch_control.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/jobs/batch_audit.h"
#include "server/jobs/batch_draft.h"
#include "server/jobs/batch_retry.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

absl::Status Ended(const BatchDesk& desk, const state::BatchRecord& batch) {
  if (batch.state() == state::BATCH_CANCELLING) {
    return MakeError(Reason::kBatchEnded,
                     absl::StrCat("batch ", batch.id(), " is being cancelled"));
  }
  bool retry_helps = false;
  desk.shelf->With(batch.id(), [&](const state::BatchRecord&, const BatchBoard& board) {
    retry_helps = !batch.order().dry_run() &&
                  std::any_of(board.lines().begin(), board.lines().end(), IsRetried);
  });
  return MakeError(Reason::kBatchEnded,
                   absl::StrCat("batch ", batch.id(), " has ended",
                                retry_helps ? absl::StrCat("; `reinstate batch retry ", batch.id(),
                                                           "` tries again what failed")
                                            : ""));
}

absl::Status NotOfDryRun(const state::BatchRecord& batch) {
  return MakeError(
      Reason::kInvalidArgument,
      absl::StrCat("batch ", batch.id(),
                   batch.order().dry_run() ? " is a dry run: it restores nothing"
                                           : " is an undo: no lines can be added to it"));
}

// BATCH_ENDED while the batch is being undone: `what` is to be done only once that has ended.
absl::Status CheckNotBeingUndone(const BatchDesk& desk, const std::string& id, const char* what) {
  ASSIGN_OR_RETURN(const auto undo, UndoUnderWay(desk, id));
  return undo.has_value() ? MakeError(Reason::kBatchEnded,
                                      absl::StrCat("batch ", id, " is being undone by ", *undo,
                                                   "; ", what, " it once that has ended"))
                          : absl::OkStatus();
}

}  // namespace

absl::StatusOr<state::BatchRecord> BatchControl::Move(const std::string& id, const Step& step,
                                                      const AuditDraft& audit) {
  ASSIGN_OR_RETURN(const state::BatchRecord present, desk_->state->GetBatch(id));
  if (!step.from.contains(present.state())) {
    return present;
  }
  const auto change = [&](state::BatchRecord* batch) {
    batch->set_state(step.to);
    batch->set_state_message(step.message);
    if (step.to == state::BATCH_CANCELLING) {
      *batch->mutable_cancelled_by() = audit.actor();
      batch->set_cancel_reason(step.reason);
    }
    if (step.accept_shrinking) {
      batch->mutable_order()->set_accept_shrinking(true);
    }
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const state::BatchRecord moved,
                   desk_->state->UpdateBatch(id, change, {}, audit));
  desk_->shelf->Put(moved, {});
  return moved;
}

absl::StatusOr<BatchView> BatchControl::Pause(const std::string& id, const state::Actor& actor,
                                              const std::string& reason) {
  RETURN_IF_ERROR(desk_->shelf->Load(id));
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord present, desk_->state->GetBatch(id));
  if (present.state() == state::BATCH_PLANNING) {
    return NotOfDryRun(present);
  }
  ASSIGN_OR_RETURN(
      const state::BatchRecord batch,
      Move(id,
           {.from = {state::BATCH_RUNNING, state::BATCH_CHECKING, state::BATCH_WAITING_FOR_CONSENT},
            .to = state::BATCH_PAUSED,
            .message = absl::StrCat("paused by ", actor.name()),
            .reason = reason},
           BatchAudit(present, "batch.paused", actor, reason, 0)));
  if (batch.state() != state::BATCH_PAUSED) {
    return Ended(*desk_, batch);
  }
  desk_->restores->Hold(desk_->shelf->Unfinished(id));
  desk_->wake(id);
  return desk_->shelf->View(id);
}

// Whether its tenants still lose rows is looked at before the first restore, also if a pause came
// in between; only of a batch that waits for consent does a resume give it.
BatchControl::Step BatchControl::StepToResume(const state::BatchRecord& batch,
                                              const std::string& reason) const {
  bool begun = false;
  desk_->shelf->With(batch.id(), [&](const state::BatchRecord&, const BatchBoard& board) {
    begun = board.started_us() != 0;
  });
  const bool consent = batch.state() == state::BATCH_WAITING_FOR_CONSENT;
  return {.from = {state::BATCH_PAUSED, state::BATCH_WAITING_FOR_CONSENT},
          .to = begun || consent ? state::BATCH_RUNNING : FirstState(*desk_, batch.order()),
          .message = "",
          .reason = reason,
          .accept_shrinking = consent};
}

absl::StatusOr<BatchView> BatchControl::Resume(const std::string& id, const state::Actor& actor,
                                               const std::string& reason) {
  RETURN_IF_ERROR(desk_->shelf->Load(id));
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord present, desk_->state->GetBatch(id));
  ASSIGN_OR_RETURN(const state::BatchRecord batch,
                   Move(id, StepToResume(present, reason),
                        BatchAudit(present, "batch.resumed", actor, reason, 0)));
  if (HasEnded(batch.state()) || batch.state() == state::BATCH_CANCELLING) {
    return Ended(*desk_, batch);
  }
  if (batch.state() == state::BATCH_RUNNING) {
    desk_->restores->Release(desk_->shelf->Runnable(id));
  }
  desk_->wake(id);
  return desk_->shelf->View(id);
}

absl::StatusOr<BatchView> BatchControl::Cancel(const std::string& id, const state::Actor& actor,
                                               const std::string& reason) {
  RETURN_IF_ERROR(desk_->shelf->Load(id));
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord present, desk_->state->GetBatch(id));
  ASSIGN_OR_RETURN(
      const state::BatchRecord batch,
      Move(id,
           {.from = {state::BATCH_PENDING_APPROVAL, state::BATCH_PLANNING, state::BATCH_CHECKING,
                     state::BATCH_WAITING_FOR_CONSENT, state::BATCH_RUNNING, state::BATCH_PAUSED},
            .to = state::BATCH_CANCELLING,
            .message = absl::StrCat("cancelled by ", actor.name()),
            .reason = reason},
           BatchAudit(present, "batch.cancelled", actor, reason, 0)));
  if (batch.state() == state::BATCH_CANCELLING) {
    desk_->restores->Hold(desk_->shelf->Unfinished(id));
    desk_->wake(id);
    if (batch.order().dry_run()) {
      RETURN_IF_ERROR(CancelPlansOf(*desk_, [&](const std::string& of) { return of == id; }));
    }
  }
  return desk_->shelf->View(id);
}

absl::StatusOr<BatchView> BatchControl::Extend(const std::string& id, BatchParts parts,
                                               const AuditDraft& audit) {
  ASSIGN_OR_RETURN(const state::BatchRecord before, desk_->state->GetBatch(id));
  const bool runs = HasEnded(before.state()) || before.state() == state::BATCH_RUNNING;
  const auto created =
      desk_->restores->CreateAll(&parts.restores, /*hold=*/true, [&]() -> absl::StatusOr<Created> {
        ASSIGN_OR_RETURN(const state::BatchRecord batch,
                         desk_->state->UpdateBatch(
                             id,
                             [&](state::BatchRecord* record) {
                               if (HasEnded(record->state())) {
                                 record->set_state(state::BATCH_RUNNING);
                                 record->clear_state_message();
                                 record->clear_finished_us();
                               }
                               for (const state::BatchLine& line : parts.lines) {
                                 record->set_lines(std::max(record->lines(), line.number() + 1));
                               }
                               return absl::OkStatus();
                             },
                             parts, audit));
        desk_->shelf->Put(batch, parts.lines);
        return Created{id, false};
      });
  RETURN_IF_ERROR(created.status());
  if (runs) {
    desk_->restores->Release(desk_->shelf->Runnable(id));
  }
  desk_->wake(id);
  return desk_->shelf->View(id);
}

absl::StatusOr<BatchView> BatchControl::Retry(const std::string& id, const state::Actor& actor,
                                              const std::string& reason) {
  RETURN_IF_ERROR(desk_->shelf->Load(id));
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
  if (batch.order().dry_run()) {
    return NotOfDryRun(batch);
  }
  // A line that is retried in one store while it is undone in another would be neither.
  RETURN_IF_ERROR(CheckNotBeingUndone(*desk_, id, "retry"));
  std::vector<BatchBoard::Line> retried;
  desk_->shelf->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    std::copy_if(board.lines().begin(), board.lines().end(), std::back_inserter(retried),
                 IsRetried);
  });
  if (retried.empty()) {
    return desk_->shelf->View(id);
  }
  BatchParts parts;
  for (const BatchBoard::Line& line : retried) {
    RETURN_IF_ERROR(AddRetry(*desk_, line, &parts));
  }
  // Durable one by one, before the batch runs again: what a crash leaves of this is run by the next
  // start, and ends the batch as it then is.
  for (const BatchBoard::Line& line : retried) {
    for (const std::string& restore : FailedHooksOf(line)) {
      RETURN_IF_ERROR(desk_->restores->RunFailedHooksAgain(restore).status());
    }
  }
  const AuditDraft audit = BatchAudit(batch, "batch.retried", actor, reason, retried.size());
  return Extend(id, std::move(parts), audit);
}

absl::StatusOr<BatchView> BatchControl::Add(const std::string& id,
                                            const std::vector<BatchLineOrder>& lines,
                                            BatchManager::AddOptions options,
                                            const state::Actor& actor, const std::string& reason) {
  RETURN_IF_ERROR(desk_->shelf->Load(id));
  while (true) {
    ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
    if (batch.order().dry_run() || !batch.order().undo_of().empty()) {
      return NotOfDryRun(batch);
    }
    RETURN_IF_ERROR(CheckNotBeingUndone(*desk_, id, "add to"));
    ASSIGN_OR_RETURN(const auto present, desk_->state->BatchLines(id));
    ASSIGN_OR_RETURN(BatchParts parts, desk_->orders->Check(batch, present, lines));
    if (options.validate_only) {
      return DraftView(batch, parts);
    }
    RETURN_IF_ERROR(CheckInvalid(parts, options.skip_invalid));
    if (FirstState(*desk_, batch.order()) == state::BATCH_CHECKING) {
      for (state::BatchLine& line : parts.lines) {
        line.set_look_first(true);
      }
    }
    const AuditDraft audit = BatchAudit(batch, "batch.extended", actor, reason, parts.lines.size());
    MutexLock lock(desk_->changing);
    RETURN_IF_ERROR(CheckNotBeingUndone(*desk_, id, "add to"));
    ASSIGN_OR_RETURN(const state::BatchRecord now, desk_->state->GetBatch(id));
    if (static_cast<size_t>(now.lines()) == present.size()) {
      return Extend(id, std::move(parts), audit);
    }
    // Somebody else has added lines meanwhile, maybe the same.
  }
}

absl::StatusOr<BatchView> BatchControl::Prioritize(const std::string& id,
                                                   const std::vector<std::string>& tenants,
                                                   int32_t priority, const state::Actor& actor,
                                                   const std::string& reason) {
  RETURN_IF_ERROR(desk_->shelf->Load(id));
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord before, desk_->state->GetBatch(id));
  if (before.order().dry_run()) {
    return NotOfDryRun(before);
  }
  if (HasEnded(before.state()) || before.state() == state::BATCH_CANCELLING) {
    return Ended(*desk_, before);
  }
  std::set<std::string> left(tenants.begin(), tenants.end());
  BatchParts parts;
  desk_->shelf->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Line& line : board.lines()) {
      const bool named = left.erase(line.record.tenant()) > 0;
      if ((named || tenants.empty()) && !HasEnded(line.state)) {
        parts.lines.push_back(line.record);
        parts.lines.back().set_priority(priority);
      }
    }
  });
  if (!left.empty()) {
    return MakeError(Reason::kTenantNotFound,
                     absl::StrCat("tenant ", Printable(*left.begin()), " is not in batch ", id));
  }
  ASSIGN_OR_RETURN(
      const state::BatchRecord batch,
      desk_->state->UpdateBatch(
          id, [](state::BatchRecord*) { return absl::OkStatus(); }, parts,
          BatchAudit(before, "batch.prioritized", actor,
                     absl::StrCat("priority ", priority, " ", reason), parts.lines.size())));
  desk_->shelf->Put(batch, parts.lines);
  for (const std::string& restore : RestoresOf(parts.lines)) {
    RETURN_IF_ERROR(desk_->restores->SetPriority(restore, priority));
  }
  return desk_->shelf->View(id);
}

}  // namespace reinstate
