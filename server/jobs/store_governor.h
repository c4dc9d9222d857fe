#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/start_gate.h"
#include "server/jobs/store_throttle.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/base/periodic_thread.h"
#include "storage/live/live_store.h"

namespace reinstate {

struct StoreGovernorOptions {
  absl::Duration probe_every = absl::Seconds(1);  // each store that has jobs, in real time
  // So many probes in a row must find nothing before a store under pressure counts as well again:
  // each restore that begins may be what brings the pressure back.
  int good_probes = 2;
  const Clock* clock = Clock::System();
  JobObserver* observer = nullptr;  // borrowed; may be null
};

// Says when restores of a store may begin: by its throttle, and by how it is bearing up, which is
// asked while it has jobs. A store under pressure gets no further ones until it is well again;
// those that run go on.
//
// Thread-safe. A store that answers slowly holds up neither callers nor the probes of others.
// Borrows the stores.
class StoreGovernor final : public StartGate {
 public:
  // How many jobs a store has.
  struct Jobs {
    int64_t queued = 0;
    int64_t running = 0;
  };

  // How to reach the queue; called without locks, from any thread.
  struct Queue {
    std::function<Jobs(const std::string& store)> jobs;
    // HeldUntil(store) may have changed.
    std::function<void(const std::string& store)> ask_again;
  };

  StoreGovernor(const StoreGovernorOptions& options, Queue queue);
  ~StoreGovernor() override;  // as Shutdown

  // Governs `store` under this name. Before Start.
  void AddStore(const std::string& name, LiveStore* store);

  // Begins to probe.
  void Start();

  // Waits for probes under way, and probes no more. May be repeated, by one thread at a time.
  void Shutdown();

  // From now on. Of a store that is not governed: does nothing, as all calls do. Asks the queue to
  // ask again; not to be called with its locks held.
  void SetLimits(const std::string& store, const StoreThrottle::Limits& limits);

  // What restores of the store that began still owe its throttle; nullopt if that has no limits.
  std::optional<StoreThrottle::Debts> Owed(const std::string& store) const;
  // Takes up what an earlier process left, once there are limits. Before Start.
  void Owe(const std::string& store, const StoreThrottle::Debts& debts, absl::Time as_of);

  // Takes the budget of a restore; it is kept until Settle.
  void Begin(const Scheduler::Job& job) override;

  // A restore that began has ended, and wrote `actual`. As SetLimits. Returns its store; empty if
  // it had taken no budget.
  std::string Settle(const std::string& job, const StoreThrottle::Size& actual);

  absl::Time HeldUntil(const std::string& store) const override { return HeldUntil(store, {}); }
  // The same for what follows restores of so much that have yet to begin.
  absl::Time HeldUntil(const std::string& store, const StoreThrottle::Size& before) const;

  // Why no restore of the store is begun now.
  struct Hold {
    std::string reason;    // as JobObserver::RestoresHeldBack
    std::string sentence;  // for people
  };
  std::optional<Hold> HoldingBack(const std::string& store) const;

  // Looks at the store now, if it has jobs, and tells the observer how long they waited: what its
  // thread does again and again. One call a store at a time.
  void Look(const std::string& store);

 private:
  struct Governed {
    LiveStore* live = nullptr;
    StoreThrottle throttle;
    StoreHealth health;   // the last one under pressure, as long as that holds back
    int good_probes = 0;  // in a row since then
    // Since the observer was told: how long each reason held back, accounted up to a time.
    std::map<std::string, absl::Duration> held;
    absl::Time accounted = absl::InfinitePast();
    bool had_queued = false;  // at the last look
  };

  Governed* Find(const std::string& store) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void Judge(const StoreHealth& health, int good_probes, Governed* governed);
  static void Account(absl::Time now, Governed* governed);
  void TellHeld(const std::string& store, const Jobs& jobs);

  const StoreGovernorOptions options_;
  const Queue queue_;
  mutable Mutex mu_;
  std::map<std::string, Governed> stores_ ABSL_GUARDED_BY(mu_);
  // By job: its store and what it took.
  std::map<std::string, std::pair<std::string, StoreThrottle::Reservation>> reservations_
      ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<PeriodicThread>> threads_;
};

}  // namespace reinstate
