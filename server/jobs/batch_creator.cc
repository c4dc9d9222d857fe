#include "server/jobs/batch_creator.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/jobs/batch_audit.h"
#include "server/jobs/batch_draft.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::StatusOr<BatchView> BatchCreator::Store(const RequestKey& request, state::BatchRecord batch,
                                              BatchParts parts) {
  batch.set_state(FirstState(*desk_, batch.order()));
  batch.set_lines(static_cast<int32_t>(parts.lines.size()));
  const AuditDraft audit =
      BatchAudit(batch, batch.order().undo_of().empty() ? "batch.created" : "batch.undo_created",
                 batch.order().actor(), batch.order().reason(), parts.lines.size());
  MutexLock lock(desk_->changing);
  if (const std::string& undone = batch.order().undo_of(); !undone.empty()) {
    ASSIGN_OR_RETURN(const auto before, UndoBefore(undone));
    if (before.has_value()) {
      return desk_->shelf->View(*before);
    }
  }
  ASSIGN_OR_RETURN(
      const Created created,
      desk_->restores->CreateAll(&parts.restores, batch.state() != state::BATCH_RUNNING, [&] {
        auto stored = desk_->state->CreateBatch(request, batch, parts, audit);
        if (stored.ok() && !stored->existed) {
          // Before a restore can run, so that none of its news is lost.
          desk_->shelf->Put(batch, parts.lines);
        }
        return stored;
      }));
  if (!created.existed) {
    ASSIGN_OR_RETURN(const state::BatchRecord stored, desk_->state->GetBatch(created.id));
    desk_->shelf->Put(stored, {});
    desk_->wake(created.id);
  }
  return desk_->shelf->View(created.id);
}

absl::StatusOr<BatchView> BatchCreator::Create(const RequestKey& request,
                                               const state::BatchOrder& order,
                                               const std::vector<BatchLineOrder>& lines,
                                               bool validate_only) {
  ASSIGN_OR_RETURN(const auto earlier, desk_->state->FindRequest(request));
  if (earlier.has_value()) {
    return desk_->shelf->View(*earlier);
  }
  if (!order.plan().empty()) {
    return CreateFromPlan(request, order, validate_only);
  }
  ASSIGN_OR_RETURN(state::BatchRecord batch, desk_->orders->Resolve(order));
  batch.set_id(ids_.Next("bat"));
  ASSIGN_OR_RETURN(BatchParts parts, desk_->orders->Check(batch, {}, lines));
  if (validate_only) {
    batch.clear_id();
    return DraftView(batch, parts);
  }
  RETURN_IF_ERROR(CheckInvalid(parts, batch.order().skip_invalid()));
  return Store(request, std::move(batch), std::move(parts));
}

absl::StatusOr<BatchView> BatchCreator::CreateFromPlan(const RequestKey& request,
                                                       const state::BatchOrder& order,
                                                       bool validate_only) {
  ASSIGN_OR_RETURN(const state::BatchRecord plan, desk_->state->GetBatch(order.plan()));
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
  // Lines that could not be planned may be left out, or the shrinking be accepted, only now that
  // somebody has seen them.
  asked.set_skip_invalid(plan.order().skip_invalid() || order.skip_invalid());
  asked.set_accept_shrinking(plan.order().accept_shrinking() || order.accept_shrinking());
  *asked.mutable_actor() = order.actor();
  asked.set_reason(order.reason().empty() ? plan.order().reason() : order.reason());
  asked.set_reference(order.reference().empty() ? plan.order().reference() : order.reference());
  ASSIGN_OR_RETURN(const auto planned, desk_->state->BatchLines(plan.id()));
  ASSIGN_OR_RETURN(BatchParts parts, desk_->orders->FromPlan(batch, planned));
  if (validate_only) {
    batch.clear_id();
    return DraftView(batch, parts);
  }
  RETURN_IF_ERROR(CheckInvalid(parts, asked.skip_invalid()));
  return Store(request, std::move(batch), std::move(parts));
}

absl::StatusOr<std::optional<std::string>> BatchCreator::UndoBefore(
    const std::string& undone) const {
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(undone));
  if (batch.order().dry_run()) {
    return MakeError(Reason::kNotUndoable,
                     absl::StrCat("batch ", undone, " is a dry run: it changed nothing"));
  }
  ASSIGN_OR_RETURN(auto under_way, UndoUnderWay(*desk_, undone));
  if (under_way.has_value() || HasEnded(batch.state())) {
    return under_way;
  }
  const std::string next =
      batch.state() == state::BATCH_CANCELLING
          ? absl::StrCat(
                " is being cancelled: undo it once that has ended (`reinstate batch watch ", undone,
                "`)")
          : absl::StrCat(" has not ended, and would go on restoring: `reinstate batch cancel ",
                         undone, "` first, then undo it");
  return MakeError(Reason::kNotUndoable, absl::StrCat("batch ", undone, next));
}

absl::StatusOr<BatchView> BatchCreator::CreateUndo(const RequestKey& request,
                                                   state::BatchOrder order, bool validate_only) {
  ASSIGN_OR_RETURN(const auto earlier, desk_->state->FindRequest(request));
  if (earlier.has_value()) {
    return desk_->shelf->View(*earlier);
  }
  RETURN_IF_ERROR(desk_->shelf->Load(order.undo_of()));
  ASSIGN_OR_RETURN(const auto before, UndoBefore(order.undo_of()));
  if (before.has_value()) {
    return desk_->shelf->View(*before);
  }
  state::BatchRecord batch;
  std::vector<BatchBoard::Line> undone;
  desk_->shelf->With(order.undo_of(),
                     [&](const state::BatchRecord& record, const BatchBoard& board) {
                       order.set_store(record.order().store());
                       order.set_group(record.order().group());
                       for (int i = record.points_size() - 1; i >= 0; --i) {
                         batch.add_points()->set_store(record.points(i).store());
                       }
                       undone = board.lines();
                     });
  *batch.mutable_order() = std::move(order);
  batch.set_id(ids_.Next("bat"));
  ASSIGN_OR_RETURN(BatchParts parts, desk_->orders->Undo(batch, undone));
  if (validate_only) {
    batch.clear_id();
    return DraftView(batch, parts);
  }
  return Store(request, std::move(batch), std::move(parts));
}

}  // namespace reinstate
