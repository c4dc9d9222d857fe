#include "server/jobs/store_governor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace reinstate {
namespace {

constexpr char kRows[] = "rows_per_second";
constexpr char kBytes[] = "bytes_per_second";

std::string ReasonOfCause(StoreThrottle::Cause cause) {
  return cause == StoreThrottle::Cause::kRows ? kRows : kBytes;
}

std::string ThrottleSentence(const StoreThrottle& throttle, const StoreThrottle::Start& start,
                             absl::Time now) {
  const bool rows = start.cause == StoreThrottle::Cause::kRows;
  const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(start.time - now, absl::Seconds(1)));
  return absl::StrCat("The limit of ",
                      rows ? throttle.limits().rows_per_second : throttle.limits().bytes_per_second,
                      rows ? " rows" : " bytes",
                      " a second is used up by restores that began; the next one begins in ",
                      seconds, " s.");
}

}  // namespace

StoreGovernor::StoreGovernor(const StoreGovernorOptions& options, Queue queue)
    : options_(options), queue_(std::move(queue)) {}

StoreGovernor::~StoreGovernor() { Shutdown(); }

void StoreGovernor::AddStore(const std::string& name, LiveStore* store) {
  MutexLock lock(&mu_);
  stores_[name].live = store;
}

void StoreGovernor::Start() {
  std::vector<std::string> names;
  {
    MutexLock lock(&mu_);
    for (const auto& [name, governed] : stores_) {
      names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    threads_.push_back(
        std::make_unique<PeriodicThread>(options_.probe_every, [this, name] { Look(name); }));
  }
}

void StoreGovernor::Shutdown() { threads_.clear(); }

StoreGovernor::Governed* StoreGovernor::Find(const std::string& store) {
  const auto found = stores_.find(store);
  return found == stores_.end() ? nullptr : &found->second;
}

void StoreGovernor::SetLimits(const std::string& store, const StoreThrottle::Limits& limits) {
  {
    MutexLock lock(&mu_);
    Governed* const governed = Find(store);
    if (governed == nullptr) {
      return;
    }
    const absl::Time now = options_.clock->Now();
    Account(now, governed);
    governed->throttle.SetLimits(limits, now);
  }
  queue_.ask_again(store);
}

std::optional<StoreThrottle::Debts> StoreGovernor::Owed(const std::string& store) const {
  MutexLock lock(&mu_);
  const auto found = stores_.find(store);
  if (found == stores_.end() || !found->second.throttle.has_limits()) {
    return std::nullopt;
  }
  return found->second.throttle.Owed(options_.clock->Now());
}

void StoreGovernor::Owe(const std::string& store, const StoreThrottle::Debts& debts,
                        absl::Time as_of) {
  {
    MutexLock lock(&mu_);
    if (Governed* const governed = Find(store); governed != nullptr) {
      governed->throttle.Owe(debts, as_of, options_.clock->Now());
    }
  }
  queue_.ask_again(store);
}

void StoreGovernor::Begin(const Scheduler::Job& job) {
  MutexLock lock(&mu_);
  if (Governed* const governed = Find(job.store); governed != nullptr) {
    const absl::Time now = options_.clock->Now();
    Account(now, governed);
    const StoreThrottle::Size size{.rows = job.size_rows, .bytes = job.size_bytes};
    reservations_[job.id] = {job.store, governed->throttle.Reserve(size, now)};
  }
}

std::string StoreGovernor::Settle(const std::string& job, const StoreThrottle::Size& actual) {
  std::string store;
  {
    MutexLock lock(&mu_);
    const auto found = reservations_.find(job);
    if (found == reservations_.end()) {
      return "";
    }
    store = found->second.first;
    Governed* const governed = Find(store);
    const absl::Time now = options_.clock->Now();
    Account(now, governed);
    governed->throttle.Settle(found->second.second, actual, now);
    reservations_.erase(found);
  }
  queue_.ask_again(store);
  return store;
}

absl::Time StoreGovernor::HeldUntil(const std::string& store,
                                    const StoreThrottle::Size& before) const {
  MutexLock lock(&mu_);
  const auto found = stores_.find(store);
  if (found == stores_.end()) {
    return absl::InfinitePast();
  }
  const Governed& governed = found->second;
  if (!governed.health.pressure.empty()) {
    return absl::InfiniteFuture();
  }
  const StoreThrottle::Start start = governed.throttle.NextStart(options_.clock->Now(), before);
  return start.cause == StoreThrottle::Cause::kNone ? absl::InfinitePast() : start.time;
}

std::optional<StoreGovernor::Hold> StoreGovernor::HoldingBack(const std::string& store) const {
  MutexLock lock(&mu_);
  const auto found = stores_.find(store);
  if (found == stores_.end()) {
    return std::nullopt;
  }
  const Governed& governed = found->second;
  if (!governed.health.pressure.empty()) {
    const StoreHealth& health = governed.health;
    return Hold{health.pressure, health.detail.empty()
                                     ? absl::StrCat("The store reports ", health.pressure, ".")
                                     : health.detail};
  }
  const absl::Time now = options_.clock->Now();
  const StoreThrottle::Start start = governed.throttle.NextStart(now, {});
  if (start.cause == StoreThrottle::Cause::kNone) {
    return std::nullopt;
  }
  return Hold{ReasonOfCause(start.cause), ThrottleSentence(governed.throttle, start, now)};
}

// The time since the last call, of which nothing has changed meanwhile.
void StoreGovernor::Account(absl::Time now, Governed* governed) {
  const absl::Time since = std::exchange(governed->accounted, now);
  if (since == absl::InfinitePast() || now <= since) {
    return;
  }
  if (!governed->health.pressure.empty()) {
    governed->held[governed->health.pressure] += now - since;
    return;
  }
  const StoreThrottle::Start start = governed->throttle.NextStart(since, {});
  if (start.cause != StoreThrottle::Cause::kNone) {
    governed->held[ReasonOfCause(start.cause)] += std::min(now, start.time) - since;
  }
}

void StoreGovernor::Judge(const StoreHealth& health, int good_probes, Governed* governed) {
  if (!health.pressure.empty()) {
    governed->health = health;
    governed->good_probes = 0;
  } else if (++governed->good_probes >= good_probes) {
    governed->health = StoreHealth();
  }
}

void StoreGovernor::TellHeld(const std::string& store, const Jobs& jobs) {
  std::map<std::string, absl::Duration> held;
  bool waited = jobs.queued > 0;
  {
    MutexLock lock(&mu_);
    Governed* const governed = Find(store);
    Account(options_.clock->Now(), governed);
    held.swap(governed->held);
    waited |= std::exchange(governed->had_queued, waited);
  }
  if (!waited || options_.observer == nullptr) {
    return;
  }
  for (const auto& [reason, time] : held) {
    options_.observer->RestoresHeldBack(store, reason, time);
  }
}

void StoreGovernor::Look(const std::string& store) {
  LiveStore* live = nullptr;
  {
    MutexLock lock(&mu_);
    const Governed* const governed = Find(store);
    if (governed == nullptr) {
      return;
    }
    live = governed->live;
  }
  const Jobs jobs = queue_.jobs(store);
  // What was seen long ago says nothing of now: a store without jobs is taken for well.
  const bool has_jobs = jobs.queued + jobs.running > 0;
  const StoreHealth health = has_jobs ? live->ProbeHealth() : StoreHealth();
  TellHeld(store, jobs);
  std::string before;
  std::string after;
  {
    MutexLock lock(&mu_);
    Governed* const governed = Find(store);
    before = governed->health.pressure;
    Judge(health, has_jobs ? options_.good_probes : 1, governed);
    after = governed->health.pressure;
  }
  if (after != before && after.empty()) {
    spdlog::info("restores begin again store={}", store);
  } else if (after != before) {
    spdlog::warn("restores are held back store={} reason={}: {}", store, after, health.detail);
  }
  // With jobs also if nothing changed: the clock may have been set.
  if (has_jobs || after != before) {
    queue_.ask_again(store);
  }
}

}  // namespace reinstate
