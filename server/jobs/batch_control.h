#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/batch_desk.h"
#include "server/jobs/batch_manager.h"
#include "server/jobs/batch_view.h"

namespace reinstate {

// What people do to a batch that exists: each as the method of BatchManager with its name.
// Thread-safe; borrows the desk.
class BatchControl {
 public:
  explicit BatchControl(const BatchDesk* desk) : desk_(desk) {}

  absl::StatusOr<BatchView> Pause(const std::string& id, const state::Actor& actor,
                                  const std::string& reason);
  absl::StatusOr<BatchView> Resume(const std::string& id, const state::Actor& actor,
                                   const std::string& reason);
  absl::StatusOr<BatchView> Cancel(const std::string& id, const state::Actor& actor,
                                   const std::string& reason);
  absl::StatusOr<BatchView> Retry(const std::string& id, const state::Actor& actor,
                                  const std::string& reason);
  absl::StatusOr<BatchView> Add(const std::string& id, const std::vector<BatchLineOrder>& lines,
                                BatchManager::AddOptions options, const state::Actor& actor,
                                const std::string& reason);
  absl::StatusOr<BatchView> Prioritize(const std::string& id,
                                       const std::vector<std::string>& tenants, int32_t priority,
                                       const state::Actor& actor, const std::string& reason);

 private:
  // A change of a batch's state from one of `from`.
  struct Step {
    std::set<state::BatchState> from;
    state::BatchState to = state::BATCH_STATE_UNSPECIFIED;
    std::string message;
    std::string reason;
    bool accept_shrinking = false;  // somebody consents to it
  };
  Step StepToResume(const state::BatchRecord& batch, const std::string& reason) const;
  // Takes the step, unless the batch is in another state. Returns it as it is then.
  absl::StatusOr<state::BatchRecord> Move(const std::string& id, const Step& step,
                                          const AuditDraft& audit);
  // New lines and restores under a batch, which runs again if it had ended.
  absl::StatusOr<BatchView> Extend(const std::string& id, BatchParts parts,
                                   const AuditDraft& audit);

  const BatchDesk* const desk_;
};

}  // namespace reinstate
