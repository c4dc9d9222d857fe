#include "server/jobs/job_watchers.h"

#include <utility>
#include <vector>

namespace reinstate {

std::shared_ptr<void> JobWatchers::Watch(const std::string& id, std::function<void()> on_change) {
  auto watcher = std::make_shared<Watcher>();
  {
    MutexLock lock(&watcher->mu);
    watcher->on_change = std::move(on_change);
  }
  MutexLock lock(&mu_);
  const auto place = watchers_.emplace(id, watcher);
  return {watcher.get(), [this, place, watcher](void*) {
            {
              MutexLock list_lock(&mu_);
              watchers_.erase(place);
            }
            // A Notify that has taken the watcher before finds nothing to call any more.
            MutexLock call_lock(&watcher->mu);
            watcher->on_change = nullptr;
          }};
}

void JobWatchers::Notify(const std::string& id) {
  std::vector<std::shared_ptr<Watcher>> called;
  {
    MutexLock lock(&mu_);
    const auto [begin, end] = watchers_.equal_range(id);
    for (auto it = begin; it != end; ++it) {
      called.push_back(it->second);
    }
  }
  for (const auto& watcher : called) {
    MutexLock lock(&watcher->mu);
    if (watcher->on_change) {
      watcher->on_change();
    }
  }
}

}  // namespace reinstate
