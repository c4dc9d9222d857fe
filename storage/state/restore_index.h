#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Whether a restore in this state has ended for good.
bool HasEnded(state::JobState state);

// What must be known of restores without reading them all: those that have not ended, those
// that hooks are still to follow, the tenants that are blocked, and what is being undone. Kept in
// memory; thread-safe.
class RestoreIndex {
 public:
  // Takes note of `record` as it is now stored.
  void Update(const state::RestoreRecord& record);

  // Ids, ascending.
  std::vector<std::string> Unfinished() const;

  // Ids of those that have ended, ascending.
  std::vector<std::string> WithPendingHooks() const;

  // The restore of the tenant that is IN_DOUBT.
  std::optional<std::string> InDoubt(const std::string& store, const std::string& tenant) const;

  // The unfinished restore that undoes `restore`.
  std::optional<std::string> UndoUnderWay(const std::string& restore) const;

 private:
  using StoreAndTenant = std::pair<std::string, std::string>;

  mutable Mutex mu_;
  std::map<std::string, std::string> unfinished_ ABSL_GUARDED_BY(mu_);  // id -> what it undoes
  std::set<std::string> with_pending_hooks_ ABSL_GUARDED_BY(mu_);
  std::map<StoreAndTenant, std::string> in_doubt_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
