#include "server/rpc/store_monitor.h"

#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

StoreMonitor::~StoreMonitor() { Shutdown(); }

void StoreMonitor::Start() {
  thread_ = std::thread([this] { Work(); });
}

void StoreMonitor::Shutdown() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    wake_.SignalAll();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

void StoreMonitor::Work() {
  while (true) {
    for (const ServedStore* store : stores_->List()) {
      {
        MutexLock lock(&mu_);
        if (ending_) {
          return;
        }
      }
      Look(store->name).IgnoreError();
    }
    MutexLock lock(&mu_);
    const absl::Time next = absl::Now() + options_.every;
    while (!ending_ && absl::Now() < next) {
      wake_.WaitFor(&mu_, next - absl::Now());
    }
    if (ending_) {
      return;
    }
  }
}

StoreSighting StoreMonitor::Last(const std::string& store) const {
  MutexLock lock(&mu_);
  const auto found = sightings_.find(store);
  if (found != sightings_.end()) {
    return found->second;
  }
  StoreSighting never;
  never.status = MakeError(Reason::kUnavailable, "The store was not asked yet.");
  return never;
}

absl::StatusOr<StoreSighting> StoreMonitor::Look(const std::string& store) {
  ASSIGN_OR_RETURN(const ServedStore* served, stores_->Find(store));
  StoreSighting sighting = Last(store);
  const absl::StatusOr<StoreIdentity> identity = served->live->Identity();
  sighting.status = identity.status();
  if (identity.ok()) {
    sighting.found_identity = identity->id;
    sighting.found_address = identity->address;
    sighting.last_contact = options_.clock->Now();
    sighting.status = stores_->CheckIdentity(store);
  }
  if (sighting.status.ok()) {
    absl::StatusOr<TenantMap> catalog = served->live->Catalog();
    sighting.status = catalog.status();
    if (catalog.ok()) {
      sighting.catalog = std::make_shared<const TenantMap>(*std::move(catalog));
    }
  }
  MutexLock lock(&mu_);
  sightings_[store] = sighting;
  return sighting;
}

}  // namespace reinstate
