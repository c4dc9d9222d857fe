#include "server/jobs/blocked_lines.h"

#include <algorithm>
#include <cstdint>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

using Line = BatchBoard::Line;
using Target = BatchBoard::Target;
using Place = BatchBoard::Place;

// So many that have not ended are not waited for: the largest come last.
constexpr int64_t kFew = 4;
constexpr size_t kNamed = 3;

const state::BatchLine::Target& RecordOf(const Line& line, size_t target) {
  return line.record.targets(static_cast<int>(target));
}

// What was done in a store.
struct StoreLines {
  std::vector<Place> blocked;
  std::vector<int64_t> finished_us;  // of what has succeeded
  int64_t left = 0;                  // that have not ended
};

void Count(const BatchBoard& board, Place place, StoreLines* lines) {
  const Line& line = board.lines()[place.line];
  const Target& target = line.targets[place.target];
  if (target.state == state::SUCCEEDED) {
    lines->finished_us.push_back(target.finished_us);
  } else if (!HasEnded(line.state)) {
    ++lines->left;
  } else if (target.state == state::FAILED && !line.record.has_problem() &&
             target.failure.reason() == ReasonName(Reason::kKeyConflict)) {
    lines->blocked.push_back(place);
  }
}

// The tenants of `blocked`, but that of `self`, by name.
std::string NamesBut(const BatchBoard& board, const std::vector<Place>& blocked, size_t self) {
  std::vector<std::string> names;
  for (const Place place : blocked) {
    if (place.line != self) {
      names.push_back(Printable(RecordOf(board.lines()[place.line], place.target).tenant()));
    }
  }
  const size_t more = names.size() - std::min(names.size(), kNamed);
  names.resize(names.size() - more);
  return absl::StrCat(absl::StrJoin(names, ", "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

std::string StuckSentence(const BatchBoard& board, const std::vector<Place>& blocked, Place place) {
  const Line& line = board.lines()[place.line];
  return absl::StrCat(
      "tenant ", Printable(RecordOf(line, place.target).tenant()),
      " cannot be restored, though all others of the batch have ended: ",
      line.targets[place.target].failure.message(), ". The same holds of tenant ",
      NamesBut(board, blocked, place.line),
      "; if they need rows of each other, none can come first: restore only the table that is "
      "referred to, of one of them (--table), then retry the batch");
}

void Judge(const BatchBoard& board, const StoreLines& lines, BlockedLines* found) {
  const bool any_success = !lines.finished_us.empty();
  const int64_t last_success =
      any_success ? *std::max_element(lines.finished_us.begin(), lines.finished_us.end()) : 0;
  bool helped = false;
  for (const Place place : lines.blocked) {
    const Target& target = board.lines()[place.line].targets[place.target];
    if (any_success && last_success > target.started_us && lines.left <= kFew) {
      found->again.push_back(place.line);
      helped = true;
    }
  }
  if (helped || lines.left > 0 || lines.blocked.size() < 2) {
    return;
  }
  for (const Place place : lines.blocked) {
    found->stuck.emplace_back(place.line, StuckSentence(board, lines.blocked, place));
  }
}

}  // namespace

BlockedLines FindBlockedLines(const BatchBoard& board) {
  BlockedLines found;
  if (board.Count(BatchLineState::kFailed) == 0) {
    return found;
  }
  std::map<std::string, StoreLines> stores;
  for (size_t line = 0; line < board.lines().size(); ++line) {
    for (size_t target = 0; target < board.lines()[line].targets.size(); ++target) {
      Count(board, {line, target}, &stores[RecordOf(board.lines()[line], target).store()]);
    }
  }
  for (const auto& [store, lines] : stores) {
    Judge(board, lines, &found);
  }
  return found;
}

}  // namespace reinstate
