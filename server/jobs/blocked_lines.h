#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "server/jobs/batch_board.h"

namespace reinstate {

// Lines of a batch whose restores failed as KEY_CONFLICT: rows that theirs refer to were missing,
// or rows of others were in their way. It may be that these are rows of tenants of the same batch,
// and only the order was wrong.
struct BlockedLines {
  // To be tried again: others of the same store have been restored since their restores began, and
  // all have ended but a few, so that none is tried often in vain nor waits for a giant.
  std::vector<size_t> again;
  // Several of one store that nothing has helped though all others have ended, each with a sentence
  // that names the rest of them.
  std::vector<std::pair<size_t, std::string>> stuck;
};

// Looks at the lines one by one only if some have failed. Lines that have a problem already are
// left out. Pure.
BlockedLines FindBlockedLines(const BatchBoard& board);

}  // namespace reinstate
