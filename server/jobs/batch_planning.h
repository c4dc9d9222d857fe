#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/batch_desk.h"

namespace reinstate {

// The steps of a dry run, each durable and repeatable. Thread-safe; borrows the desk.
class BatchPlanning {
 public:
  explicit BatchPlanning(const BatchDesk* desk) : desk_(desk) {}

  // Orders plans for some of the lines that have none yet; true if there may be more of them. An
  // error if a store or the state does not answer: try again. Asks stores.
  absl::StatusOr<bool> MakePlans(const std::string& id);

  // Once all plans are made: the digest over them, and the end.
  absl::Status End(const std::string& id);

 private:
  std::vector<state::BatchLine> UnplannedLines(const std::string& id) const;
  absl::Status PlanLine(const state::BatchRecord& batch, state::BatchLine* line);
  absl::StatusOr<std::string> AddDigests(BatchParts* parts) const;

  const BatchDesk* const desk_;
};

}  // namespace reinstate
