#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/jobs/batch_board.h"
#include "server/jobs/batch_desk.h"
#include "storage/state/state_store.h"

namespace reinstate {

// Whether a retry does anything of `line`: it has ended, was not undone, and has what AddRetry or
// FailedHooksOf finds. What somebody cancelled by itself is left as it is. Pure.
bool IsRetried(const BatchBoard::Line& line);

// Adds to `parts` the line with new restores for those that FAILED or were CANCELLED with the
// batch; nothing if there are none, nor a problem. Errors of StateStore::GetRestore.
absl::Status AddRetry(const BatchDesk& desk, const BatchBoard::Line& line, BatchParts* parts);

// The restores of the line that have SUCCEEDED and after which hooks failed. Pure.
std::vector<std::string> FailedHooksOf(const BatchBoard::Line& line);

}  // namespace reinstate
