#include "server/jobs/scheduler.h"

#include <algorithm>
#include <tuple>

namespace reinstate {

void Scheduler::SetLimit(const std::string& store, int limit) { limits_[store] = limit; }

void Scheduler::HoldStore(const std::string& store, absl::Time until) {
  held_until_[store] = until;
}

absl::Time Scheduler::EarliestStart(const Job& job) const {
  const auto held = held_until_.find(job.store);
  return held == held_until_.end() ? job.not_before : std::max(job.not_before, held->second);
}

void Scheduler::Add(Job job) {
  std::string id = job.id;
  queue_.insert_or_assign(std::move(id), std::move(job));
}

bool Scheduler::Remove(const std::string& id) { return queue_.erase(id) > 0; }

int64_t Scheduler::PriorityOf(const Job& job, absl::Time now) const {
  if (aging_ <= absl::ZeroDuration()) {
    return job.priority;
  }
  // A clock that stepped back must not take priority away.
  const absl::Duration waited = std::max(absl::ZeroDuration(), now - job.queued);
  return job.priority + absl::ToInt64Seconds(absl::Floor(waited, absl::Seconds(1))) /
                            std::max<int64_t>(1, absl::ToInt64Seconds(aging_));
}

Scheduler::Load Scheduler::LoadOf(const std::string& store) const {
  const auto found = loads_.find(store);
  return found == loads_.end() ? Load() : found->second;
}

bool Scheduler::HasRoom(const std::string& store) const {
  const Load load = LoadOf(store);
  const auto limit = limits_.find(store);
  return limit == limits_.end() || load.shortest + load.largest < limit->second;
}

bool Scheduler::WantsLargest(const std::string& store) const {
  const Load load = LoadOf(store);
  return load.largest == 0 && load.shortest > 0;
}

std::vector<Scheduler::Candidate> Scheduler::Candidates(absl::Time now) const {
  std::vector<Candidate> candidates;
  std::set<StoreAndTenant> seen;
  for (const auto& [id, job] : queue_) {
    if (held_.contains(id)) {
      continue;
    }
    const StoreAndTenant tenant(job.store, job.tenant);
    const bool is_first = seen.insert(tenant).second;
    if (is_first && EarliestStart(job) <= now && HasRoom(job.store) &&
        !running_tenants_.contains(tenant) && !blocked_.contains(tenant)) {
      candidates.push_back({&job, PriorityOf(job, now)});
    }
  }
  return candidates;
}

std::optional<Scheduler::Job> Scheduler::Take(absl::Time now) {
  const std::vector<Candidate> candidates = Candidates(now);
  if (candidates.empty()) {
    return std::nullopt;
  }
  // Ranked by priority, then whether it fills its store's lane for the largest, then size.
  const auto rank = [this](const Candidate& candidate) {
    const bool largest = WantsLargest(candidate.job->store);
    const int64_t size = candidate.job->size_bytes;
    return std::make_tuple(-candidate.priority, !largest, largest ? -size : size);
  };
  const auto best =
      std::min_element(candidates.begin(), candidates.end(),
                       [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); });
  Running running{*best->job, WantsLargest(best->job->store)};
  const Job job = running.job;
  queue_.erase(job.id);
  running_tenants_.emplace(job.store, job.tenant);
  ++(running.largest ? loads_[job.store].largest : loads_[job.store].shortest);
  running_.emplace(job.id, std::move(running));
  return job;
}

void Scheduler::Finish(const std::string& id) {
  const auto found = running_.find(id);
  if (found == running_.end()) {
    return;
  }
  const Job& job = found->second.job;
  running_tenants_.erase({job.store, job.tenant});
  --(found->second.largest ? loads_[job.store].largest : loads_[job.store].shortest);
  running_.erase(found);
}

bool Scheduler::SetPriority(const std::string& id, int32_t priority) {
  const auto found = queue_.find(id);
  if (found == queue_.end()) {
    return false;
  }
  found->second.priority = priority;
  return true;
}

void Scheduler::Block(const std::string& store, const std::string& tenant) {
  blocked_.emplace(store, tenant);
}

void Scheduler::Unblock(const std::string& store, const std::string& tenant) {
  blocked_.erase({store, tenant});
}

std::optional<absl::Time> Scheduler::NextStart(absl::Time now) const {
  std::optional<absl::Time> next;
  for (const auto& [id, job] : queue_) {
    const absl::Time start = EarliestStart(job);
    if (start > now && start < next.value_or(absl::InfiniteFuture())) {
      next = start;
    }
  }
  return next;
}

std::map<std::string, Scheduler::Depth> Scheduler::Depths() const {
  std::map<std::string, Depth> depths;
  for (const auto& [id, job] : queue_) {
    ++depths[job.store].queued;
  }
  for (const auto& [id, running] : running_) {
    ++depths[running.job.store].running;
  }
  for (const auto& [store, tenant] : blocked_) {
    ++depths[store].blocked_tenants;
  }
  return depths;
}

int64_t Scheduler::BytesUpTo(const std::string& id, absl::Time now) const {
  const auto found = queue_.find(id);
  if (found == queue_.end()) {
    return 0;
  }
  const auto rank = [&](const Job& job) {
    return std::make_tuple(-PriorityOf(job, now), job.size_bytes, std::string_view(job.id));
  };
  const auto own = rank(found->second);
  int64_t bytes = 0;
  for (const auto& [other_id, job] : queue_) {
    if (job.store == found->second.store && rank(job) <= own) {
      bytes += job.size_bytes;
    }
  }
  return bytes;
}

}  // namespace reinstate
