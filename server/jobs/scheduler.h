#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace reinstate {

// Decides which queued job is run next. Pure: knows no threads and no clock.
//
// Of the jobs that may run, the one with the highest priority; waiting adds a step of priority
// every `aging`, so that none waits for ever. Among equals the shortest first, so that most are
// done soonest; but the largest of a store begins as soon as it would end after all the others
// that wait if it began any later, so that the tail stays short. Jobs of one
// tenant run in the order of their ids, one at a time; a store runs no more than its limit.
//
// Not thread-safe.
class Scheduler {
 public:
  struct Job {
    std::string id;      // ascends by time
    std::string store;   // of which no more than its limit run at once
    std::string tenant;  // of the store; one at a time
    int32_t priority = 0;
    int64_t size_rows = 0;
    int64_t size_bytes = 0;
    absl::Time queued;
    absl::Time not_before = absl::InfinitePast();
  };

  explicit Scheduler(absl::Duration aging) : aging_(aging) {}

  // How many jobs of `store` may run at once; no limit unless set.
  void SetLimit(const std::string& store, int limit);
  // nullopt: no limit.
  std::optional<int> Limit(const std::string& store) const;

  // Lets no job of `store` begin before `until`, in place of what was said before.
  void HoldStore(const std::string& store, absl::Time until);

  // Queues a job, in the place of a queued one with its id. One that runs is run again after that.
  void Add(Job job);

  // Takes a queued job out again. False if it is not queued.
  bool Remove(const std::string& id);

  // Moves the job to run next from the queue to the running ones. nullopt if none may run now.
  // Looks at every tenant that has queued jobs.
  std::optional<Job> Take(absl::Time now);

  // A running job has ended; it may be added again.
  void Finish(const std::string& id);

  // Keeps jobs of a tenant in the queue until Unblock.
  void Block(const std::string& store, const std::string& tenant);
  void Unblock(const std::string& store, const std::string& tenant);

  // Keeps a job from being run until Release, whether it is queued already or will be.
  void Hold(const std::string& id) { held_.insert(id); }
  void Release(const std::string& id) { held_.erase(id); }
  bool IsHeld(const std::string& id) const { return held_.contains(id); }

  // Gives a queued job another priority. False if it is not queued.
  bool SetPriority(const std::string& id, int32_t priority);

  // When the next queued job that had to wait until a certain time may run, itself or its store;
  // nullopt if none waits for a time.
  std::optional<absl::Time> NextStart(absl::Time now) const;

  // The bytes of a queued job and of those queued for the same store that come before it as things
  // are. 0 if it is not queued.
  int64_t BytesUpTo(const std::string& id, absl::Time now) const;

  // How many jobs a store has.
  struct Depth {
    int64_t queued = 0;
    int64_t running = 0;
    int64_t blocked_tenants = 0;
  };
  // Of each store that has any.
  std::map<std::string, Depth> Depths() const;

  size_t queued() const { return queue_.size(); }
  size_t running() const { return running_.size(); }

 private:
  using StoreAndTenant = std::pair<std::string, std::string>;

  struct Candidate {
    const Job* job;
    int64_t priority;  // aging included
    bool largest;      // the largest of its store goes first
  };

  int64_t PriorityOf(const Job& job, absl::Time now) const;
  std::vector<Candidate> Candidates(absl::Time now) const;
  // Before this, neither `job` nor its store lets it begin.
  absl::Time EarliestStart(const Job& job) const;
  const Job* FirstUnheld(const std::map<std::string, const Job*>& jobs) const;
  bool HasRoom(const std::string& store) const;
  // What is queued for a store and may run now.
  struct Waiting {
    int64_t bytes = 0;
    int64_t largest_bytes = 0;
  };
  bool WantsLargest(const std::string& store, const Waiting& waiting) const;
  int RunningOf(const std::string& store) const;

  const absl::Duration aging_;
  std::map<std::string, int> limits_;
  std::map<std::string, absl::Time> held_until_;  // by store
  std::map<std::string, Job> queue_;
  std::map<StoreAndTenant, std::map<std::string, const Job*>> by_tenant_;  // the same, by id
  std::map<std::string, Job> running_;
  std::set<StoreAndTenant> running_tenants_;
  std::map<std::string, int> running_of_;  // by store
  std::set<StoreAndTenant> blocked_;
  std::set<std::string> held_;
};

}  // namespace reinstate
