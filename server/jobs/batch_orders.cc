#include "server/jobs/batch_orders.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/jobs/job_failure.h"
#include "server/restore/point_resolver.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::StatusOr<std::vector<StoreGroup::Member>> BatchOrders::MembersOf(
    const state::BatchOrder& order) const {
  if (order.group().empty()) {
    ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(order.store()));
    return std::vector<StoreGroup::Member>{{.store = store->name}};
  }
  const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const StoreGroup& group) {
    return group.name == order.group();
  });
  if (found == groups_.end()) {
    std::vector<std::string> names;
    for (const StoreGroup& group : groups_) {
      names.push_back(group.name);
    }
    return MakeError(
        Reason::kGroupNotFound,
        absl::StrCat("there is no group ", Printable(order.group()),
                     names.empty() ? "; the configuration names none ([[group]])" : "; there are: ",
                     absl::StrJoin(names, ", ")));
  }
  return found->members;
}

absl::StatusOr<state::BatchRecord> BatchOrders::Resolve(const state::BatchOrder& order) const {
  state::BatchRecord batch;
  *batch.mutable_order() = order;
  ASSIGN_OR_RETURN(const auto members, MembersOf(order));
  const absl::Time now = clock_->Now();
  for (const StoreGroup::Member& member : members) {
    ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(member.store));
    state::BatchStorePoint* point = batch.add_points();
    point->set_store(member.store);
    ASSIGN_OR_RETURN(*point->mutable_point(),
                     ResolvePoint(*history_, store->lineage, order.at(), now));
  }
  return batch;
}

state::RestoreOrder BatchOrders::OrderOf(const state::BatchRecord& batch, size_t target,
                                         const state::BatchLine& line) {
  const state::BatchLine::Target& wanted = line.targets(static_cast<int>(target));
  state::RestoreOrder order;
  order.set_store(wanted.store());
  order.set_tenant(wanted.tenant());
  order.set_undo_of(wanted.undo_of());
  order.set_plan_digest(wanted.plan_digest());
  order.set_skip_undo_conflicts(batch.order().skip_undo_conflicts());
  if (wanted.undo_of().empty()) {
    for (const state::BatchStorePoint& point : batch.points()) {
      if (point.store() == wanted.store()) {
        order.mutable_point()->set_requested(point.point().snapshot());
      }
    }
    order.set_mode(batch.order().mode());
    *order.mutable_tables() = batch.order().tables();
    order.set_accept_shrunken(batch.order().accept_shrunken());
    order.set_accept_uncovered(batch.order().accept_uncovered());
  }
  *order.mutable_actor() = batch.order().actor();
  order.set_reason(batch.order().reason());
  order.set_reference(batch.order().reference());
  order.set_priority(line.priority());
  order.set_batch(batch.id());
  order.set_batch_line(line.number());
  return order;
}

absl::StatusOr<state::RestoreRecord> BatchOrders::CheckTarget(const state::BatchRecord& batch,
                                                              size_t target,
                                                              const state::BatchLine& line) const {
  state::RestoreOrder order = OrderOf(batch, target, line);
  return order.undo_of().empty()
             ? restores_->CreateRestore(RequestKey(), std::move(order), /*validate_only=*/true)
             : restores_->CreateUndo(RequestKey(), std::move(order), /*validate_only=*/true);
}

absl::Status BatchOrders::CheckAbsence(const state::BatchRecord& batch,
                                       const state::BatchLine::Target& target) const {
  const auto& points = batch.points();
  const auto point = std::find_if(points.begin(), points.end(), [&](const auto& candidate) {
    return candidate.store() == target.store();
  });
  return point == points.end() ? absl::OkStatus()
                               : absence_.Check(batch.order(), *point, target.tenant());
}

// Checks the line in all stores, and begins it in the first. It has no target in stores of a group
// in which the tenant has no data, unless that is so in all of them.
absl::Status BatchOrders::CheckTargets(const state::BatchRecord& batch, state::BatchLine* line,
                                       std::vector<state::RestoreRecord>* restores) const {
  const auto wanted = line->targets();
  line->clear_targets();
  absl::Status first_absence;
  for (const state::BatchLine::Target& one : wanted) {
    const auto place = static_cast<size_t>(line->targets_size());
    state::BatchLine::Target* const target = line->add_targets();
    *target = one;
    absl::StatusOr<state::RestoreRecord> record = CheckTarget(batch, place, *line);
    if (!batch.order().group().empty() && HasReason(record.status(), Reason::kTenantNotAtPoint)) {
      RETURN_IF_ERROR(CheckAbsence(batch, one));
      first_absence.Update(record.status());
      line->add_absent_in(one.store());
      line->mutable_targets()->RemoveLast();
      continue;
    }
    RETURN_IF_ERROR(record.status());
    target->set_tenant(record->order().tenant());
    target->set_rows(record->size_rows());
    target->set_bytes(record->size_bytes());
    if (place > 0) {
      continue;
    }
    line->set_label(record->label());
    if (!batch.order().dry_run()) {
      record->set_id(NextRestoreId());
      target->set_restore(record->id());
      restores->push_back(*std::move(record));
    }
  }
  return line->targets().empty() ? first_absence : absl::OkStatus();
}

BatchOrders::StoreAndTenant BatchOrders::FirstTarget(const state::BatchLine& line) {
  return {line.targets(0).store(), line.targets(0).tenant()};
}

absl::Status BatchOrders::CheckLine(const state::BatchRecord& batch, const BatchLineOrder& order,
                                    EarlierLines* earlier, state::BatchLine* line,
                                    std::vector<state::RestoreRecord>* restores) const {
  if (order.problem.has_value()) {
    *line->mutable_problem() = *order.problem;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckTargets(batch, line, restores));
  line->set_tenant(line->targets(0).tenant());
  const auto [first, added] =
      earlier->emplace(FirstTarget(*line), absl::StrCat("line ", line->line()));
  return added
             ? absl::OkStatus()
             : MakeError(Reason::kTenantTwice, absl::StrCat("tenant ", Printable(line->tenant()),
                                                            " is on ", first->second, " already"));
}

absl::StatusOr<BatchParts> BatchOrders::Check(const state::BatchRecord& batch,
                                              const std::vector<state::BatchLine>& present,
                                              const std::vector<BatchLineOrder>& orders) const {
  const auto lines = static_cast<int64_t>(present.size() + orders.size());
  if (orders.empty()) {
    return MakeError(Reason::kInvalidArgument, "the batch has no lines");
  }
  if (lines > max_lines_) {
    return MakeError(Reason::kTooLarge,
                     absl::StrCat("the batch would have ", lines, " lines; the limit is ",
                                  max_lines_, " (max_lines in [batches]); make several of it"));
  }
  ASSIGN_OR_RETURN(const auto members, MembersOf(batch.order()));
  EarlierLines earlier;
  for (const state::BatchLine& line : present) {
    if (!line.has_problem()) {
      earlier.emplace(FirstTarget(line), absl::StrCat("line ", line.line(), " of the batch"));
    }
  }
  BatchParts parts;
  for (const BatchLineOrder& order : orders) {
    state::BatchLine line;
    line.set_number(static_cast<int32_t>(present.size() + parts.lines.size()));
    line.set_line(order.line);
    line.set_input(order.input);
    line.set_note(order.note);
    line.set_tenant(order.tenant);
    line.set_priority(batch.order().priority());
    for (const StoreGroup::Member& member : members) {
      state::BatchLine::Target* target = line.add_targets();
      target->set_store(member.store);
      target->set_tenant(TenantIn(member, order.tenant));
    }
    std::vector<state::RestoreRecord> restores;
    const absl::Status checked = CheckLine(batch, order, &earlier, &line, &restores);
    if (HasReason(checked, Reason::kUnavailable)) {
      return checked;  // it says nothing of the line
    }
    if (!checked.ok()) {
      *line.mutable_problem() = FailureOf(checked);
    }
    if (line.has_problem()) {
      line.clear_targets();
      line.clear_absent_in();
      restores.clear();
    }
    std::move(restores.begin(), restores.end(), std::back_inserter(parts.restores));
    parts.lines.push_back(std::move(line));
  }
  return parts;
}

absl::Status BatchOrders::Begin(const state::BatchRecord& batch, size_t target,
                                state::BatchLine* line,
                                std::vector<state::RestoreRecord>* restores) const {
  ASSIGN_OR_RETURN(state::RestoreRecord record, CheckTarget(batch, target, *line));
  record.set_id(NextRestoreId());
  state::BatchLine::Target* begun = line->mutable_targets(static_cast<int>(target));
  if (!begun->restore().empty()) {
    begun->add_earlier(begun->restore());
  }
  begun->set_restore(record.id());
  restores->push_back(std::move(record));
  return absl::OkStatus();
}

absl::StatusOr<BatchParts> BatchOrders::FromPlan(
    const state::BatchRecord& batch, const std::vector<state::BatchLine>& planned) const {
  BatchParts parts;
  for (state::BatchLine line : planned) {
    for (state::BatchLine::Target& target : *line.mutable_targets()) {
      target.clear_restore();  // that was the plan
    }
    if (!line.has_problem()) {
      const absl::Status begun = Begin(batch, 0, &line, &parts.restores);
      if (!begun.ok()) {
        *line.mutable_problem() = FailureOf(begun);
      }
    }
    if (line.has_problem()) {
      line.clear_targets();
      line.clear_absent_in();
    }
    parts.lines.push_back(std::move(line));
  }
  return parts;
}

absl::StatusOr<BatchParts> BatchOrders::Undo(const state::BatchRecord& batch,
                                             const std::vector<BatchBoard::Line>& lines) const {
  BatchParts parts;
  for (const BatchBoard::Line& done : lines) {
    state::BatchLine line;
    for (int i = done.record.targets_size() - 1; i >= 0; --i) {
      if (done.targets[static_cast<size_t>(i)].state == state::SUCCEEDED) {
        state::BatchLine::Target* target = line.add_targets();
        *target = done.record.targets(i);
        target->set_undo_of(target->restore());
        target->clear_restore();
        target->clear_earlier();
        target->clear_plan_digest();
      }
    }
    if (line.targets_size() == 0) {
      continue;
    }
    line.set_number(static_cast<int32_t>(parts.lines.size()));
    line.set_line(done.record.line());
    line.set_input(done.record.input());
    line.set_note(done.record.note());
    line.set_tenant(done.record.tenant());
    line.set_label(done.record.label());
    line.set_priority(batch.order().priority());
    const absl::Status begun = Begin(batch, 0, &line, &parts.restores);
    if (!begun.ok()) {
      *line.mutable_problem() = FailureOf(begun);
      line.clear_targets();
    }
    parts.lines.push_back(std::move(line));
  }
  if (parts.restores.empty()) {
    return MakeError(Reason::kNotUndoable,
                     parts.lines.empty()
                         ? "no restore of the batch has succeeded, or all are undone already"
                         : absl::StrCat("no line of the batch can be undone; the first says: ",
                                        parts.lines.front().problem().message()));
  }
  return parts;
}

}  // namespace reinstate
