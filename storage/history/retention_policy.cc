#include "storage/history/retention_policy.h"

#include <functional>
#include <optional>

#include "absl/time/civil_time.h"

namespace reinstate {
namespace {

absl::CivilDay DayOf(const SnapshotInfo& info) {
  return absl::ToCivilDay(info.instant, absl::UTCTimeZone());
}

absl::CivilDay WeekOf(const SnapshotInfo& info) {
  return absl::PrevWeekday(DayOf(info) + 1, absl::Weekday::monday);
}

absl::CivilDay MonthOf(const SnapshotInfo& info) {
  return absl::CivilDay(absl::CivilMonth(DayOf(info)));
}

// Keeps the last snapshot of each of the newest `periods` periods that have any.
void KeepLastOfEach(const std::vector<SnapshotInfo>& snapshots, int64_t periods,
                    const std::function<absl::CivilDay(const SnapshotInfo&)>& period_of,
                    std::set<uint64_t>* kept) {
  std::set<absl::CivilDay> seen;
  for (auto info = snapshots.rbegin(); info != snapshots.rend(); ++info) {
    if (static_cast<int64_t>(seen.size()) < periods && seen.insert(period_of(*info)).second) {
      kept->insert(info->id.version);
    }
  }
}

}  // namespace

std::set<uint64_t> VersionsKeptBy(const RetentionPolicy& policy,
                                  const std::vector<SnapshotInfo>& snapshots) {
  std::set<uint64_t> kept;
  const bool keeps_all = policy.keep_last == 0 && policy.keep_daily == 0 &&
                         policy.keep_weekly == 0 && policy.keep_monthly == 0;
  int64_t left = keeps_all ? static_cast<int64_t>(snapshots.size()) : policy.keep_last;
  for (auto info = snapshots.rbegin(); info != snapshots.rend() && left > 0; ++info, --left) {
    kept.insert(info->id.version);
  }
  KeepLastOfEach(snapshots, policy.keep_daily, DayOf, &kept);
  KeepLastOfEach(snapshots, policy.keep_weekly, WeekOf, &kept);
  KeepLastOfEach(snapshots, policy.keep_monthly, MonthOf, &kept);
  return kept;
}

uint64_t ExpirySuspendedBefore(const std::vector<SnapshotInfo>& snapshots) {
  uint64_t suspended = 0;
  for (const SnapshotInfo& info : snapshots) {
    if (info.collapse.marked && !info.collapse.lifted) {
      suspended = info.id.version;
    }
  }
  return suspended;
}

}  // namespace reinstate
