#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/command_tree.h"
#include "client/cli/session.h"
#include "reinstate/v1/batch_service.pb.h"

namespace reinstate {

// Waits until a batch is final, with a live view on stderr, or with `stream` as BatchEvents writes
// it; through restarts of the daemon. When interrupted, says that the batch goes on,
// and how to come back. Errors are those of waiting.
absl::StatusOr<v1::Batch> WaitForBatch(const std::string& id, bool stream, Session& session);

// All lines of a batch, in their order.
absl::StatusOr<std::vector<v1::BatchLine>> AllLines(const std::string& batch, Session& session);

// Tells people how a batch has ended that is final: why lines were not restored, grouped by reason
// with the next command for each, and what can be done next. Returns OutcomeOf.
absl::Status ReportBatchOutcome(const v1::Batch& batch, Session& session);

// How a command follows the batch that it began or changed.
struct FollowOptions {
  bool wait = false;
  std::string summary;  // the file for the summary, as CSV; needs `wait`; empty: none
  bool force = false;   // the file may be overwritten
};

// The options of a command that follows.
void AddFollowOptions(CLI::App* command, FollowOptions* options);

// OK if the summary could be written now. INVALID_ARGUMENT else.
absl::Status CheckSummaryFile(const FollowOptions& options);

// Shows a batch that was begun or changed; with `wait` how it ended, which is also the status.
absl::Status ShowBegunBatch(v1::Batch batch, const FollowOptions& options, Session& session);

}  // namespace reinstate
