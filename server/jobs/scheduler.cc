#include "server/jobs/scheduler.h"

#include <algorithm>
#include <tuple>

namespace reinstate {

void Scheduler::SetLimit(const std::string& store, int limit) { limits_[store] = limit; }

std::optional<int> Scheduler::Limit(const std::string& store) const {
  const auto limit = limits_.find(store);
  return limit == limits_.end() ? std::nullopt : std::optional(limit->second);
}

void Scheduler::HoldStore(const std::string& store, absl::Time until) {
  held_until_[store] = until;
}

absl::Time Scheduler::EarliestStart(const Job& job) const {
  const auto held = held_until_.find(job.store);
  return held == held_until_.end() ? job.not_before : std::max(job.not_before, held->second);
}

void Scheduler::Add(Job job) {
  Remove(job.id);
  const std::string id = job.id;
  const Job& queued = queue_.emplace(id, std::move(job)).first->second;
  by_tenant_[{queued.store, queued.tenant}].emplace(id, &queued);
}

bool Scheduler::Remove(const std::string& id) {
  const auto found = queue_.find(id);
  if (found == queue_.end()) {
    return false;
  }
  const auto tenant = by_tenant_.find({found->second.store, found->second.tenant});
  tenant->second.erase(id);
  if (tenant->second.empty()) {
    by_tenant_.erase(tenant);
  }
  queue_.erase(found);
  return true;
}

int64_t Scheduler::PriorityOf(const Job& job, absl::Time now) const {
  if (aging_ <= absl::ZeroDuration()) {
    return job.priority;
  }
  // A clock that stepped back must not take priority away.
  const absl::Duration waited = std::max(absl::ZeroDuration(), now - job.queued);
  return job.priority + absl::ToInt64Seconds(absl::Floor(waited, absl::Seconds(1))) /
                            std::max<int64_t>(1, absl::ToInt64Seconds(aging_));
}

int Scheduler::RunningOf(const std::string& store) const {
  const auto found = running_of_.find(store);
  return found == running_of_.end() ? 0 : found->second;
}

bool Scheduler::HasRoom(const std::string& store) const {
  const std::optional<int> limit = Limit(store);
  return !limit.has_value() || RunningOf(store) < *limit;
}

bool Scheduler::WantsLargest(const std::string& store, const Waiting& waiting) const {
  // With nothing else at work it would keep the others waiting instead.
  const int running = RunningOf(store);
  return running > 0 && waiting.largest_bytes >= waiting.bytes / (running + 1);
}

std::vector<Scheduler::Candidate> Scheduler::Candidates(absl::Time now) const {
  std::vector<Candidate> candidates;
  std::map<std::string, Waiting> waiting;  // by store
  std::map<std::string, bool> largest;
  for (const auto& [tenant, jobs] : by_tenant_) {
    if (!HasRoom(tenant.first) || running_tenants_.contains(tenant) || blocked_.contains(tenant)) {
      continue;
    }
    const Job* const job = FirstUnheld(jobs);
    if (job != nullptr && EarliestStart(*job) <= now) {
      candidates.push_back({job, PriorityOf(*job, now), false});
      Waiting& of_store = waiting[job->store];
      of_store.bytes += job->size_bytes;
      of_store.largest_bytes = std::max(of_store.largest_bytes, job->size_bytes);
    }
  }
  for (auto& [store, of_store] : waiting) {
    largest[store] = WantsLargest(store, of_store);
  }
  for (Candidate& candidate : candidates) {
    candidate.largest = largest[candidate.job->store];
  }
  return candidates;
}

const Scheduler::Job* Scheduler::FirstUnheld(const std::map<std::string, const Job*>& jobs) const {
  const auto first = std::find_if(jobs.begin(), jobs.end(),
                                  [&](const auto& entry) { return !held_.contains(entry.first); });
  return first == jobs.end() ? nullptr : first->second;
}

std::optional<Scheduler::Job> Scheduler::Take(absl::Time now) {
  const std::vector<Candidate> candidates = Candidates(now);
  if (candidates.empty()) {
    return std::nullopt;
  }
  // Ranked by priority, then whether its store wants the largest first, then size.
  const auto rank = [](const Candidate& candidate) {
    const int64_t size = candidate.job->size_bytes;
    return std::make_tuple(-candidate.priority, !candidate.largest,
                           candidate.largest ? -size : size, std::string_view(candidate.job->id));
  };
  const auto best =
      std::min_element(candidates.begin(), candidates.end(),
                       [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); });
  Job job = *best->job;
  Remove(job.id);
  running_tenants_.emplace(job.store, job.tenant);
  ++running_of_[job.store];
  running_.emplace(job.id, job);
  return job;
}

void Scheduler::Finish(const std::string& id) {
  const auto found = running_.find(id);
  if (found == running_.end()) {
    return;
  }
  const Job& job = found->second;
  running_tenants_.erase({job.store, job.tenant});
  --running_of_[job.store];
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
    ++depths[running.store].running;
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
