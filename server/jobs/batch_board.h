#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/jobs/batch_eta.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/recent_rate.h"
#include "server/jobs/store_throttle.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// What became of a line of a batch, over all of its stores. In a dry run, what is planned has
// SUCCEEDED. A line that has restores and a problem could not go on to its next store: it FAILED,
// or was CANCELLED if the problem says so. A line that was undone in any store is UNDONE, whatever
// became of it in the others, and the batch leaves it so: it is neither taken to its next store nor
// retried.
enum class BatchLineState : uint8_t {
  kNotRestored,  // it was left out
  kQueued,
  kRunning,
  kInDoubt,
  kSucceeded,
  kFailed,
  kCancelled,
  kUndone,
};
inline constexpr size_t kBatchLineStates = 8;

// What happens to rows, or happened.
struct RowCounts {
  int64_t inserted = 0;
  int64_t replaced = 0;
  int64_t deleted = 0;
  int64_t unchanged = 0;
  int64_t kept = 0;
  int64_t conflicts = 0;

  RowCounts& operator+=(const RowCounts& other);
  RowCounts& operator-=(const RowCounts& other);
};

// The lines of one batch and what is known of their restores (of a dry run: plans), with the sums
// over all of them, kept up to date as the restores change: looking at it costs the same however
// long the list is.
//
// Pure. Not thread-safe.
class BatchBoard {
 public:
  // The restore of a line in one store, as last seen.
  struct Target {
    state::JobState state = state::QUEUED;
    bool running = false;  // a worker is at it now
    // It is QUEUED until others of the batch are done, since its last run ended with this.
    std::optional<state::Failure> wait;
    bool hooks_pending = false;       // it succeeded, and hooks are still to follow
    bool hook_failed = false;         // one that is required, after it had succeeded
    bool any_hook_failed = false;     // the same, whether required or not
    bool cancelled_alone = false;     // CANCELLED, and not with its batch: a retry leaves it so
    std::optional<HookAttempt> hook;  // that is run now, before or after it
    RowCounts rows;
    state::Failure failure;
    bool has_certificate = false;
    int64_t started_us = 0;
    int64_t finished_us = 0;
  };

  struct Line {
    state::BatchLine record;
    std::vector<Target> targets;  // as in the record
    BatchLineState state = BatchLineState::kQueued;
  };

  explicit BatchBoard(bool dry_run) : dry_run_(dry_run) {}

  // Adds a line, or replaces the one with its number: targets that name another restore than before
  // are queued.
  void Put(const state::BatchLine& record);

  // Takes note of a restore or plan of the batch; others are ignored.
  void Update(const state::RestoreRecord& restore);
  void Update(const state::PlanRecord& plan);

  // The restore was undone.
  void SetUndone(const std::string& restore);

  // Whether a worker is at the restore now.
  void SetRunning(const std::string& restore, bool running, absl::Time now);

  // The hook of the restore that is run now, if any is.
  void SetHook(const std::string& restore, const std::optional<HookAttempt>& hook);

  const std::vector<Line>& lines() const { return lines_; }
  int64_t Count(BatchLineState state) const { return counts_[static_cast<size_t>(state)]; }
  const RowCounts& rows() const { return rows_; }  // of what has succeeded
  // Lines by the stores in which their tenants have no data at the point; none that is zero.
  const std::map<std::string, int64_t>& absences() const { return absences_; }

  // By the manifests, of all lines and of what has ended.
  int64_t total_rows() const { return total_.first; }
  int64_t total_bytes() const { return total_.second; }
  int64_t done_rows() const { return done_.first; }
  int64_t done_bytes() const { return done_.second; }

  // No restore waits or runs; what is in doubt waits for a person.
  bool AllEnded() const;

  // A line, and which of its targets.
  struct Place {
    size_t line = 0;
    size_t target = 0;
  };
  const Target& At(Place place) const { return lines_[place.line].targets[place.target]; }
  const state::BatchLine::Target& RecordAt(Place place) const {
    return lines_[place.line].record.targets(static_cast<int>(place.target));
  }
  // What runs now, at most `limit` and no line twice: the largest first, then what has succeeded
  // and of which a hook runs.
  std::vector<Place> Running(size_t limit) const;
  // Lines that failed last, newest first.
  std::vector<size_t> Failures(size_t limit) const;
  // Lines with the most rows to change.
  std::vector<size_t> Largest(size_t limit) const;
  // What waits for others of the batch, in the order of the lines.
  std::vector<Place> Waiting() const;
  // Targets whose restores have not ended.
  std::vector<Place> Unfinished() const;
  // Targets that have no restore yet, though those before them on their line have succeeded.
  std::vector<Place> Due() const;

  // The rows and bytes of what waits to be begun in each store, by the manifests, but for the
  // largest of it, which begins last. Without stores where nothing waits. In a dry run this and the
  // next are of the restores of what was planned.
  std::map<std::string, StoreThrottle::Size> BeforeTheLast() const;

  // As BatchEta::Of, of what has not ended.
  BatchEta::Estimate Eta(int lanes, absl::Time since, absl::Time now,
                         const std::vector<BatchEta::Sample>& earlier) const;

  // What was done in the recent time of what runs since `since`, by restores that have ended.
  RecentRate::Done Recent(absl::Time since, absl::Time now) const { return rate_.Of(since, now); }

  // Whether the restore (or plan) is still as Put left it.
  bool IsUntouched(const std::string& restore) const;

  // When the first restore began; 0 if none has.
  int64_t started_us() const { return started_us_; }

 private:
  using RowsAndBytes = std::pair<int64_t, int64_t>;

  void Change(Place place, const Target& next);
  void Count(const Target& target, const state::BatchLine::Target& record, int sign);
  void CountAbsences(const state::BatchLine& line, int sign);
  void Restate(size_t line);
  std::vector<Place> PlacesOf(const std::set<std::string>& restores) const;
  BatchLineState StateOf(const Line& line) const;
  static BatchLineState StateOfTargets(const std::vector<Target>& targets);
  static std::optional<BatchLineState> BadEndOf(const Line& line);
  static bool HasBegunWhatHasYetToEnd(const Line& line);
  bool IsLeft(const Line& line, const Target& target) const;

  const bool dry_run_;
  std::vector<Line> lines_;                           // by number
  std::map<std::string, Place, std::less<>> places_;  // by restore
  int64_t counts_[kBatchLineStates] = {};
  RowCounts rows_;
  std::map<std::string, int64_t> absences_;
  RowsAndBytes total_;
  RowsAndBytes done_;
  std::set<std::string> running_;
  std::set<std::string> at_hook_;  // no worker is at it, but a hook
  std::set<std::string> waiting_;  // for others of the batch
  std::deque<size_t> failures_;    // lines, newest first; may hold such as have been retried since
  BatchEta eta_;
  RecentRate rate_;
  int64_t started_us_ = 0;
};

// Whether a line that was added may not begin yet, since it has to be looked at first whether its
// tenant still loses rows.
bool WaitsForLook(const state::BatchOrder& order, const state::BatchLine& line);

// Whether the batch has ended, until it is retried or added to.
bool HasEnded(state::BatchState state);

// Whether nothing more happens to a line in this state.
bool HasEnded(BatchLineState state);

// The sums over the tables of a plan.
RowCounts RowsOf(const state::PlanSummary& plan);

}  // namespace reinstate
