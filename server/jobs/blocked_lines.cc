#include "server/jobs/blocked_lines.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/missing_rows.h"
#include "storage/base/strings.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

using Target = BatchBoard::Target;
using Place = BatchBoard::Place;

// So many that have not ended are not waited for: the largest come last.
constexpr int64_t kFew = 4;
constexpr size_t kNamed = 3;

// What was done in a store.
struct StoreLines {
  std::vector<Place> blocked;
  std::vector<int64_t> finished_us;  // of what has succeeded
  int64_t left = 0;                  // that have not ended, and wait for nobody
};

void Count(const BatchBoard& board, Place place, StoreLines* lines) {
  const Target& target = board.At(place);
  if (target.state == state::SUCCEEDED) {
    lines->finished_us.push_back(target.finished_us);
  } else if (target.wait.has_value()) {
    lines->blocked.push_back(place);
  } else if (!HasEnded(board.lines()[place.line].state)) {
    ++lines->left;
  }
}

// The tenants of `blocked`, but that of `self`, by name.
std::string NamesBut(const BatchBoard& board, const std::vector<Place>& blocked, size_t self) {
  std::vector<std::string> names;
  for (const Place place : blocked) {
    if (place.line != self) {
      names.push_back(Printable(board.RecordAt(place).tenant()));
    }
  }
  const size_t more = names.size() - std::min(names.size(), kNamed);
  names.resize(names.size() - more);
  return absl::StrCat(absl::StrJoin(names, ", "),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

// Whether what the restore at `place` lacks may come with others of the batch.
bool LacksRowsOfTenants(const BatchBoard& board, Place place) {
  return !absl::StrContains(board.At(place).wait->message(), Absl(kRowsOfNobody));
}

// Why a restore fails that nothing can help: one that is alone with that, as it is. `blocked` are
// those that lack rows of tenants.
state::Failure StuckFailure(const BatchBoard& board, const std::vector<Place>& blocked,
                            Place place) {
  state::Failure failure = *board.At(place).wait;
  if (blocked.size() > 1 && LacksRowsOfTenants(board, place)) {
    const bool undo = !board.RecordAt(place).undo_of().empty();
    failure.set_message(absl::StrCat(
        "tenant ", Printable(board.RecordAt(place).tenant()), " cannot be ",
        undo ? "undone" : "restored", ", though all others of the batch have ended: ",
        failure.message(), ". The same holds of tenant ", NamesBut(board, blocked, place.line),
        undo ? "" : absl::StrCat("; ", Absl(kIfOfEachOther))));
  }
  return failure;
}

void Judge(const BatchBoard& board, const StoreLines& lines, BlockedLines* found) {
  const bool any_success = !lines.finished_us.empty();
  const int64_t last_success =
      any_success ? *std::max_element(lines.finished_us.begin(), lines.finished_us.end()) : 0;
  bool helped = false;
  for (const Place place : lines.blocked) {
    if (any_success && last_success > board.At(place).started_us && lines.left <= kFew) {
      found->again.push_back(board.RecordAt(place).restore());
      helped = true;
    }
  }
  if (helped || lines.left > 0) {
    return;
  }
  std::vector<Place> of_tenants;
  std::copy_if(lines.blocked.begin(), lines.blocked.end(), std::back_inserter(of_tenants),
               [&](Place place) { return LacksRowsOfTenants(board, place); });
  for (const Place place : lines.blocked) {
    found->stuck.emplace_back(board.RecordAt(place).restore(),
                              StuckFailure(board, of_tenants, place));
  }
}

}  // namespace

BlockedLines FindBlockedLines(const BatchBoard& board) {
  BlockedLines found;
  if (board.Waiting().empty()) {
    return found;
  }
  std::map<std::string, StoreLines> stores;
  for (size_t line = 0; line < board.lines().size(); ++line) {
    for (size_t target = 0; target < board.lines()[line].targets.size(); ++target) {
      Count(board, {line, target}, &stores[board.RecordAt({line, target}).store()]);
    }
  }
  for (const auto& [store, lines] : stores) {
    Judge(board, lines, &found);
  }
  return found;
}

std::string WaitingSentence(const BatchBoard& board) {
  const std::vector<Place> waiting = board.Waiting();
  if (waiting.empty()) {
    return "";
  }
  const Place first = waiting.front();
  return absl::StrCat(
      waiting.size() == 1 ? "1 restore is" : absl::StrCat(waiting.size(), " restores are"),
      " tried again once others of the batch are done, the first of tenant ",
      Printable(board.RecordAt(first).tenant()), ": ", board.At(first).wait->message());
}

}  // namespace reinstate
