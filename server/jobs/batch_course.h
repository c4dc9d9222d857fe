#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/jobs/batch_desk.h"
#include "storage/state/state_store.h"

namespace reinstate {

// The steps of a batch that restores, or that was cancelled, each durable and repeatable.
// Thread-safe; borrows the desk.
class BatchCourse {
 public:
  explicit BatchCourse(const BatchDesk* desk) : desk_(desk) {}

  // Begins the restores in the next stores of lines whose restores so far have succeeded. Asks
  // stores.
  absl::Status BeginDue(const std::string& id);

  // Tries those again that wait since rows of others were missing or in their way, once others of
  // the batch have been restored (see BlockedLines); those fail that this cannot help.
  absl::Status RunBlocked(const std::string& id);

  // Cancels the restores that have not ended; of a dry run, its plans.
  absl::Status CancelRest(const state::BatchRecord& batch);

  // In a batch that was cancelled no line goes on to its next store, nor is planned any more.
  absl::Status LeaveDue(const std::string& id);

  // A doubt in one store that was resolved lets the line go on to the next; while the batch is
  // undone, only once that has ended.
  absl::Status GoOnIfDue(const state::BatchRecord& batch);

  // Ends it if nothing of it waits or runs. A batch that it undid is looked at again.
  absl::Status EndIfDone(const std::string& id);

 private:
  using Due = std::vector<std::pair<state::BatchLine, size_t>>;
  // A line with the restore that it is given in the next store, or a problem.
  struct Begun {
    state::BatchLine before;
    size_t target = 0;
    state::BatchLine after;
    std::vector<state::RestoreRecord> restores;
  };
  Due DueLines(const std::string& id) const;
  absl::Status CheckDue(const state::BatchRecord& batch, std::vector<Begun>* begun) const;
  // Stores the parts under the batch in one step and queues its new restores. With `changing` held.
  absl::Status Begin(const std::string& id, BatchParts parts);

  const BatchDesk* const desk_;
};

}  // namespace reinstate
