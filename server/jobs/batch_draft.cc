#include "server/jobs/batch_draft.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

constexpr size_t kInvalidShown = 1000;

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

}  // namespace

absl::Status CheckInvalid(const BatchParts& parts, bool skip_invalid) {
  const auto invalid = static_cast<size_t>(CountInvalid(parts));
  const bool refused = invalid == parts.lines.size() || (invalid > 0 && !skip_invalid);
  return refused ? Invalid(parts) : absl::OkStatus();
}

BatchView DraftView(const state::BatchRecord& batch, const BatchParts& parts) {
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
  view.absences = board.absences();
  view.progress.set_total_rows(board.total_rows());
  view.progress.set_total_bytes(board.total_bytes());
  return view;
}

}  // namespace reinstate
