#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "reinstate/v1/job_service.pb.h"

namespace reinstate {

// The jobs of a list.
Fields<v1::Job> JobListFields(absl::Time now);

// Writes one job: for people line by line, as CSV as in a list.
absl::Status PrintJob(const v1::Job& job, const Session& session);

// Ends a command that began `job`: with `wait` waits for it, then shows it; without, says how to
// come back to it. The status is the job's outcome. `what` is for the progress: "Snapshot of main".
absl::Status ShowBegunJob(Session& session, v1::Job job, bool wait, const std::string& what);

}  // namespace reinstate
