#include "server/rpc/convert_batch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_failure.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/convert_restore.h"
#include "server/rpc/request_checks.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

static_assert(static_cast<int>(v1::BATCH_STATE_CANCELLED) ==
              static_cast<int>(state::BATCH_CANCELLED));
static_assert(static_cast<int>(v1::BATCH_STATE_RUNNING) == static_cast<int>(state::BATCH_RUNNING));
static_assert(static_cast<int>(v1::BATCH_STATE_PLANNED) == static_cast<int>(state::BATCH_PLANNED));
static_assert(static_cast<int>(v1::BATCH_LINE_STATE_NOT_RESTORED) ==
              static_cast<int>(BatchLineState::kNotRestored) + 1);
static_assert(static_cast<int>(v1::BATCH_LINE_STATE_UNDONE) ==
              static_cast<int>(BatchLineState::kUndone) + 1);

constexpr size_t kMaxTextBytes = 1024;

v1::RowActions RowsToWire(const RowCounts& rows) {
  v1::RowActions wire;
  wire.set_inserted(rows.inserted);
  wire.set_replaced(rows.replaced);
  wire.set_deleted(rows.deleted);
  wire.set_unchanged(rows.unchanged);
  wire.set_kept(rows.kept);
  wire.set_conflicts(rows.conflicts);
  return wire;
}

// What hooks do of a restore, for people; empty if there is nothing to say of them.
std::string HookStep(const BatchBoard::Target& seen) {
  if (seen.hook.has_value()) {
    return absl::StrCat(seen.hook->after ? "after" : "before", "-hook ", seen.hook->name,
                        ", attempt ", seen.hook->attempt, " of ", seen.hook->attempts);
  }
  return seen.hooks_pending ? "after-hooks follow" : "";
}

v1::BatchLineRestore TargetToWire(const BatchLineView::Target& target) {
  v1::BatchLineRestore wire;
  wire.set_store(target.store);
  wire.set_tenant(target.tenant);
  wire.set_restore(target.restore);
  if (!target.restore.empty()) {
    wire.set_state(target.seen.running ? v1::RESTORE_STATE_RUNNING : ToWire(target.seen.state));
  }
  wire.set_phase(static_cast<v1::RestorePhase>(target.phase));
  *wire.mutable_totals() = RowsToWire(target.seen.rows);
  wire.mutable_at_point()->set_rows(target.rows_at_point);
  wire.mutable_at_point()->set_bytes(target.bytes_at_point);
  if (target.seen.running) {
    ToWire(target.progress, wire.mutable_progress());
  }
  if (const std::string step = HookStep(target.seen); !step.empty()) {
    wire.mutable_progress()->set_step(step);
  }
  if (target.seen.wait.has_value()) {
    wire.set_holding_back(WaitSentence(*target.seen.wait));
  }
  wire.set_has_certificate(target.seen.has_certificate);
  if (!target.seen.failure.reason().empty()) {
    ToWire(target.seen.failure, wire.mutable_failure());
  }
  return wire;
}

v1::BatchSpec SpecToWire(const state::BatchOrder& order) {
  v1::BatchSpec spec;
  if (order.group().empty()) {
    spec.set_store(order.store());
  } else {
    spec.set_group(order.group());
  }
  spec.set_at(order.at());
  spec.set_mode(static_cast<v1::RestoreMode>(order.mode()));
  *spec.mutable_tables() = order.tables();
  spec.set_accept_shrunken(order.accept_shrunken());
  spec.set_accept_uncovered_tables(order.accept_uncovered());
  spec.set_priority(order.priority());
  spec.set_skip_invalid(order.skip_invalid());
  spec.set_accept_shrinking(order.accept_shrinking());
  return spec;
}

v1::BatchCounts CountsToWire(const std::vector<int64_t>& counts) {
  const auto of = [&](BatchLineState state) { return counts[static_cast<size_t>(state)]; };
  v1::BatchCounts wire;
  for (const int64_t count : counts) {
    wire.set_total(wire.total() + count);
  }
  wire.set_not_restored(of(BatchLineState::kNotRestored));
  wire.set_queued(of(BatchLineState::kQueued));
  wire.set_running(of(BatchLineState::kRunning));
  wire.set_in_doubt(of(BatchLineState::kInDoubt));
  wire.set_succeeded(of(BatchLineState::kSucceeded));
  wire.set_failed(of(BatchLineState::kFailed));
  wire.set_cancelled(of(BatchLineState::kCancelled));
  wire.set_undone(of(BatchLineState::kUndone));
  return wire;
}

void ProgressToWire(const BatchView& view, v1::Progress* wire) {
  ToWire(view.progress, wire);
  wire->set_rows_per_second(view.rows_per_second);
  wire->set_bytes_per_second(view.bytes_per_second);
  if (view.eta.known) {
    ToWire(view.eta.low, wire->mutable_eta_low());
  }
  if (view.eta.known && view.eta.high < absl::InfiniteDuration()) {
    ToWire(view.eta.high, wire->mutable_eta_high());
  }
}

template <typename Wire>
void LinesToWire(const std::vector<BatchLineView>& lines, Wire* wire) {
  for (const BatchLineView& line : lines) {
    *wire->Add() = ToWire(line);
  }
}

// The store in which the line's tenant has the id that the line names: an undo comes to it last.
const BatchLineView::Target* NamedBy(const BatchLineView& view) {
  const auto named = std::find_if(
      view.targets.begin(), view.targets.end(),
      [&](const BatchLineView::Target& target) { return target.tenant == view.record.tenant(); });
  if (named != view.targets.end()) {
    return &*named;
  }
  return view.targets.empty() ? nullptr : &view.targets.front();
}

// Why the line was left out, or its first restore that did not succeed.
const state::Failure* ProblemOf(const BatchLineView& view) {
  if (view.record.has_problem()) {
    return &view.record.problem();
  }
  for (const BatchLineView::Target& target : view.targets) {
    if (!target.seen.failure.reason().empty()) {
      return &target.seen.failure;
    }
  }
  return nullptr;
}

void TimesToWire(const BatchLineView& view, v1::BatchLine* wire) {
  int64_t started_us = 0;
  int64_t finished_us = 0;
  for (const BatchLineView::Target& target : view.targets) {
    if (target.seen.started_us != 0 && (started_us == 0 || target.seen.started_us < started_us)) {
      started_us = target.seen.started_us;
    }
    finished_us = std::max(finished_us, target.seen.finished_us);
  }
  SetTime(started_us, &v1::BatchLine::mutable_start_time, wire);
  if (HasEnded(view.state)) {
    SetTime(finished_us, &v1::BatchLine::mutable_end_time, wire);
  }
}

absl::StatusOr<state::Failure> ProblemFromWire(const std::string& field,
                                               const v1::Failure& problem) {
  RETURN_IF_ERROR(CheckPresent(absl::StrCat(field, ".reason"), problem.reason()));
  RETURN_IF_ERROR(CheckLength(absl::StrCat(field, ".reason"), problem.reason(), kMaxTextBytes));
  RETURN_IF_ERROR(CheckLength(absl::StrCat(field, ".message"), problem.message(), kMaxTextBytes));
  state::Failure failure;
  failure.set_reason(problem.reason());
  failure.set_message(problem.message());
  failure.set_code(problem.code());
  failure.set_retryable(problem.retryable());
  return failure;
}

}  // namespace

absl::StatusOr<state::BatchOrder> OrderFromWire(const v1::BatchSpec& spec) {
  state::BatchOrder order;
  switch (spec.where_case()) {
    case v1::BatchSpec::kStore:
      RETURN_IF_ERROR(CheckPresent("spec.store", spec.store()));
      order.set_store(spec.store());
      break;
    case v1::BatchSpec::kGroup:
      RETURN_IF_ERROR(CheckPresent("spec.group", spec.group()));
      order.set_group(spec.group());
      break;
    default:
      return FieldError("spec.where", "is required: a `store` or a `group`.");
  }
  RETURN_IF_ERROR(CheckPresent("spec.at", spec.at()));
  order.set_at(spec.at());
  ASSIGN_OR_RETURN(const state::Mode mode, ModeFromWire("spec.mode", spec.mode()));
  order.set_mode(mode);
  if (spec.tables_size() > kMaxTables) {
    return FieldError("spec.tables", absl::StrCat("has more than ", kMaxTables, " entries."));
  }
  *order.mutable_tables() = spec.tables();
  order.set_accept_shrunken(spec.accept_shrunken());
  order.set_accept_uncovered(spec.accept_uncovered_tables());
  order.set_priority(spec.priority());
  order.set_skip_invalid(spec.skip_invalid());
  order.set_accept_shrinking(spec.accept_shrinking());
  return order;
}

absl::StatusOr<std::vector<BatchLineOrder>> LinesFromWire(
    const google::protobuf::RepeatedPtrField<v1::BatchLineSpec>& lines) {
  std::vector<BatchLineOrder> orders;
  orders.reserve(static_cast<size_t>(lines.size()));
  for (int i = 0; i < lines.size(); ++i) {
    const v1::BatchLineSpec& line = lines.Get(i);
    const std::string field = absl::StrCat("lines[", i, "]");
    if (line.line() < 0) {
      return FieldError(absl::StrCat(field, ".line"), "must not be negative.");
    }
    RETURN_IF_ERROR(CheckLength(absl::StrCat(field, ".input"), line.input(), kMaxTextBytes));
    RETURN_IF_ERROR(CheckLength(absl::StrCat(field, ".note"), line.note(), kMaxTextBytes));
    BatchLineOrder order{.line = line.line(),
                         .input = line.input(),
                         .tenant = line.tenant(),
                         .note = line.note(),
                         .problem = std::nullopt};
    if (line.has_problem()) {
      ASSIGN_OR_RETURN(order.problem,
                       ProblemFromWire(absl::StrCat(field, ".problem"), line.problem()));
    } else if (line.tenant().empty()) {
      return FieldError(absl::StrCat(field, ".tenant"), "is required, or a `problem`.");
    }
    orders.push_back(std::move(order));
  }
  return orders;
}

v1::BatchLine ToWire(const BatchLineView& view) {
  v1::BatchLine wire;
  wire.set_line(view.record.line());
  wire.set_input(view.record.input());
  wire.set_note(view.record.note());
  wire.mutable_tenant()->set_tenant(view.record.tenant());
  wire.mutable_tenant()->set_label(view.record.label());
  if (const BatchLineView::Target* const named = NamedBy(view); named != nullptr) {
    wire.mutable_tenant()->set_store(named->store);
  }
  wire.set_state(static_cast<v1::BatchLineState>(static_cast<int>(view.state) + 1));
  if (const state::Failure* const problem = ProblemOf(view); problem != nullptr) {
    ToWire(*problem, wire.mutable_problem());
  }
  for (const BatchLineView::Target& target : view.targets) {
    *wire.add_restores() = TargetToWire(target);
  }
  if (view.waits_for_look && view.state == BatchLineState::kQueued) {
    for (v1::BatchLineRestore& restore : *wire.mutable_restores()) {
      restore.set_holding_back("It begins once it has been seen that its tenant loses no rows.");
    }
  }
  *wire.mutable_absent_in() = view.record.absent_in();
  TimesToWire(view, &wire);
  return wire;
}

v1::Batch ToWire(const BatchView& view, BatchDetail detail) {
  const state::BatchRecord& record = view.record;
  const state::BatchOrder& order = record.order();
  v1::Batch wire;
  wire.set_id(record.id());
  wire.set_kind(order.undo_of().empty() ? v1::RESTORE_KIND_RESTORE : v1::RESTORE_KIND_UNDO);
  wire.set_dry_run(order.dry_run());
  wire.set_state(static_cast<v1::BatchState>(record.state()));
  wire.set_state_message(record.state_message());
  *wire.mutable_spec() = SpecToWire(order);
  for (const state::BatchStorePoint& point : record.points()) {
    v1::BatchStorePoint* shown = wire.add_points();
    shown->set_store(point.store());
    if (point.has_point()) {
      ToWire(point.point(), shown->mutable_point());
    }
  }
  *wire.mutable_lines() = CountsToWire(view.counts);
  ProgressToWire(view, wire.mutable_progress());
  wire.set_eta_basis(view.eta_basis);
  *wire.mutable_totals() = RowsToWire(view.rows);
  for (const auto& [store, lines] : view.absences) {
    v1::BatchAbsence* absence = wire.add_absences();
    absence->set_store(store);
    absence->set_lines(lines);
  }
  if (detail == BatchDetail::kFull) {
    LinesToWire(view.running, wire.mutable_running());
    LinesToWire(view.failures, wire.mutable_failures());
    LinesToWire(view.largest, wire.mutable_largest());
    LinesToWire(view.invalid, wire.mutable_invalid());
  }
  wire.set_digest(ToHex(record.digest()));
  wire.set_plan(order.plan());
  wire.set_undo_of(order.undo_of());
  ToWire(order.actor(), wire.mutable_actor());
  wire.set_reason(order.reason());
  wire.set_reference(order.reference());
  SetTime(record.created_us(), &v1::Batch::mutable_create_time, &wire);
  SetTime(view.started_us, &v1::Batch::mutable_start_time, &wire);
  SetTime(record.finished_us(), &v1::Batch::mutable_end_time, &wire);
  return wire;
}

}  // namespace reinstate
