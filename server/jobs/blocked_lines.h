#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/jobs/batch_board.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// What becomes of the restores of a batch that wait for others of it, since their last runs ended
// as KEY_CONFLICT: rows that theirs refer to were missing, or rows of others were in their way. It
// may be that these are rows of tenants of the same batch, and only the order was wrong.
struct BlockedLines {
  // Restores to be run again: others of the same store have been restored since their runs began,
  // and all have ended but a few, so that none is tried often in vain nor waits for a giant.
  std::vector<std::string> again;
  // Restores that nothing can help any more, since all others of their store have ended, each with
  // why it fails: if there are several, with a sentence that names the rest of them.
  std::vector<std::pair<std::string, state::Failure>> stuck;
};

// Looks at the lines one by one only if some wait. Pure.
BlockedLines FindBlockedLines(const BatchBoard& board);

// How many restores wait for others of the batch and why the first of them does, as a sentence for
// people; empty if none does.
std::string WaitingSentence(const BatchBoard& board);

}  // namespace reinstate
