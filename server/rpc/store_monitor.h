#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/jobs/store_registry.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// How a store was when it was last asked. A value.
struct StoreSighting {
  absl::Status status;  // OK, UNAVAILABLE, STORE_IDENTITY_CHANGED, …; UNAVAILABLE before the first
  std::string found_identity;  // what it said last; empty if never
  std::string found_address;
  absl::Time last_contact = absl::InfinitePast();
  std::shared_ptr<const TenantMap> catalog;  // null if it was never read
};

// Asks the stores now and then how they are, so that lists need not wait for them. Thread-safe;
// borrows what it is given.
class StoreMonitor {
 public:
  struct Options {
    absl::Duration every = absl::Seconds(15);
    const Clock* clock = Clock::System();
  };

  StoreMonitor(Options options, StoreRegistry* stores) : options_(options), stores_(stores) {}
  ~StoreMonitor();  // as Shutdown
  StoreMonitor(const StoreMonitor&) = delete;
  StoreMonitor& operator=(const StoreMonitor&) = delete;

  // Begins to ask, at once. Once.
  void Start();
  void Shutdown();

  // As last seen; an unknown store was never seen.
  StoreSighting Last(const std::string& store) const;

  // Asks the store now, its catalog included; what is found is also what Last says from now on. May
  // block. STORE_NOT_FOUND; the sighting's own status says what is wrong with the store.
  absl::StatusOr<StoreSighting> Look(const std::string& store);

 private:
  void Work();

  const Options options_;
  StoreRegistry* const stores_;
  std::thread thread_;
  mutable Mutex mu_;
  CondVar wake_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, StoreSighting> sightings_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
