#include "server/jobs/shrink_check.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

std::vector<state::BatchLine> ShrinkCheck::LinesOf(const std::string& id) const {
  std::vector<state::BatchLine> lines;
  desk_->shelf->With(id, [&](const state::BatchRecord& batch, const BatchBoard& board) {
    for (const BatchBoard::Line& line : board.lines()) {
      // Lines that are added while it is CHECKING come after that.
      const bool checking = batch.state() == state::BATCH_CHECKING && !line.record.look_first();
      const bool added = batch.state() == state::BATCH_RUNNING && !HasEnded(line.state) &&
                         WaitsForLook(batch.order(), line.record);
      if (checking || added) {
        lines.push_back(line.record);
      }
    }
  });
  return lines;
}

absl::StatusOr<absl::Time> ShrinkCheck::Look(const std::string& id) {
  std::vector<state::BatchLine> lines = LinesOf(id);
  if (lines.empty()) {
    Forget(id);
    return absl::InfiniteFuture();
  }
  const auto before = seen_.find(id);
  const absl::Time now = desk_->clock->Now();
  if (before != seen_.end()) {
    if (now < before->second.at + desk_->shrink_watch) {
      return before->second.at + desk_->shrink_watch;  // it was woken for something else
    }
    // The same again: of those that came meanwhile nothing was counted yet.
    lines = desk_->shelf->Records(id);
    std::erase_if(lines, [&](const state::BatchLine& line) {
      return !before->second.lines.contains(line.number());
    });
  }
  ASSIGN_OR_RETURN(const LiveRows rows, CountLiveRows(*stores_, lines));
  std::set<int32_t> numbers;
  for (const state::BatchLine& line : lines) {
    numbers.insert(line.number());
  }
  if (before == seen_.end() && !rows.empty()) {
    seen_.emplace(id, Seen{now, rows, std::move(numbers)});
    return now + desk_->shrink_watch;
  }
  // Who has no rows left cannot lose any.
  LiveRows rows_before;
  if (before != seen_.end()) {
    rows_before = std::move(before->second.rows);
    seen_.erase(before);
  }
  RETURN_IF_ERROR(End(id, numbers, rows_before, rows));
  return absl::InfiniteFuture();
}

absl::Status ShrinkCheck::End(const std::string& id, const std::set<int32_t>& lines,
                              const LiveRows& before, const LiveRows& after) {
  MutexLock lock(desk_->changing);
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
  if (batch.state() != state::BATCH_CHECKING && batch.state() != state::BATCH_RUNNING) {
    return absl::OkStatus();  // it was paused or cancelled meanwhile
  }
  std::vector<state::BatchLine> waiting;
  std::set<int32_t> numbers;
  desk_->shelf->With(id, [&](const state::BatchRecord&, const BatchBoard& board) {
    for (const BatchBoard::Line& line : board.lines()) {
      if (lines.contains(line.record.number()) && !HasEnded(line.state)) {
        waiting.push_back(line.record);
        numbers.insert(line.record.number());
      }
    }
  });
  const std::vector<std::string> shrunken = ShrunkenSince(RowsOfLines(before, waiting), after);
  if (shrunken.empty()) {
    return LetBegin(batch, numbers);
  }
  RETURN_IF_ERROR(ChangeBatchState(
      *desk_, id, batch.state(), state::BATCH_WAITING_FOR_CONSENT,
      absl::StrCat(shrunken.size(), " of its tenants still lose rows, among them ",
                   Printable(shrunken.front()),
                   ": what deletes them may still be running. Stop it, then resume the batch.")));
  desk_->restores->Hold(desk_->shelf->NotRunning(id));
  return absl::OkStatus();
}

absl::Status ShrinkCheck::LetBegin(const state::BatchRecord& batch,
                                   const std::set<int32_t>& lines) {
  BatchParts parts;
  for (state::BatchLine& line : desk_->shelf->Records(batch.id())) {
    if (lines.contains(line.number()) && line.look_first()) {
      line.clear_look_first();
      parts.lines.push_back(std::move(line));
    }
  }
  ASSIGN_OR_RETURN(const state::BatchRecord changed, desk_->state->UpdateBatch(
                                                         batch.id(),
                                                         [](state::BatchRecord* record) {
                                                           record->set_state(state::BATCH_RUNNING);
                                                           record->clear_state_message();
                                                           return absl::OkStatus();
                                                         },
                                                         parts, std::nullopt));
  desk_->shelf->Put(changed, parts.lines);
  desk_->restores->Release(desk_->shelf->Runnable(batch.id()));
  desk_->wake(batch.id());  // for lines that came meanwhile
  return absl::OkStatus();
}

}  // namespace reinstate
