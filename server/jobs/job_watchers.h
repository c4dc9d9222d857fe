#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "storage/base/mutex.h"

namespace reinstate {

// Who wants to be told when a job changes. Thread-safe; outlives its guards.
class JobWatchers {
 public:
  // Calls `on_change` at each Notify of `id` until the returned guard is destroyed, which waits for
  // a call under way.
  std::shared_ptr<void> Watch(const std::string& id, std::function<void()> on_change);

  // Calls those who watch `id`, on this thread.
  void Notify(const std::string& id);

 private:
  struct Watcher {
    Mutex mu;  // held while on_change runs
    std::function<void()> on_change ABSL_GUARDED_BY(mu);
  };

  Mutex mu_;
  std::multimap<std::string, std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
