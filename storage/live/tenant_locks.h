#pragma once

#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"
#include "storage/live/should_end.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// The session locks of a store that lives in this process: at most one holder a tenant. They keep
// sessions apart from each other; what the application writes is not kept out by them.
//
// Thread-safe. Outlives every lock that it gave.
class TenantLocks {
 public:
  // Holds the lock of one tenant; destroying it releases.
  class Held {
   public:
    Held(TenantLocks* locks, std::string tenant) : locks_(locks), tenant_(std::move(tenant)) {}
    ~Held() { locks_->Release(tenant_); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

   private:
    TenantLocks* const locks_;
    const std::string tenant_;
  };

  // Waits until the lock of `tenant` is free and takes it. TENANT_BUSY if it is not had within
  // `timeout` of real time; a timeout of zero or less tries once; what `should_end` gives, once it
  // does. Waiters are not served in order.
  absl::StatusOr<std::unique_ptr<Held>> Take(const TenantId& tenant, absl::Duration timeout,
                                             const ShouldEnd& should_end = nullptr);

 private:
  void Release(const std::string& tenant);

  Mutex mu_;
  CondVar released_;
  std::set<std::string> held_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
