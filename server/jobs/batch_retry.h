#pragma once

#include "absl/status/status.h"
#include "server/jobs/batch_board.h"
#include "server/jobs/batch_desk.h"
#include "storage/state/state_store.h"

namespace reinstate {

// Adds to `parts` the line with new restores for those that FAILED or were CANCELLED; nothing if
// there are none, nor a problem. Errors of StateStore::GetRestore.
absl::Status AddRetry(const BatchDesk& desk, const BatchBoard::Line& line, BatchParts* parts);

}  // namespace reinstate
