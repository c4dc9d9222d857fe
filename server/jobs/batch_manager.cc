#include "server/jobs/batch_manager.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/jobs/batch_orders.h"
#include "server/jobs/batch_shelf.h"
#include "server/jobs/batch_stepper.h"
#include "server/jobs/job_watchers.h"
#include "storage/base/error.h"
#include "storage/base/id_generator.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kInvalidShown = 1000;

absl::Status Ended(const state::BatchRecord& batch) {
  return MakeError(Reason::kBatchEnded,
                   absl::StrCat("batch ", batch.id(),
                                " has ended, or is being cancelled; `reinstate batch retry` tries "
                                "again what failed"));
}

absl::Status NotOfDryRun(const state::BatchRecord& batch) {
  return MakeError(
      Reason::kInvalidArgument,
      absl::StrCat("batch ", batch.id(),
                   batch.order().dry_run() ? " is a dry run: it restores nothing"
                                           : " is an undo: no lines can be added to it"));
}

AuditDraft BatchAudit(const state::BatchRecord& batch, const std::string& action,
                      const state::Actor& actor, const std::string& reason, size_t lines) {
  AuditDraft audit;
  *audit.mutable_actor() = actor;
  audit.set_action(action);
  audit.set_subject(batch.id());
  audit.set_store(batch.order().store());
  const nlohmann::json details = {{"lines", lines},
                                  {"mode", state::Mode_Name(batch.order().mode())},
                                  {"group", batch.order().group()},
                                  {"at", batch.order().at()},
                                  {"dry_run", batch.order().dry_run()},
                                  {"plan", batch.order().plan()},
                                  {"undo_of", batch.order().undo_of()},
                                  {"reason", reason},
                                  {"reference", batch.order().reference()}};
  audit.set_details(details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return audit;
}

int64_t CountInvalid(const BatchParts& parts) {
  return std::count_if(parts.lines.begin(), parts.lines.end(),
                       [](const state::BatchLine& line) { return line.has_problem(); });
}

absl::Status Invalid(const BatchParts& parts) {
  const auto first = std::find_if(parts.lines.begin(), parts.lines.end(),
                                  [](const state::BatchLine& line) { return line.has_problem(); });
  return MakeError(Reason::kBatchLinesInvalid,
                   absl::StrCat(CountInvalid(parts), " of ", parts.lines.size(),
                                " lines cannot be restored; nothing was begun. The first is line ",
                                first->line(), ": ", first->problem().message(),
                                ". Correct the list, or go on without them with --skip-invalid"));
}

// Of all targets that have one.
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

class BatchManagerImpl final : public BatchManager {
 public:
  BatchManagerImpl(BatchManagerOptions options, StoreRegistry* stores, const History* history,
                   StateStore* state, RestoreManager* restores)
      : options_(std::move(options)),
        state_(state),
        restores_(restores),
        ids_(options_.clock),
        orders_(options_.groups, options_.max_lines, options_.clock, stores, history, restores),
        shelf_(options_.clock, options_.workers, state, restores, &watchers_,
               [this](const std::string& batch) { stepper_.Wake(batch); }),
        stepper_({.shrink_watch = options_.shrink_watch, .clock = options_.clock}, stores, state,
                 restores, &orders_, &shelf_, &changing_) {
    restores->Observe(&shelf_);
  }
  ~BatchManagerImpl() override { Shutdown(); }
  BatchManagerImpl(const BatchManagerImpl&) = delete;
  BatchManagerImpl& operator=(const BatchManagerImpl&) = delete;

  absl::Status Prepare() override;
  void Start() override { stepper_.Start(); }
  void Shutdown() override { stepper_.Stop(); }

  absl::StatusOr<BatchView> CreateBatch(const RequestKey& request, state::BatchOrder order,
                                        const std::vector<BatchLineOrder>& lines,
                                        bool validate_only) override;
  absl::StatusOr<BatchView> CreateUndo(const RequestKey& request, state::BatchOrder order,
                                       bool validate_only) override;
  absl::StatusOr<BatchView> Get(const std::string& id) override { return shelf_.View(id); }
  absl::StatusOr<std::vector<BatchView>> List(const std::string& after, int64_t limit) override;
  absl::StatusOr<std::vector<BatchLineView>> Lines(const std::string& id,
                                                   const BatchLineFilter& filter, int64_t from,
                                                   int64_t limit) override {
    return shelf_.Lines(id, filter, from, limit);
  }
  absl::StatusOr<BatchView> Pause(const std::string& id, const state::Actor& actor,
                                  const std::string& reason) override;
  absl::StatusOr<BatchView> Resume(const std::string& id, const state::Actor& actor,
                                   const std::string& reason) override;
  absl::StatusOr<BatchView> Cancel(const std::string& id, const state::Actor& actor,
                                   const std::string& reason) override;
  absl::StatusOr<BatchView> Retry(const std::string& id, const state::Actor& actor,
                                  const std::string& reason) override;
  absl::StatusOr<BatchView> Add(const std::string& id, const std::vector<BatchLineOrder>& lines,
                                AddOptions options, const state::Actor& actor,
                                const std::string& reason) override;
  absl::StatusOr<BatchView> Prioritize(const std::string& id,
                                       const std::vector<std::string>& tenants, int32_t priority,
                                       const state::Actor& actor,
                                       const std::string& reason) override;
  std::shared_ptr<void> Watch(const std::string& id, std::function<void()> on_change) override {
    return watchers_.Watch(id, std::move(on_change));
  }

 private:
  state::BatchState FirstState(const state::BatchOrder& order) const;
  absl::StatusOr<BatchView> Store(const RequestKey& request, state::BatchRecord batch,
                                  BatchParts parts);
  static BatchView Draft(const state::BatchRecord& batch, const BatchParts& parts);
  absl::StatusOr<BatchView> CreateFromPlan(const RequestKey& request,
                                           const state::BatchOrder& order, bool validate_only);

  // A change of a batch's state from one of `from`.
  struct Step {
    std::set<state::BatchState> from;
    state::BatchState to = state::BATCH_STATE_UNSPECIFIED;
    std::string message;
    std::string reason;
  };
  // Takes the step, unless the batch is in another state. Returns it as it is then.
  absl::StatusOr<state::BatchRecord> Move(const std::string& id, const Step& step,
                                          const AuditDraft& audit);
  absl::StatusOr<state::BatchRecord> Stored(const std::string& id) const {
    return state_->GetBatch(id);
  }
  // New lines and restores under a batch, which runs again if it had ended.
  absl::StatusOr<BatchView> Extend(const std::string& id, BatchParts parts,
                                   const AuditDraft& audit);
  std::vector<std::string> Unfinished(const std::string& id) const;

  const BatchManagerOptions options_;
  StateStore* const state_;
  RestoreManager* const restores_;
  IdGenerator ids_;
  JobWatchers watchers_;
  Mutex changing_;  // held by whoever changes lines, for all of it
  BatchOrders orders_;
  BatchShelf shelf_;
  BatchStepper stepper_;  // after all that its thread uses
};

absl::Status BatchManagerImpl::Prepare() {
  ASSIGN_OR_RETURN(const auto batches, state_->UnfinishedBatches());
  for (const state::BatchRecord& batch : batches) {
    RETURN_IF_ERROR(shelf_.Load(batch.id()));
    if (batch.state() != state::BATCH_RUNNING) {
      restores_->Hold(Unfinished(batch.id()));
    }
    stepper_.Wake(batch.id());
  }
  return absl::OkStatus();
}

std::vector<std::string> BatchManagerImpl::Unfinished(const std::string& id) const {
  std::vector<std::string> restores;
  shelf_.With(id, [&](const state::BatchRecord& batch, const BatchBoard& board) {
    if (batch.order().dry_run()) {
      return;
    }
    for (const BatchBoard::Place place : board.Unfinished()) {
      restores.push_back(
          board.lines()[place.line].record.targets(static_cast<int>(place.target)).restore());
    }
  });
  return restores;
}

// --- Creating ---

state::BatchState BatchManagerImpl::FirstState(const state::BatchOrder& order) const {
  if (order.dry_run()) {
    return state::BATCH_PLANNING;
  }
  const bool look = order.undo_of().empty() && !order.accept_shrinking() &&
                    options_.shrink_watch > absl::ZeroDuration();
  return look ? state::BATCH_CHECKING : state::BATCH_RUNNING;
}

BatchView BatchManagerImpl::Draft(const state::BatchRecord& batch, const BatchParts& parts) {
  BatchView view;
  view.record = batch;
  BatchBoard board(batch.order().dry_run());
  for (const state::BatchLine& line : parts.lines) {
    board.Put(line);
    if (line.has_problem() && view.invalid.size() < kInvalidShown) {
      view.invalid.push_back(
          {.record = line, .state = BatchLineState::kNotRestored, .targets = {}});
    }
  }
  for (size_t i = 0; i < kBatchLineStates; ++i) {
    view.counts[i] = board.Count(static_cast<BatchLineState>(i));
  }
  view.progress.set_total_rows(board.total_rows());
  view.progress.set_total_bytes(board.total_bytes());
  return view;
}

absl::StatusOr<BatchView> BatchManagerImpl::Store(const RequestKey& request,
                                                  state::BatchRecord batch, BatchParts parts) {
  batch.set_state(FirstState(batch.order()));
  batch.set_lines(static_cast<int32_t>(parts.lines.size()));
  const AuditDraft audit =
      BatchAudit(batch, batch.order().undo_of().empty() ? "batch.created" : "batch.undo_created",
                 batch.order().actor(), batch.order().reason(), parts.lines.size());
  MutexLock lock(&changing_);
  ASSIGN_OR_RETURN(
      const Created created,
      restores_->CreateAll(&parts.restores, batch.state() != state::BATCH_RUNNING, [&] {
        auto stored = state_->CreateBatch(request, batch, parts, audit);
        if (stored.ok() && !stored->existed) {
          // Before a restore can run, so that none of its news is lost.
          shelf_.Put(batch, parts.lines);
        }
        return stored;
      }));
  if (!created.existed) {
    ASSIGN_OR_RETURN(const state::BatchRecord stored, Stored(created.id));
    shelf_.Put(stored, {});
    stepper_.Wake(created.id);
  }
  return Get(created.id);
}

absl::StatusOr<BatchView> BatchManagerImpl::CreateBatch(const RequestKey& request,
                                                        state::BatchOrder order,
                                                        const std::vector<BatchLineOrder>& lines,
                                                        bool validate_only) {
  ASSIGN_OR_RETURN(const auto earlier, state_->FindRequest(request));
  if (earlier.has_value()) {
    return Get(*earlier);
  }
  if (!order.plan().empty()) {
    return CreateFromPlan(request, order, validate_only);
  }
  ASSIGN_OR_RETURN(state::BatchRecord batch, orders_.Resolve(order));
  batch.set_id(ids_.Next("bat"));
  ASSIGN_OR_RETURN(BatchParts parts, orders_.Check(batch, {}, lines));
  if (validate_only) {
    batch.clear_id();
    return Draft(batch, parts);
  }
  const auto invalid = static_cast<size_t>(CountInvalid(parts));
  if (invalid == parts.lines.size() || (invalid > 0 && !order.skip_invalid())) {
    return Invalid(parts);
  }
  return Store(request, std::move(batch), std::move(parts));
}

absl::StatusOr<BatchView> BatchManagerImpl::CreateFromPlan(const RequestKey& request,
                                                           const state::BatchOrder& order,
                                                           bool validate_only) {
  ASSIGN_OR_RETURN(const state::BatchRecord plan, Stored(order.plan()));
  if (!plan.order().dry_run() || plan.state() != state::BATCH_PLANNED ||
      (!order.plan_digest().empty() && order.plan_digest() != plan.digest())) {
    return MakeError(Reason::kPlanChanged,
                     absl::StrCat("batch ", plan.id(),
                                  " is no dry run that is planned, or has another digest; plan "
                                  "again and look at what it shows"));
  }
  state::BatchRecord batch = plan;
  batch.set_id(ids_.Next("bat"));
  batch.clear_revision();
  batch.clear_digest();
  batch.clear_state_message();
  batch.clear_finished_us();
  state::BatchOrder& asked = *batch.mutable_order();
  asked.set_dry_run(false);
  asked.set_plan(plan.id());
  asked.set_plan_digest(plan.digest());
  asked.set_accept_shrinking(order.accept_shrinking());
  *asked.mutable_actor() = order.actor();
  asked.set_reason(order.reason().empty() ? plan.order().reason() : order.reason());
  asked.set_reference(order.reference().empty() ? plan.order().reference() : order.reference());
  ASSIGN_OR_RETURN(const auto planned, state_->BatchLines(plan.id()));
  ASSIGN_OR_RETURN(BatchParts parts, orders_.FromPlan(batch, planned));
  if (validate_only) {
    batch.clear_id();
    return Draft(batch, parts);
  }
  const auto invalid = static_cast<size_t>(CountInvalid(parts));
  if (invalid == parts.lines.size() || (invalid > 0 && !asked.skip_invalid())) {
    return Invalid(parts);
  }
  return Store(request, std::move(batch), std::move(parts));
}

absl::StatusOr<BatchView> BatchManagerImpl::CreateUndo(const RequestKey& request,
                                                       state::BatchOrder order,
                                                       bool validate_only) {
  ASSIGN_OR_RETURN(const auto earlier, state_->FindRequest(request));
  if (earlier.has_value()) {
    return Get(*earlier);
  }
  RETURN_IF_ERROR(shelf_.Load(order.undo_of()));
  state::BatchRecord batch;
  std::vector<BatchBoard::Line> undone;
  shelf_.With(order.undo_of(), [&](const state::BatchRecord& record, const BatchBoard& board) {
    order.set_store(record.order().store());
    order.set_group(record.order().group());
    order.set_dry_run(record.order().dry_run());
    for (int i = record.points_size() - 1; i >= 0; --i) {
      batch.add_points()->set_store(record.points(i).store());
    }
    undone = board.lines();
  });
  if (order.dry_run()) {
    return MakeError(Reason::kNotUndoable,
                     absl::StrCat("batch ", order.undo_of(), " is a dry run: it changed nothing"));
  }
  *batch.mutable_order() = std::move(order);
  batch.set_id(ids_.Next("bat"));
  ASSIGN_OR_RETURN(BatchParts parts, orders_.Undo(batch, undone));
  if (validate_only) {
    batch.clear_id();
    return Draft(batch, parts);
  }
  return Store(request, std::move(batch), std::move(parts));
}

absl::StatusOr<std::vector<BatchView>> BatchManagerImpl::List(const std::string& after,
                                                              int64_t limit) {
  ASSIGN_OR_RETURN(const auto records, state_->ListBatches(after, limit));
  std::vector<BatchView> views;
  for (const state::BatchRecord& record : records) {
    ASSIGN_OR_RETURN(BatchView view, Get(record.id()));
    views.push_back(std::move(view));
  }
  return views;
}

// --- Control ---

absl::StatusOr<state::BatchRecord> BatchManagerImpl::Move(const std::string& id, const Step& step,
                                                          const AuditDraft& audit) {
  ASSIGN_OR_RETURN(const state::BatchRecord present, Stored(id));
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
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const state::BatchRecord moved, state_->UpdateBatch(id, change, {}, audit));
  shelf_.Put(moved, {});
  return moved;
}

absl::StatusOr<BatchView> BatchManagerImpl::Pause(const std::string& id, const state::Actor& actor,
                                                  const std::string& reason) {
  RETURN_IF_ERROR(shelf_.Load(id));
  MutexLock lock(&changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord present, Stored(id));
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
    return Ended(batch);
  }
  restores_->Hold(Unfinished(id));
  return Get(id);
}

absl::StatusOr<BatchView> BatchManagerImpl::Resume(const std::string& id, const state::Actor& actor,
                                                   const std::string& reason) {
  RETURN_IF_ERROR(shelf_.Load(id));
  MutexLock lock(&changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord present, Stored(id));
  ASSIGN_OR_RETURN(const state::BatchRecord batch,
                   Move(id,
                        {.from = {state::BATCH_PAUSED, state::BATCH_WAITING_FOR_CONSENT},
                         .to = state::BATCH_RUNNING,
                         .message = "",
                         .reason = reason},
                        BatchAudit(present, "batch.resumed", actor, reason, 0)));
  if (HasEnded(batch.state()) || batch.state() == state::BATCH_CANCELLING) {
    return Ended(batch);
  }
  if (batch.state() == state::BATCH_RUNNING) {
    restores_->Release(Unfinished(id));
  }
  stepper_.Wake(id);
  return Get(id);
}

absl::StatusOr<BatchView> BatchManagerImpl::Cancel(const std::string& id, const state::Actor& actor,
                                                   const std::string& reason) {
  RETURN_IF_ERROR(shelf_.Load(id));
  MutexLock lock(&changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord present, Stored(id));
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
    restores_->Hold(Unfinished(id));
    stepper_.Wake(id);
  }
  return Get(id);
}

absl::StatusOr<BatchView> BatchManagerImpl::Extend(const std::string& id, BatchParts parts,
                                                   const AuditDraft& audit) {
  ASSIGN_OR_RETURN(const state::BatchRecord before, Stored(id));
  const bool hold = !HasEnded(before.state()) && before.state() != state::BATCH_RUNNING;
  const auto created =
      restores_->CreateAll(&parts.restores, hold, [&]() -> absl::StatusOr<Created> {
        ASSIGN_OR_RETURN(const state::BatchRecord batch,
                         state_->UpdateBatch(
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
        shelf_.Put(batch, parts.lines);
        return Created{id, false};
      });
  RETURN_IF_ERROR(created.status());
  stepper_.Wake(id);
  return Get(id);
}

absl::StatusOr<BatchView> BatchManagerImpl::Retry(const std::string& id, const state::Actor& actor,
                                                  const std::string& reason) {
  RETURN_IF_ERROR(shelf_.Load(id));
  MutexLock lock(&changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, Stored(id));
  if (batch.order().dry_run()) {
    return NotOfDryRun(batch);
  }
  std::vector<BatchBoard::Line> failed;
  shelf_.With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Line& line : board.lines()) {
      if (line.state == BatchLineState::kFailed || line.state == BatchLineState::kCancelled) {
        failed.push_back(line);
      }
    }
  });
  BatchParts parts;
  for (BatchBoard::Line& line : failed) {
    RETURN_IF_ERROR(stepper_.TryAgain(line, &parts));
  }
  if (parts.lines.empty()) {
    return Get(id);
  }
  const AuditDraft audit = BatchAudit(batch, "batch.retried", actor, reason, parts.lines.size());
  return Extend(id, std::move(parts), audit);
}

absl::StatusOr<BatchView> BatchManagerImpl::Add(const std::string& id,
                                                const std::vector<BatchLineOrder>& lines,
                                                AddOptions options, const state::Actor& actor,
                                                const std::string& reason) {
  RETURN_IF_ERROR(shelf_.Load(id));
  MutexLock lock(&changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, Stored(id));
  if (batch.order().dry_run() || !batch.order().undo_of().empty()) {
    return NotOfDryRun(batch);
  }
  ASSIGN_OR_RETURN(const auto present, state_->BatchLines(id));
  ASSIGN_OR_RETURN(BatchParts parts, orders_.Check(batch, present, lines));
  if (options.validate_only) {
    return Draft(batch, parts);
  }
  const auto invalid = static_cast<size_t>(CountInvalid(parts));
  if (invalid == parts.lines.size() || (invalid > 0 && !options.skip_invalid)) {
    return Invalid(parts);
  }
  const AuditDraft audit = BatchAudit(batch, "batch.extended", actor, reason, parts.lines.size());
  return Extend(id, std::move(parts), audit);
}

absl::StatusOr<BatchView> BatchManagerImpl::Prioritize(const std::string& id,
                                                       const std::vector<std::string>& tenants,
                                                       int32_t priority, const state::Actor& actor,
                                                       const std::string& reason) {
  RETURN_IF_ERROR(shelf_.Load(id));
  MutexLock lock(&changing_);
  ASSIGN_OR_RETURN(const state::BatchRecord before, Stored(id));
  if (before.order().dry_run()) {
    return NotOfDryRun(before);
  }
  if (HasEnded(before.state()) || before.state() == state::BATCH_CANCELLING) {
    return Ended(before);
  }
  std::set<std::string> left(tenants.begin(), tenants.end());
  BatchParts parts;
  shelf_.With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
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
      state_->UpdateBatch(
          id, [](state::BatchRecord*) { return absl::OkStatus(); }, parts,
          BatchAudit(before, "batch.prioritized", actor,
                     absl::StrCat("priority ", priority, " ", reason), parts.lines.size())));
  shelf_.Put(batch, parts.lines);
  for (const std::string& restore : RestoresOf(parts.lines)) {
    RETURN_IF_ERROR(restores_->SetPriority(restore, priority));
  }
  return Get(id);
}

}  // namespace

bool HasEnded(state::BatchState state) {
  switch (state) {
    case state::BATCH_PLANNED:
    case state::BATCH_SUCCEEDED:
    case state::BATCH_PARTLY_FAILED:
    case state::BATCH_CANCELLED:
      return true;
    default:
      return false;
  }
}

std::unique_ptr<BatchManager> BatchManager::Create(BatchManagerOptions options,
                                                   StoreRegistry* stores, const History* history,
                                                   StateStore* state, RestoreManager* restores) {
  return std::make_unique<BatchManagerImpl>(std::move(options), stores, history, state, restores);
}

}  // namespace reinstate
