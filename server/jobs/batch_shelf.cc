#include "server/jobs/batch_shelf.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/jobs/blocked_lines.h"
#include "server/jobs/job_failure.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kEndedKept = 16;  // batches that have ended
constexpr size_t kRunningShown = 16;
constexpr size_t kLinesShown = 8;  // failures, largest ones

absl::Status PutAway() {
  return MakeError(Reason::kBatchNotFound, "the batch was put away meanwhile; ask again");
}

// Why nothing was begun in the store after that of `before`.
state::Failure NotBegunAfter(const std::string& store, const BatchBoard::Target& before) {
  return FailureOf(MakeError(
      Reason::kStoreBeforeFailed,
      absl::StrCat("not begun, since the restore in store ", store,
                   before.state == state::UNDONE ? " was undone" : " has not succeeded")));
}

// Whether the line has ended without all of its restores.
bool WasLeft(BatchLineState state) {
  return state == BatchLineState::kFailed || state == BatchLineState::kUndone;
}

BatchLineView LineOf(const BatchBoard::Line& line) {
  BatchLineView view{.record = line.record, .state = line.state, .targets = {}};
  for (int i = 0; i < line.record.targets_size(); ++i) {
    const state::BatchLine::Target& target = line.record.targets(i);
    BatchLineView::Target& shown = view.targets.emplace_back();
    shown.store = target.store();
    shown.tenant = target.tenant();
    shown.restore = target.restore();
    shown.rows_at_point = target.rows();
    shown.bytes_at_point = target.bytes();
    shown.seen = line.targets[static_cast<size_t>(i)];
    if (i > 0 && target.restore().empty() && WasLeft(line.state)) {
      shown.seen.failure = NotBegunAfter(line.record.targets(i - 1).store(),
                                         line.targets[static_cast<size_t>(i) - 1]);
    }
  }
  return view;
}

// The restores or plans that have not ended.
std::vector<std::string> UnfinishedOf(const BatchBoard& board) {
  std::vector<std::string> ids;
  for (const BatchBoard::Place place : board.Unfinished()) {
    ids.push_back(board.RecordAt(place).restore());
  }
  return ids;
}

bool Matches(const BatchLineFilter& filter, const BatchBoard::Line& line) {
  const bool state = filter.states.empty() || std::find(filter.states.begin(), filter.states.end(),
                                                        line.state) != filter.states.end();
  return state && (filter.tenant.empty() || line.record.tenant() == filter.tenant ||
                   line.record.input() == filter.tenant ||
                   absl::EqualsIgnoreCase(line.record.label(), filter.tenant));
}

}  // namespace

// --- Keeping ---

BatchShelf::Batch* BatchShelf::Find(const std::string& id) const {
  const auto found = batches_.find(id);
  return found == batches_.end() ? nullptr : found->second.get();
}

void BatchShelf::PutLocked(const state::BatchRecord& record,
                           const std::vector<state::BatchLine>& lines) {
  Batch* batch = Find(record.id());
  if (batch == nullptr) {
    DropOld();
    auto made =
        std::make_unique<Batch>(Batch{.record = {}, .board = BatchBoard(record.order().dry_run())});
    batch = made.get();
    batches_.emplace(record.id(), std::move(made));
  }
  if (record.revision() >= batch->record.revision()) {
    if (record.state() == state::BATCH_RUNNING && batch->record.state() != state::BATCH_RUNNING) {
      batch->running_since = clock_->Now();
    }
    batch->record = record;
  }
  for (const state::BatchLine& line : lines) {
    batch->board.Put(line);
    for (const state::BatchLine::Target& target : line.targets()) {
      if (!target.restore().empty()) {
        batch_of_[target.restore()] = record.id();
      }
    }
  }
}

void BatchShelf::Put(const state::BatchRecord& record, const std::vector<state::BatchLine>& lines) {
  {
    MutexLock lock(&mu_);
    // One that was put away meanwhile is read again, whole, when somebody looks at it.
    const bool is_new = record.revision() == 0;
    if (is_new || Find(record.id()) != nullptr) {
      PutLocked(record, lines);
      Find(record.id())->is_whole |= is_new;
    }
  }
  watchers_->Notify(record.id());
}

// Ids ascend by time, so that the oldest go first.
void BatchShelf::DropOld() {
  size_t ended = 0;
  for (const auto& [id, batch] : batches_) {
    ended += HasEnded(batch->record.state()) ? 1 : 0;
  }
  for (auto next = batches_.begin(); next != batches_.end() && ended > kEndedKept;) {
    const auto batch = next++;
    if (HasEnded(batch->second->record.state())) {
      const std::string id = batch->first;
      std::erase_if(batch_of_, [&](const auto& entry) { return entry.second == id; });
      batches_.erase(batch);
      --ended;
    }
  }
}

// What became of a restore or plan. What is told of it meanwhile is newer than what is read here.
absl::Status BatchShelf::LoadEnd(const std::string& id, const std::string& restore) {
  const auto found = state_->GetRestore(restore);
  const auto plan = found.ok() ? absl::StatusOr<state::PlanRecord>(state::PlanRecord())
                               : state_->GetPlan(restore);
  RETURN_IF_ERROR(plan.status());
  MutexLock lock(&mu_);
  Batch* const batch = Find(id);
  if (batch != nullptr && batch->board.IsUntouched(restore)) {
    found.ok() ? batch->board.Update(*found) : batch->board.Update(*plan);
  }
  return absl::OkStatus();
}

absl::Status BatchShelf::LoadEnds(const std::string& id,
                                  const std::vector<state::BatchLine>& lines) {
  for (const state::BatchLine& line : lines) {
    for (const state::BatchLine::Target& target : line.targets()) {
      if (!target.restore().empty()) {
        RETURN_IF_ERROR(LoadEnd(id, target.restore()));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status BatchShelf::Load(const std::string& id) {
  {
    // While somebody else reads it, its restores may still look as if none had ended: it is read
    // here as well then.
    MutexLock lock(&mu_);
    if (const Batch* const batch = Find(id); batch != nullptr && batch->is_whole) {
      return absl::OkStatus();
    }
  }
  ASSIGN_OR_RETURN(const state::BatchRecord record, state_->GetBatch(id));
  ASSIGN_OR_RETURN(const auto lines, state_->BatchLines(id));
  {
    MutexLock lock(&mu_);
    if (Find(id) == nullptr) {
      PutLocked(record, lines);
    }
  }
  RETURN_IF_ERROR(LoadEnds(id, lines));
  MutexLock lock(&mu_);
  if (Batch* const batch = Find(id); batch != nullptr) {
    batch->is_whole = true;
  }
  return absl::OkStatus();
}

// --- Being told ---

void BatchShelf::Tell(const std::string& batch, bool due) {
  if (batch.empty()) {
    return;
  }
  if (due) {
    on_due_(batch);
  }
  watchers_->Notify(batch);
}

std::string BatchShelf::Change(const std::string& restore,
                               const std::function<void(BatchBoard*)>& change) {
  MutexLock lock(&mu_);
  const auto found = batch_of_.find(restore);
  Batch* const batch = found == batch_of_.end() ? nullptr : Find(found->second);
  if (batch == nullptr) {
    return "";
  }
  change(&batch->board);
  return found->second;
}

void BatchShelf::RestoreEnded(const state::RestoreRecord& restore) {
  Change(restore.id(), [&](BatchBoard* board) { board->Update(restore); });
  // The batch is told also if it ended long ago: a doubt that is resolved changes how it ended.
  Tell(restore.order().batch(), true);
  if (!restore.order().undo_of().empty() && restore.state() == state::SUCCEEDED) {
    const std::string& undone = restore.order().undo_of();
    Change(undone, [&](BatchBoard* board) { board->SetUndone(undone); });
    // Also if its batch is not here: it may have ended as a success, which it is no longer.
    if (const auto record = state_->GetRestore(undone); record.ok()) {
      Tell(record->order().batch(), true);
    }
  }
}

void BatchShelf::RestoreWaits(const state::RestoreRecord& restore) {
  Tell(Change(restore.id(), [&](BatchBoard* board) { board->Update(restore); }), true);
}

void BatchShelf::RestoreChanged(const std::string& restore, bool running) {
  const absl::Time now = clock_->Now();
  Tell(Change(restore, [&](BatchBoard* board) { board->SetRunning(restore, running, now); }),
       false);
}

void BatchShelf::HookRuns(const std::string& restore, const std::optional<HookAttempt>& attempt) {
  Tell(Change(restore, [&](BatchBoard* board) { board->SetHook(restore, attempt); }), false);
}

void BatchShelf::HooksBeginAgain(const state::RestoreRecord& restore) {
  Tell(Change(restore.id(), [&](BatchBoard* board) { board->Update(restore); }), false);
}

void BatchShelf::PlanEnded(const state::PlanRecord& plan) {
  Tell(Change(plan.id(), [&](BatchBoard* board) { board->Update(plan); }), true);
}

// --- Looking ---

void BatchShelf::With(const std::string& id, const Look& look) const {
  MutexLock lock(&mu_);
  if (const Batch* const batch = Find(id); batch != nullptr) {
    look(batch->record, batch->board);
  }
}

std::vector<std::string> BatchShelf::UnfinishedThat(const std::string& id,
                                                    const Choice& choice) const {
  std::vector<std::string> restores;
  With(id, [&](const state::BatchRecord& batch, const BatchBoard& board) {
    if (batch.order().dry_run()) {
      return;
    }
    for (const BatchBoard::Place place : board.Unfinished()) {
      if (choice(batch, board.lines()[place.line], board.At(place))) {
        restores.push_back(board.RecordAt(place).restore());
      }
    }
  });
  return restores;
}

std::vector<std::string> BatchShelf::Unfinished(const std::string& id) const {
  return UnfinishedThat(id, [](const auto&, const auto&, const auto&) { return true; });
}

std::vector<std::string> BatchShelf::Runnable(const std::string& id) const {
  return UnfinishedThat(id, [](const state::BatchRecord& batch, const BatchBoard::Line& line,
                               const BatchBoard::Target& target) {
    return !target.wait.has_value() && !WaitsForLook(batch.order(), line.record);
  });
}

std::vector<std::string> BatchShelf::NotRunning(const std::string& id) const {
  return UnfinishedThat(id, [](const auto&, const auto&, const BatchBoard::Target& target) {
    return !target.running;
  });
}

std::vector<std::string> BatchShelf::WaitingForLook(const std::string& id) const {
  return UnfinishedThat(id, [](const state::BatchRecord& batch, const BatchBoard::Line& line,
                               const auto&) { return WaitsForLook(batch.order(), line.record); });
}

std::vector<std::string> BatchShelf::UnfinishedPlans(const std::string& id) const {
  std::vector<std::string> plans;
  With(id, [&](const state::BatchRecord& batch, const BatchBoard& board) {
    if (batch.order().dry_run()) {
      plans = UnfinishedOf(board);
    }
  });
  return plans;
}

std::vector<state::BatchLine> BatchShelf::Records(const std::string& id) const {
  std::vector<state::BatchLine> records;
  With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Line& line : board.lines()) {
      records.push_back(line.record);
    }
  });
  return records;
}

BatchView BatchShelf::Overview(const Batch& batch) const {
  const BatchBoard& board = batch.board;
  BatchView view;
  view.record = batch.record;
  for (size_t i = 0; i < kBatchLineStates; ++i) {
    view.counts[i] = board.Count(static_cast<BatchLineState>(i));
  }
  view.progress.set_rows(board.done_rows());
  view.progress.set_bytes(board.done_bytes());
  view.progress.set_total_rows(board.total_rows());
  view.progress.set_total_bytes(board.total_bytes());
  view.rows = board.rows();
  view.absences = board.absences();
  view.started_us = board.started_us();
  for (const BatchBoard::Place place : board.Running(kRunningShown)) {
    view.running.push_back(LineOf(board.lines()[place.line]));
  }
  view.waiting = WaitingSentence(board);
  for (const size_t line : board.Failures(kLinesShown)) {
    view.failures.push_back(LineOf(board.lines()[line]));
  }
  if (batch.record.order().dry_run()) {
    for (const size_t line : board.Largest(kLinesShown)) {
      view.largest.push_back(LineOf(board.lines()[line]));
    }
  }
  return view;
}

void BatchShelf::AddPresent(BatchLineView* line) const {
  for (BatchLineView::Target& target : line->targets) {
    if (!target.seen.running) {
      continue;
    }
    if (const auto restore = restores_->GetRestore(target.restore); restore.ok()) {
      target.phase = restore->phase();
      target.progress = restore->progress();
    }
  }
}

void BatchShelf::AddRunning(RecentRate::Done recent, BatchView* view) const {
  for (BatchLineView& line : view->running) {
    AddPresent(&line);
    for (const BatchLineView::Target& target : line.targets) {
      if (!target.seen.running || target.progress.total_bytes() == 0) {
        continue;
      }
      // A restore reads, writes and reads back: its progress counts each row that often.
      const double part = std::min(1.0, static_cast<double>(target.progress.bytes()) /
                                            static_cast<double>(target.progress.total_bytes()));
      const double rows = part * static_cast<double>(target.rows_at_point);
      const double bytes = part * static_cast<double>(target.bytes_at_point);
      view->progress.set_rows(view->progress.rows() + static_cast<int64_t>(rows));
      view->progress.set_bytes(view->progress.bytes() + static_cast<int64_t>(bytes));
      recent.Add(rows, bytes, clock_->Now() - absl::FromUnixMicros(target.seen.started_us));
    }
  }
  view->rows_per_second = recent.RowsPerSecond();
  view->bytes_per_second = recent.BytesPerSecond();
}

absl::StatusOr<BatchView> BatchShelf::View(const std::string& id) {
  RETURN_IF_ERROR(Load(id));
  state::BatchRecord record;
  With(id, [&](const state::BatchRecord& batch, const BatchBoard&) { record = batch; });
  const BatchOutlook::Basis basis = outlook_.BasisFor(record);
  BatchView view;
  RecentRate::Done recent;
  {
    MutexLock lock(&mu_);
    const Batch* const batch = Find(id);
    if (batch == nullptr) {
      return PutAway();
    }
    view = Overview(*batch);
    outlook_.Add(batch->board, basis, batch->running_since, &view);
    if (view.record.state() == state::BATCH_RUNNING) {
      recent = batch->board.Recent(batch->running_since, clock_->Now());
    }
  }
  outlook_.Complete(basis, &view);
  AddRunning(recent, &view);
  return view;
}

absl::StatusOr<BatchStamp> BatchShelf::Stamp(const std::string& id) {
  RETURN_IF_ERROR(Load(id));
  MutexLock lock(&mu_);
  const Batch* const batch = Find(id);
  if (batch == nullptr) {
    return PutAway();
  }
  return BatchStamp{.state = batch->record.state(), .revision = batch->record.revision()};
}

absl::StatusOr<std::vector<BatchLineView>> BatchShelf::Lines(const std::string& id,
                                                             const BatchLineFilter& filter,
                                                             int64_t from, int64_t limit) {
  RETURN_IF_ERROR(Load(id));
  std::vector<BatchLineView> views;
  With(id, [&](const state::BatchRecord& batch, const BatchBoard& board) {
    for (auto i = static_cast<size_t>(std::max<int64_t>(0, from));
         i < board.lines().size() && static_cast<int64_t>(views.size()) < limit; ++i) {
      if (Matches(filter, board.lines()[i])) {
        views.push_back(LineOf(board.lines()[i]));
        views.back().waits_for_look = WaitsForLook(batch.order(), board.lines()[i].record);
      }
    }
  });
  for (BatchLineView& view : views) {
    AddPresent(&view);
  }
  return views;
}

}  // namespace reinstate
