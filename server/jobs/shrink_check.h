#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/jobs/batch_desk.h"
#include "server/jobs/shrink_watch.h"
#include "server/jobs/store_registry.h"

namespace reinstate {

// Looks whether tenants of a batch still lose rows before their restores begin: what deletes them
// may still be running. Of a batch that is CHECKING these are all of its tenants; of one that is
// RUNNING those of lines that were added, while the others go on: what a restore deletes itself is
// never taken for that. Not thread-safe; borrows what it is given.
class ShrinkCheck {
 public:
  ShrinkCheck(const StoreRegistry* stores, const BatchDesk* desk) : stores_(stores), desk_(desk) {}

  // Counts the rows, and once they were counted twice lets the lines begin, or takes the batch to
  // WAITING_FOR_CONSENT, where nothing more of it begins. Lines that have ended meanwhile, as
  // somebody cancelled them, have no say in that. Returns when to look again; InfiniteFuture if
  // that is over. Errors of CountLiveRows and of the state.
  absl::StatusOr<absl::Time> Look(const std::string& id);

  // The batch is neither CHECKING nor RUNNING: what was counted before does not count.
  void Forget(const std::string& id) { seen_.erase(id); }

 private:
  // The lines that wait for it, by what is known of the batch now.
  std::vector<state::BatchLine> LinesOf(const std::string& id) const;
  // Those of the lines with these numbers that have not ended may begin, unless some of them have
  // fewer rows in `after` than in `before`.
  absl::Status End(const std::string& id, const std::set<int32_t>& lines, const LiveRows& before,
                   const LiveRows& after);
  absl::Status LetBegin(const state::BatchRecord& batch, const std::set<int32_t>& lines);

  const StoreRegistry* const stores_;
  const BatchDesk* const desk_;
  struct Seen {
    absl::Time at;
    LiveRows rows;
    std::set<int32_t> lines;
  };
  std::map<std::string, Seen> seen_;  // at the first count, by batch
};

}  // namespace reinstate
