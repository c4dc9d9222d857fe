#include "server/jobs/batch_stepper.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/jobs/batch_manager.h"
#include "server/jobs/job_failure.h"
#include "spdlog/spdlog.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"

namespace reinstate {
namespace {

// After a step that failed, as the state or a store did not answer.
constexpr absl::Duration kRetry = absl::Seconds(1);
// Lines of a dry run that are planned in one step.
constexpr size_t kPlansAStep = 64;
// How long the thread sleeps at most: the clock may be set.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

}  // namespace

BatchStepper::BatchStepper(const BatchStepperOptions& options, StoreRegistry* stores,
                           StateStore* state, RestoreManager* restores, const BatchOrders* orders,
                           BatchShelf* shelf, Mutex* changing)
    : options_(options),
      stores_(stores),
      state_(state),
      restores_(restores),
      orders_(orders),
      shelf_(shelf),
      changing_(changing) {}

BatchStepper::~BatchStepper() { Stop(); }

// --- The thread ---

void BatchStepper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void BatchStepper::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

void BatchStepper::Wake(const std::string& batch) { WakeAt(batch, absl::InfinitePast()); }

void BatchStepper::WakeAt(const std::string& batch, absl::Time time) {
  MutexLock lock(&mu_);
  const auto [entry, added] = due_.emplace(batch, time);
  if (!added) {
    entry->second = std::min(entry->second, time);
  }
  changed_.SignalAll();
}

void BatchStepper::Run() {
  while (true) {
    std::string id;
    {
      MutexLock lock(&mu_);
      while (!stopping_ && id.empty()) {
        const absl::Time now = options_.clock->Now();
        const auto next =
            std::min_element(due_.begin(), due_.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; });
        if (next == due_.end()) {
          changed_.Wait(&mu_);
        } else if (next->second <= now) {
          id = next->first;
          due_.erase(next);
        } else {
          changed_.WaitFor(&mu_, std::min(next->second - now, kLongestSleep));
        }
      }
      if (stopping_) {
        return;
      }
    }
    if (const absl::Status status = Step(id); !status.ok()) {
      spdlog::warn("batch held up batch={} reason={}: {}", id, ReasonOf(status),
                   std::string(status.message()));
      WakeAt(id, options_.clock->Now() + kRetry);
    }
  }
}

absl::Status BatchStepper::Step(const std::string& id) {
  RETURN_IF_ERROR(shelf_->Load(id));
  ASSIGN_OR_RETURN(const state::BatchRecord batch, state_->GetBatch(id));
  switch (batch.state()) {
    case state::BATCH_PLANNING:
      RETURN_IF_ERROR(MakePlans(id));
      return EndPlanning(id);
    case state::BATCH_CHECKING:
      return LookForShrinking(id);
    case state::BATCH_RUNNING:
      RETURN_IF_ERROR(BeginDue(id));
      return EndIfDone(id);
    case state::BATCH_CANCELLING:
      RETURN_IF_ERROR(CancelRest(batch));
      RETURN_IF_ERROR(LeaveDue(id));
      return EndIfDone(id);
    case state::BATCH_PAUSED:
      return EndIfDone(id);  // what commits ends also in a pause
    // A doubt may be resolved, a restore undone.
    case state::BATCH_SUCCEEDED:
    case state::BATCH_PARTLY_FAILED:
      RETURN_IF_ERROR(GoOnIfDue(batch));
      return EndIfDone(id);
    case state::BATCH_CANCELLED:
      RETURN_IF_ERROR(LeaveDue(id));
      return EndIfDone(id);
    default:
      return absl::OkStatus();
  }
}

absl::Status BatchStepper::Change(const std::string& id, state::BatchState from,
                                  state::BatchState to, const std::string& message) {
  ASSIGN_OR_RETURN(const state::BatchRecord changed,
                   state_->UpdateBatch(
                       id,
                       [&](state::BatchRecord* batch) {
                         if (batch->state() != from) {
                           return absl::OkStatus();  // somebody was quicker
                         }
                         batch->set_state(to);
                         batch->set_state_message(message);
                         batch->clear_finished_us();
                         if (HasEnded(to)) {
                           batch->set_finished_us(absl::ToUnixMicros(options_.clock->Now()));
                         }
                         return absl::OkStatus();
                       },
                       {}, std::nullopt));
  shelf_->Put(changed, {});
  return absl::OkStatus();
}

std::vector<state::BatchLine> BatchStepper::LinesOf(const std::string& id) const {
  std::vector<state::BatchLine> lines;
  shelf_->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Line& line : board.lines()) {
      lines.push_back(line.record);
    }
  });
  return lines;
}

// --- A dry run ---

std::vector<state::BatchLine> BatchStepper::UnplannedLines(const std::string& id) const {
  const auto unplanned = [](const state::BatchLine& line) {
    return !line.has_problem() &&
           std::any_of(line.targets().begin(), line.targets().end(),
                       [](const auto& target) { return target.restore().empty(); });
  };
  std::vector<state::BatchLine> lines;
  shelf_->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Line& line : board.lines()) {
      if (lines.size() < kPlansAStep && unplanned(line.record)) {
        lines.push_back(line.record);
      }
    }
  });
  return lines;
}

absl::Status BatchStepper::PlanLine(const state::BatchRecord& batch, state::BatchLine* line) {
  for (int i = 0; i < line->targets_size() && !line->has_problem(); ++i) {
    if (!line->targets(i).restore().empty()) {
      continue;
    }
    // The same request after a crash finds the plan that was made before it.
    const RequestKey request{.id = absl::StrCat(batch.id(), "/", line->number(), "/", i),
                             .method = "PlanBatchLine",
                             .request_digest = batch.id()};
    const absl::StatusOr<state::PlanRecord> plan =
        restores_->CreatePlan(request, BatchOrders::OrderOf(batch, static_cast<size_t>(i), *line));
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

// Of some lines: the others are left to later steps, so that nobody waits long for `changing_`.
absl::Status BatchStepper::MakePlans(const std::string& id) {
  MutexLock lock(changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, state_->GetBatch(id));
  BatchParts parts;
  parts.lines = UnplannedLines(id);
  if (parts.lines.empty() || batch.state() != state::BATCH_PLANNING) {
    return absl::OkStatus();
  }
  for (state::BatchLine& line : parts.lines) {
    RETURN_IF_ERROR(PlanLine(batch, &line));
  }
  ASSIGN_OR_RETURN(
      const state::BatchRecord changed,
      state_->UpdateBatch(
          id, [](state::BatchRecord*) { return absl::OkStatus(); }, parts, std::nullopt));
  shelf_->Put(changed, parts.lines);
  // Some may have ended before their lines were known here.
  for (const state::BatchLine& line : parts.lines) {
    for (const state::BatchLine::Target& target : line.targets()) {
      const auto plan = state_->GetPlan(target.restore());
      if (plan.ok() && plan->state() != state::PLAN_QUEUED) {
        shelf_->PlanEnded(*plan);
      }
    }
  }
  Wake(id);
  return absl::OkStatus();
}

// Gives each target the digest of its plan; returns that over all of them.
absl::StatusOr<std::string> BatchStepper::AddDigests(BatchParts* parts) const {
  Digest digest;
  for (state::BatchLine& line : parts->lines) {
    if (line.has_problem()) {
      continue;
    }
    for (state::BatchLine::Target& target : *line.mutable_targets()) {
      ASSIGN_OR_RETURN(const state::PlanRecord plan, state_->GetPlan(target.restore()));
      target.set_plan_digest(plan.summary().digest());
      digest.Add(target.store());
      digest.Add(target.tenant());
      digest.Add(target.plan_digest());
    }
  }
  return digest.Finish();
}

absl::Status BatchStepper::EndPlanning(const std::string& id) {
  MutexLock lock(changing_);
  bool ended = false;
  BatchParts parts;
  shelf_->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    ended = board.AllEnded();
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
                   state_->UpdateBatch(
                       id,
                       [&](state::BatchRecord* batch) {
                         if (batch->state() == state::BATCH_PLANNING) {
                           batch->set_state(state::BATCH_PLANNED);
                           batch->set_digest(digest);
                           batch->set_finished_us(absl::ToUnixMicros(options_.clock->Now()));
                         }
                         return absl::OkStatus();
                       },
                       parts, std::nullopt));
  shelf_->Put(planned, parts.lines);
  return absl::OkStatus();
}

// --- Whether the script still runs ---

absl::Status BatchStepper::LookForShrinking(const std::string& id) {
  const auto before = seen_.find(id);
  const absl::Time now = options_.clock->Now();
  if (before != seen_.end() && now < before->second.at + options_.shrink_watch) {
    WakeAt(id, before->second.at + options_.shrink_watch);  // it was woken for something else
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const LiveRows rows, CountLiveRows(*stores_, LinesOf(id)));
  if (before == seen_.end() && !rows.empty()) {
    seen_.emplace(id, Seen{now, rows});
    WakeAt(id, now + options_.shrink_watch);
    return absl::OkStatus();
  }
  // Who has no rows left cannot lose any.
  std::vector<std::string> shrunken;
  if (before != seen_.end()) {
    shrunken = ShrunkenSince(before->second.rows, rows);
    seen_.erase(before);
  }
  return EndChecking(id, shrunken);
}

absl::Status BatchStepper::EndChecking(const std::string& id,
                                       const std::vector<std::string>& shrunken) {
  MutexLock lock(changing_);
  if (!shrunken.empty()) {
    return Change(id, state::BATCH_CHECKING, state::BATCH_WAITING_FOR_CONSENT,
                  absl::StrCat(shrunken.size(), " of its tenants still lose rows, among them ",
                               Printable(shrunken.front()),
                               ": what deletes them may still be running. Stop it first; then "
                               "`reinstate batch resume ",
                               id, "`"));
  }
  RETURN_IF_ERROR(Change(id, state::BATCH_CHECKING, state::BATCH_RUNNING, ""));
  ASSIGN_OR_RETURN(const state::BatchRecord batch, state_->GetBatch(id));
  if (batch.state() == state::BATCH_RUNNING) {
    std::vector<std::string> restores;
    for (const state::BatchLine& line : LinesOf(id)) {
      for (const state::BatchLine::Target& target : line.targets()) {
        restores.push_back(target.restore());
      }
    }
    restores_->Release(restores);
  }
  return absl::OkStatus();
}

// --- Running ---

// The next stores of lines whose restores so far have succeeded.
BatchStepper::Due BatchStepper::DueLines(const std::string& id) const {
  Due due;
  shelf_->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Place place : board.Due()) {
      due.emplace_back(board.lines()[place.line].record, place.target);
    }
  });
  return due;
}

absl::Status BatchStepper::BeginDue(const std::string& id) {
  MutexLock lock(changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, state_->GetBatch(id));
  if (batch.state() != state::BATCH_RUNNING) {
    return absl::OkStatus();  // it was paused or cancelled meanwhile
  }
  BatchParts parts;
  for (auto& [line, target] : DueLines(id)) {
    absl::Status begun = orders_->Begin(batch, target, &line, &parts.restores);
    if (HasReason(begun, Reason::kUnavailable)) {
      return begun;  // it says nothing of the line
    }
    if (!begun.ok()) {
      *line.mutable_problem() = FailureOf(begun);
    }
    parts.lines.push_back(line);
  }
  if (parts.lines.empty()) {
    return absl::OkStatus();
  }
  return restores_
      ->CreateAll(&parts.restores, /*hold=*/false,
                  [&]() -> absl::StatusOr<Created> {
                    ASSIGN_OR_RETURN(
                        const state::BatchRecord changed,
                        state_->UpdateBatch(
                            batch.id(), [](state::BatchRecord*) { return absl::OkStatus(); }, parts,
                            std::nullopt));
                    shelf_->Put(changed, parts.lines);
                    return Created{batch.id(), false};
                  })
      .status();
}

absl::Status BatchStepper::CancelRest(const state::BatchRecord& batch) {
  std::vector<std::string> restores;
  shelf_->With(batch.id(), [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Place place : board.Unfinished()) {
      restores.push_back(
          board.lines()[place.line].record.targets(static_cast<int>(place.target)).restore());
    }
  });
  for (const std::string& restore : restores) {
    const auto cancelled =
        restores_->CancelRestore(restore, batch.cancelled_by(), batch.cancel_reason());
    // What commits, or has ended meanwhile, is told of when it has.
    if (!cancelled.ok() && !HasReason(cancelled.status(), Reason::kNotCancellable) &&
        !batch.order().dry_run()) {
      return cancelled.status();
    }
  }
  restores_->Release(restores);  // so that what was rolled back ends as cancelled
  return absl::OkStatus();
}

// In a batch that was cancelled no line goes on to its next store.
absl::Status BatchStepper::LeaveDue(const std::string& id) {
  MutexLock lock(changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, state_->GetBatch(id));
  const bool cancelled =
      batch.state() == state::BATCH_CANCELLING || batch.state() == state::BATCH_CANCELLED;
  if (!cancelled || batch.order().dry_run()) {
    return absl::OkStatus();
  }
  BatchParts parts;
  for (auto& [line, target] : DueLines(id)) {
    *line.mutable_problem() = FailureOf(
        MakeError(Reason::kCancelled,
                  absl::StrCat("the batch was cancelled before its restore in store ",
                               line.targets(static_cast<int>(target)).store(), " was begun")));
    parts.lines.push_back(std::move(line));
  }
  if (parts.lines.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(
      const state::BatchRecord changed,
      state_->UpdateBatch(
          id, [](state::BatchRecord*) { return absl::OkStatus(); }, parts, std::nullopt));
  shelf_->Put(changed, parts.lines);
  return absl::OkStatus();
}

// A doubt in one store that was resolved lets the line go on to the next.
absl::Status BatchStepper::GoOnIfDue(const state::BatchRecord& batch) {
  {
    MutexLock lock(changing_);
    if (batch.order().dry_run() || DueLines(batch.id()).empty()) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Change(batch.id(), batch.state(), state::BATCH_RUNNING, ""));
  }
  return BeginDue(batch.id());
}

absl::Status BatchStepper::EndIfDone(const std::string& id) {
  MutexLock lock(changing_);
  state::BatchState end = state::BATCH_STATE_UNSPECIFIED;
  state::BatchState present = state::BATCH_STATE_UNSPECIFIED;
  std::string message;
  shelf_->With(id, [&](const state::BatchRecord& batch, const BatchBoard& board) {
    present = batch.state();
    const bool cancelled = present == state::BATCH_CANCELLING || present == state::BATCH_CANCELLED;
    // A dry run that is cancelled leaves its plans to themselves.
    if (!board.AllEnded() && !(cancelled && batch.order().dry_run())) {
      return;
    }
    const auto good = static_cast<size_t>(board.Count(BatchLineState::kSucceeded) +
                                          board.Count(BatchLineState::kUndone));
    end = cancelled                      ? state::BATCH_CANCELLED
          : good == board.lines().size() ? state::BATCH_SUCCEEDED
                                         : state::BATCH_PARTLY_FAILED;
    if (const int64_t doubts = board.Count(BatchLineState::kInDoubt); doubts > 0) {
      message = absl::StrCat(doubts,
                             " restores are in doubt: look at their tenants, then `reinstate "
                             "restore resolve`");
    } else if (cancelled) {
      message = batch.state_message();
    }
  });
  if (end == state::BATCH_STATE_UNSPECIFIED || end == present) {
    return absl::OkStatus();
  }
  return Change(id, present, end, message);
}

absl::Status BatchStepper::TryAgain(const BatchBoard::Line& line, BatchParts* parts) const {
  state::BatchLine next = line.record;
  bool again = false;
  for (int i = 0; i < next.targets_size(); ++i) {
    const state::JobState state = line.targets[static_cast<size_t>(i)].state;
    if (state != state::FAILED && state != state::CANCELLED) {
      continue;
    }
    state::BatchLine::Target* target = next.mutable_targets(i);
    ASSIGN_OR_RETURN(const state::RestoreRecord failed, state_->GetRestore(target->restore()));
    state::RestoreRecord restore;
    restore.set_id(orders_->NextRestoreId());
    *restore.mutable_order() = failed.order();
    restore.mutable_order()->set_priority(next.priority());
    restore.set_label(failed.label());
    restore.set_size_rows(failed.size_rows());
    restore.set_size_bytes(failed.size_bytes());
    target->add_earlier(target->restore());
    target->set_restore(restore.id());
    parts->restores.push_back(std::move(restore));
    again = true;
  }
  again = again || next.has_problem();
  next.clear_problem();  // what could not be begun is tried again as well
  if (again) {           // else a hook has failed after it: the rows are back
    parts->lines.push_back(std::move(next));
  }
  return absl::OkStatus();
}

}  // namespace reinstate
