#include "server/jobs/snapshot_schedule.h"

#include <algorithm>

namespace reinstate {

void SnapshotSchedule::Began(const std::string& store, absl::Time time) {
  const auto [found, is_first] = last_.emplace(store, time);
  if (!is_first) {
    found->second = std::max(found->second, time);
  }
}

bool SnapshotSchedule::IsDue(const std::string& store, absl::Time now) {
  const auto interval = intervals_.find(store);
  if (interval == intervals_.end() || interval->second <= absl::ZeroDuration()) {
    return false;
  }
  const auto last = last_.find(store);
  if (last == last_.end()) {
    return true;
  }
  last->second = std::min(last->second, now);
  return now - last->second >= interval->second;
}

}  // namespace reinstate
