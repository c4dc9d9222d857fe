#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/jobs/batch_desk.h"
#include "server/jobs/shrink_watch.h"
#include "server/jobs/store_registry.h"

namespace reinstate {

// Looks whether the tenants of a batch that is CHECKING still lose rows: what deletes them may
// still be running. Not thread-safe; borrows what it is given.
class ShrinkCheck {
 public:
  ShrinkCheck(const StoreRegistry* stores, const BatchDesk* desk) : stores_(stores), desk_(desk) {}

  // Counts the rows, and once they were counted twice takes the batch to RUNNING or
  // WAITING_FOR_CONSENT. Returns when to look again; InfiniteFuture if that is over. Errors of
  // CountLiveRows and of the state.
  absl::StatusOr<absl::Time> Look(const std::string& id);

  // The batch is not CHECKING: what was counted before does not count.
  void Forget(const std::string& id) { seen_.erase(id); }

 private:
  absl::Status End(const std::string& id, const std::vector<std::string>& shrunken);

  const StoreRegistry* const stores_;
  const BatchDesk* const desk_;
  struct Seen {
    absl::Time at;
    LiveRows rows;
  };
  std::map<std::string, Seen> seen_;  // at the first count, by batch
};

}  // namespace reinstate
