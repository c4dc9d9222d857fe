#include "server/jobs/batch_board.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/state/restore_index.h"

namespace reinstate {
namespace {

constexpr size_t kFailuresKept = 64;

bool HasYetToEnd(const BatchBoard::Target& target) {
  return (!HasEnded(target.state) && target.state != state::IN_DOUBT) || target.hooks_pending;
}

// What hooks that failed after a restore that had succeeded make of it.
void AddFailedHooks(const state::RestoreRecord& restore, BatchBoard::Target* target) {
  target->hook_failed = false;
  target->any_hook_failed = false;
  if (restore.state() != state::SUCCEEDED || restore.hooks_pending()) {
    return;
  }
  for (const state::HookOutcome& hook : restore.hooks()) {
    if (!hook.after() || hook.succeeded()) {
      continue;
    }
    target->any_hook_failed = true;
    if (hook.required() && !target->hook_failed) {
      target->hook_failed = true;
      target->failure.set_reason(std::string(ReasonName(Reason::kHookFailed)));
      target->failure.set_message(absl::StrCat("the rows are back, but hook ", hook.name(),
                                               " after it failed: ", hook.message()));
    }
  }
}

// Whether somebody cancelled the restore by itself, which those who look at its batch are told.
void AddCancelledAlone(const state::RestoreRecord& restore, BatchBoard::Target* target) {
  const bool cancelled = restore.state() == state::CANCELLED;
  target->cancelled_alone = cancelled && restore.cancelled_alone();
  if (cancelled) {
    target->failure.set_retryable(!target->cancelled_alone);
  }
  if (target->cancelled_alone) {
    absl::StrAppend(target->failure.mutable_message(),
                    "; a retry of the batch leaves it so, since it was cancelled by itself");
  }
}

bool IsCancelled(const state::Failure& failure) {
  return failure.reason() == ReasonName(Reason::kCancelled);
}

// The state of a restore that ended as the plan did.
state::JobState StateOfPlan(const state::PlanRecord& plan) {
  switch (plan.state()) {
    case state::PLAN_READY:
      return state::SUCCEEDED;
    case state::PLAN_FAILED:
      return IsCancelled(plan.failure()) ? state::CANCELLED : state::FAILED;
    default:
      return state::QUEUED;
  }
}

bool HasRestores(const state::BatchLine& line) {
  return std::any_of(line.targets().begin(), line.targets().end(),
                     [](const auto& target) { return !target.restore().empty(); });
}

bool Names(const state::BatchLine& line, const std::string& restore) {
  return std::any_of(line.targets().begin(), line.targets().end(),
                     [&](const auto& target) { return target.restore() == restore; });
}

}  // namespace

bool WaitsForLook(const state::BatchOrder& order, const state::BatchLine& line) {
  return line.look_first() && !order.accept_shrinking();
}

bool HasEnded(state::BatchState state) {
  switch (state) {
    case state::BATCH_PLANNED:
    case state::BATCH_SUCCEEDED:
    case state::BATCH_PARTLY_FAILED:
    case state::BATCH_CANCELLED:
      return true;
    default:
      return false;
  }
}

bool HasEnded(BatchLineState state) {
  return state != BatchLineState::kQueued && state != BatchLineState::kRunning;
}

RowCounts& RowCounts::operator+=(const RowCounts& other) {
  inserted += other.inserted;
  replaced += other.replaced;
  deleted += other.deleted;
  unchanged += other.unchanged;
  kept += other.kept;
  conflicts += other.conflicts;
  return *this;
}

RowCounts& RowCounts::operator-=(const RowCounts& other) {
  inserted -= other.inserted;
  replaced -= other.replaced;
  deleted -= other.deleted;
  unchanged -= other.unchanged;
  kept -= other.kept;
  conflicts -= other.conflicts;
  return *this;
}

RowCounts RowsOf(const state::PlanSummary& plan) {
  RowCounts rows;
  for (const state::TableSummary& table : plan.tables()) {
    rows += {.inserted = table.inserted(),
             .replaced = table.replaced(),
             .deleted = table.deleted(),
             .unchanged = table.unchanged(),
             .kept = table.kept(),
             .conflicts = 0};
  }
  rows.conflicts = plan.conflict_count();
  return rows;
}

// --- Changes ---

void BatchBoard::Count(const Target& target, const state::BatchLine::Target& record, int sign) {
  total_.first += sign * record.rows();
  total_.second += sign * record.bytes();
  if (!HasYetToEnd(target)) {
    done_.first += sign * record.rows();
    done_.second += sign * record.bytes();
  }
  if (target.state == state::SUCCEEDED) {
    sign > 0 ? rows_ += target.rows : rows_ -= target.rows;
  }
}

void BatchBoard::CountAbsences(const state::BatchLine& line, int sign) {
  for (const std::string& store : line.absent_in()) {
    if ((absences_[store] += sign) == 0) {
      absences_.erase(store);
    }
  }
}

// Of a line whose restores have not all ended, or all have succeeded.
BatchLineState BatchBoard::StateOfTargets(const std::vector<Target>& targets) {
  const auto any = [&](const auto& is_so) {
    return std::any_of(targets.begin(), targets.end(), is_so);
  };
  const auto is = [](state::JobState wanted) {
    return [wanted](const Target& target) { return target.state == wanted; };
  };
  if (any(is(state::QUEUED))) {
    const bool begun = any(
        [](const Target& target) { return target.running || target.state == state::SUCCEEDED; });
    return begun ? BatchLineState::kRunning : BatchLineState::kQueued;
  }
  return any(HasYetToEnd) ? BatchLineState::kRunning : BatchLineState::kSucceeded;
}

// How a line ends that has not gone well; nothing if it goes well so far.
std::optional<BatchLineState> BatchBoard::BadEndOf(const Line& line) {
  const auto any = [&](state::JobState wanted) {
    return std::any_of(line.targets.begin(), line.targets.end(),
                       [&](const Target& target) { return target.state == wanted; });
  };
  if (any(state::UNDONE)) {
    return BatchLineState::kUndone;
  }
  if (line.record.has_problem()) {
    return IsCancelled(line.record.problem()) ? BatchLineState::kCancelled
                                              : BatchLineState::kFailed;
  }
  const bool hook_failed = std::any_of(line.targets.begin(), line.targets.end(),
                                       [](const Target& target) { return target.hook_failed; });
  if (any(state::FAILED) || hook_failed) {
    return BatchLineState::kFailed;
  }
  return any(state::CANCELLED) ? std::optional(BatchLineState::kCancelled) : std::nullopt;
}

bool BatchBoard::HasBegunWhatHasYetToEnd(const Line& line) {
  for (size_t i = 0; i < line.targets.size(); ++i) {
    const bool begun = !line.record.targets(static_cast<int>(i)).restore().empty();
    if (begun && HasYetToEnd(line.targets[i])) {
      return true;
    }
  }
  return false;
}

BatchLineState BatchBoard::StateOf(const Line& line) const {
  const bool left_out = dry_run_ ? !IsCancelled(line.record.problem()) : !HasRestores(line.record);
  if (line.record.has_problem() && left_out) {
    return BatchLineState::kNotRestored;
  }
  if (std::any_of(line.targets.begin(), line.targets.end(),
                  [](const Target& target) { return target.state == state::IN_DOUBT; })) {
    return BatchLineState::kInDoubt;
  }
  const std::optional<BatchLineState> bad_end = BadEndOf(line);
  if (!bad_end.has_value()) {
    return StateOfTargets(line.targets);
  }
  return HasBegunWhatHasYetToEnd(line) ? BatchLineState::kRunning : *bad_end;
}

void BatchBoard::Restate(size_t line) {
  const BatchLineState next = StateOf(lines_[line]);
  BatchLineState& present = lines_[line].state;
  --counts_[static_cast<size_t>(present)];
  ++counts_[static_cast<size_t>(next)];
  if (next == BatchLineState::kFailed && present != next) {
    failures_.push_front(line);
    failures_.resize(std::min(failures_.size(), kFailuresKept));
  }
  present = next;
}

void BatchBoard::Put(const state::BatchLine& record) {
  const auto number = static_cast<size_t>(record.number());
  for (; lines_.size() <= number; ++counts_[static_cast<size_t>(BatchLineState::kQueued)]) {
    lines_.emplace_back();
  }
  Line& line = lines_[number];
  for (size_t i = 0; i < line.targets.size(); ++i) {
    const state::BatchLine::Target& target = line.record.targets(static_cast<int>(i));
    Count(line.targets[i], target, -1);
    places_.erase(target.restore());
    if (!Names(record, target.restore())) {
      running_.erase(target.restore());
      at_hook_.erase(target.restore());
      waiting_.erase(target.restore());
    }
  }
  CountAbsences(line.record, -1);
  CountAbsences(record, 1);
  const Line before =
      std::exchange(line, Line{.record = record, .targets = {}, .state = line.state});
  for (int i = 0; i < record.targets_size(); ++i) {
    const state::BatchLine::Target& target = record.targets(i);
    const bool same = i < before.record.targets_size() && !target.restore().empty() &&
                      before.record.targets(i).restore() == target.restore();
    line.targets.push_back(same ? before.targets[static_cast<size_t>(i)] : Target());
    Count(line.targets.back(), target, 1);
    if (!target.restore().empty()) {
      places_[target.restore()] = {number, static_cast<size_t>(i)};
    }
  }
  Restate(number);
}

void BatchBoard::Change(Place place, const Target& next) {
  Target& target = lines_[place.line].targets[place.target];
  const state::BatchLine::Target& record = RecordAt(place);
  const bool ends_well = target.state != state::SUCCEEDED && next.state == state::SUCCEEDED;
  Count(target, record, -1);
  target = next;
  Count(target, record, 1);
  if (target.wait.has_value()) {
    waiting_.insert(record.restore());
  } else {
    waiting_.erase(record.restore());
  }
  if (!HasYetToEnd(target) || target.wait.has_value()) {
    target.running = false;
    running_.erase(record.restore());
  }
  if (target.hook.has_value() && !target.running) {
    at_hook_.insert(record.restore());
  } else {
    at_hook_.erase(record.restore());
  }
  if (ends_well && next.started_us != 0 && next.finished_us != 0) {
    const absl::Duration took = absl::Microseconds(next.finished_us - next.started_us);
    const absl::Time finished = absl::FromUnixMicros(next.finished_us);
    eta_.Ended(record.bytes(), took, finished);
    rate_.Ended(record.rows(), record.bytes(), took, finished);
  }
  if (next.started_us != 0 && (started_us_ == 0 || next.started_us < started_us_)) {
    started_us_ = next.started_us;
  }
  Restate(place.line);
}

void BatchBoard::Update(const state::RestoreRecord& restore) {
  const auto found = places_.find(restore.id());
  if (found == places_.end()) {
    return;
  }
  Target next = At(found->second);
  // The news that hooks have ended may be older than the undo, which is never taken back.
  const bool undone = next.state == state::UNDONE && restore.state() == state::SUCCEEDED;
  if (!undone) {
    next.state = restore.state() == state::RUNNING ? state::QUEUED : restore.state();
  }
  next.rows = RowsOf(restore.plan());
  next.failure = restore.failure();
  next.hooks_pending = restore.state() == state::SUCCEEDED && restore.hooks_pending();
  AddFailedHooks(restore, &next);
  AddCancelledAlone(restore, &next);
  next.has_certificate = restore.state() == state::SUCCEEDED || restore.state() == state::UNDONE;
  next.started_us = restore.started_us() != 0 ? restore.started_us() : next.started_us;
  next.wait.reset();
  if (restore.has_wait()) {
    next.wait = restore.wait().cause();
    next.started_us = restore.wait().began_us();
  }
  next.finished_us = restore.finished_us();
  Change(found->second, next);
}

void BatchBoard::Update(const state::PlanRecord& plan) {
  const auto found = places_.find(plan.id());
  if (found == places_.end()) {
    return;
  }
  Target next = At(found->second);
  next.state = StateOfPlan(plan);
  next.rows = RowsOf(plan.summary());
  next.failure = plan.failure();
  next.finished_us = plan.finished_us();
  Change(found->second, next);
}

void BatchBoard::SetUndone(const std::string& restore) {
  if (const auto found = places_.find(restore); found != places_.end()) {
    Target next = At(found->second);
    next.state = state::UNDONE;
    Change(found->second, next);
  }
}

void BatchBoard::SetHook(const std::string& restore, const std::optional<HookAttempt>& hook) {
  if (const auto found = places_.find(restore); found != places_.end()) {
    Target next = At(found->second);
    next.hook = hook;
    Change(found->second, next);
  }
}

void BatchBoard::SetRunning(const std::string& restore, bool running, absl::Time now) {
  const auto found = places_.find(restore);
  if (found == places_.end() || !HasYetToEnd(At(found->second)) ||
      At(found->second).running == running) {
    return;
  }
  Target next = At(found->second);
  next.running = running;
  if (running) {
    next.wait.reset();
    next.started_us = absl::ToUnixMicros(now);
    running_.insert(restore);
  } else {
    running_.erase(restore);
  }
  Change(found->second, next);
}

// --- Looking ---

bool BatchBoard::IsUntouched(const std::string& restore) const {
  const auto found = places_.find(restore);
  return found != places_.end() && At(found->second).state == state::QUEUED;
}

bool BatchBoard::AllEnded() const {
  return Count(BatchLineState::kQueued) == 0 && Count(BatchLineState::kRunning) == 0;
}

std::vector<BatchBoard::Place> BatchBoard::PlacesOf(const std::set<std::string>& restores) const {
  std::vector<Place> places;
  places.reserve(restores.size());
  for (const std::string& restore : restores) {
    places.push_back(places_.find(restore)->second);
  }
  return places;
}

std::vector<BatchBoard::Place> BatchBoard::Waiting() const {
  std::vector<Place> places = PlacesOf(waiting_);
  std::sort(places.begin(), places.end(), [](Place a, Place b) { return a.line < b.line; });
  return places;
}

std::vector<BatchBoard::Place> BatchBoard::Running(size_t limit) const {
  std::vector<Place> places = PlacesOf(running_);
  std::sort(places.begin(), places.end(), [&](Place a, Place b) {
    return RecordAt(a).bytes() != RecordAt(b).bytes() ? RecordAt(a).bytes() > RecordAt(b).bytes()
                                                      : a.line < b.line;
  });
  const std::vector<Place> at_hook = PlacesOf(at_hook_);
  places.insert(places.end(), at_hook.begin(), at_hook.end());
  // A hook after the restore in one store may still run while that in the next one does.
  std::set<size_t> lines;
  std::erase_if(places, [&](Place place) { return !lines.insert(place.line).second; });
  places.resize(std::min(places.size(), limit));
  return places;
}

std::vector<size_t> BatchBoard::Failures(size_t limit) const {
  std::vector<size_t> lines;
  for (const size_t line : failures_) {
    if (lines.size() < limit && lines_[line].state == BatchLineState::kFailed &&
        std::find(lines.begin(), lines.end(), line) == lines.end()) {
      lines.push_back(line);
    }
  }
  return lines;
}

std::vector<size_t> BatchBoard::Largest(size_t limit) const {
  std::vector<std::pair<int64_t, size_t>> sizes;
  for (size_t i = 0; i < lines_.size(); ++i) {
    int64_t rows = 0;
    for (const Target& target : lines_[i].targets) {
      rows += target.rows.inserted + target.rows.replaced + target.rows.deleted;
    }
    if (rows > 0) {
      sizes.emplace_back(-rows, i);
    }
  }
  std::sort(sizes.begin(), sizes.end());
  std::vector<size_t> lines;
  for (size_t i = 0; i < std::min(sizes.size(), limit); ++i) {
    lines.push_back(sizes[i].second);
  }
  return lines;
}

std::vector<BatchBoard::Place> BatchBoard::Unfinished() const {
  std::vector<Place> places;
  for (const auto& [restore, place] : places_) {
    if (HasYetToEnd(At(place))) {
      places.push_back(place);
    }
  }
  return places;
}

std::vector<BatchBoard::Place> BatchBoard::Due() const {
  std::vector<Place> due;
  for (size_t i = 0; i < lines_.size(); ++i) {
    if (HasEnded(lines_[i].state)) {
      continue;
    }
    for (size_t j = 0; j < lines_[i].targets.size(); ++j) {
      const bool begun = !RecordAt({i, j}).restore().empty();
      if (!begun) {
        due.push_back({i, j});
      }
      // In a dry run nothing has to wait for another store.
      if (!dry_run_ && lines_[i].targets[j].state != state::SUCCEEDED) {
        break;
      }
    }
  }
  return due;
}

// Whether its restore is yet to end; in a dry run, yet to be made.
bool BatchBoard::IsLeft(const Line& line, const Target& target) const {
  return dry_run_ ? line.state == BatchLineState::kSucceeded
                  : !HasEnded(line.state) && HasYetToEnd(target);
}

std::map<std::string, StoreThrottle::Size> BatchBoard::BeforeTheLast() const {
  std::map<std::string, StoreThrottle::Size> before;
  std::map<std::string, StoreThrottle::Size> largest;
  for (const Line& line : lines_) {
    for (size_t i = 0; i < line.targets.size(); ++i) {
      const state::BatchLine::Target& record = line.record.targets(static_cast<int>(i));
      if (!IsLeft(line, line.targets[i]) || line.targets[i].running) {
        continue;
      }
      StoreThrottle::Size& sum = before[record.store()];
      sum.rows += record.rows();
      sum.bytes += record.bytes();
      StoreThrottle::Size& most = largest[record.store()];
      most = {.rows = std::max(most.rows, record.rows()),
              .bytes = std::max(most.bytes, record.bytes())};
    }
  }
  for (auto& [store, sum] : before) {
    sum.rows -= largest[store].rows;
    sum.bytes -= largest[store].bytes;
  }
  return before;
}

BatchEta::Estimate BatchBoard::Eta(int lanes, absl::Time since, absl::Time now,
                                   const std::vector<BatchEta::Sample>& earlier) const {
  std::vector<BatchEta::Left> left;
  for (const Line& line : lines_) {
    for (size_t i = 0; i < line.targets.size(); ++i) {
      const Target& target = line.targets[i];
      if (IsLeft(line, target)) {
        const absl::Duration ran =
            target.running ? now - absl::FromUnixMicros(target.started_us) : absl::ZeroDuration();
        left.push_back({line.record.targets(static_cast<int>(i)).bytes(), ran});
      }
    }
  }
  return eta_.Of(left, lanes, since, now, earlier);
}

}  // namespace reinstate
