#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace reinstate {

// When snapshots of stores are due. Pure; not thread-safe.
class SnapshotSchedule {
 public:
  // `every` zero or less: never.
  void Set(const std::string& store, absl::Duration every) { intervals_[store] = every; }

  // A snapshot of `store` was begun, by whomever.
  void Began(const std::string& store, absl::Time time);

  // Whether one of `store` is due: none was begun yet, or the last one at least the interval ago. A
  // clock that stepped back behind the last one delays it by an interval at most.
  bool IsDue(const std::string& store, absl::Time now);

 private:
  std::map<std::string, absl::Duration> intervals_;
  std::map<std::string, absl::Time> last_;
};

}  // namespace reinstate
