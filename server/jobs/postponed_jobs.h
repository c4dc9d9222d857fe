#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace reinstate {

// Jobs that are to be run again since their store was not available, until they end: how often that
// happened to each, and why it waits. Kept in memory only: a restart grants all runs anew.
//
// Thread-safe.
class PostponedJobs {
 public:
  // A job gets `most_runs` of which the store takes none.
  explicit PostponedJobs(int most_runs) : most_runs_(most_runs) {}

  // A run of the job ended with `why`, which says that `store` was not available. False if it was
  // the last run that it gets.
  bool Postpone(const std::string& id, const std::string& store, const absl::Status& why);

  // The job is run now, again or for the first time.
  void Begin(const std::string& id);

  // The job has ended.
  void Forget(const std::string& id);

  // Why jobs of `store` wait to be run again, as a sentence; nullopt if none does.
  std::optional<std::string> Why(const std::string& store) const;

 private:
  struct Postponed {
    std::string store;
    int runs = 0;
    bool waits = false;
    std::string why;
  };

  const int most_runs_;
  mutable Mutex mu_;
  std::map<std::string, Postponed> jobs_ ABSL_GUARDED_BY(mu_);  // by id
};

}  // namespace reinstate
