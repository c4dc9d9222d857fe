#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/history/history.h"
#include "storage/live/live_store.h"
#include "storage/live/record_store.h"
#include "storage/state/state_store.h"

namespace reinstate {

// A store that the daemon serves.
struct ServedStore {
  std::string name;
  std::string adapter;             // "embedded", "remote", "postgres"
  LiveStore* live = nullptr;       // borrowed; never null
  RecordStore* records = nullptr;  // borrowed; null unless embedded
  uint32_t lineage = 0;            // of its own snapshots
  int max_running_restores = 4;
};

// The stores by name, each bound to the identity that it had at registration. Thread-safe.
class StoreRegistry {
 public:
  StoreRegistry(History* history, StateStore* state) : history_(history), state_(state) {}

  // Registers `store` (its lineage is set here). At the first time its identity is bound, durably;
  // later a different identity is remembered as changed. A store that cannot be reached now is
  // registered all the same.
  absl::Status Register(ServedStore store);

  // STORE_NOT_FOUND, or INVALID_ARGUMENT if `name` is empty, with the names that there are.
  // Borrowed; lives as long as this.
  absl::StatusOr<const ServedStore*> Find(const std::string& name) const;

  std::vector<const ServedStore*> List() const;

  // Asks the store who it is: STORE_IDENTITY_CHANGED if it is not the one that was registered;
  // UNAVAILABLE. Called before every snapshot and restore. Binds a store that was not reachable
  // when it was registered. Ends as `should_end` says, once it does.
  absl::Status CheckIdentity(const std::string& name, const ShouldEnd& should_end = nullptr);

  // The tenant that `text` means in the store, as the history has it too: every id that comes from
  // outside goes through here. TENANT_ID_INVALID, STORE_NOT_FOUND. Of a store that cannot answer
  // now, `text` as it is.
  absl::StatusOr<TenantId> CanonicalTenant(const std::string& name, std::string_view text) const;

  // Binds the store to the identity that it has now, which must be `expected_identity`:
  // STORE_IDENTITY_CHANGED with the one that it has if it is not. STORE_NOT_FOUND, UNAVAILABLE.
  absl::Status Rebind(const std::string& name, const std::string& expected_identity,
                      const state::Actor& actor, const std::string& reason);

  // Stores how fast restores may write into the store, until it is called again; rebinding keeps
  // it. STORE_NOT_FOUND; UNAVAILABLE if the store never could be reached.
  absl::Status SetThrottle(const std::string& name, const state::Throttle& throttle,
                           const state::Actor& actor, const std::string& reason);
  // Stores what restores owe that throttle. Errors as there.
  absl::Status SetThrottleDebt(const std::string& name, const state::ThrottleDebt& debt);

  // As registered: identity and address, and its throttle. STORE_NOT_FOUND; UNAVAILABLE if it never
  // could be reached.
  absl::StatusOr<state::StoreRecord> Record(const std::string& name) const;

 private:
  absl::StatusOr<std::optional<state::StoreRecord>> Bound(const std::string& name) const;
  absl::Status Bind(const ServedStore& store, const StoreIdentity& identity,
                    const AuditDraft& audit);

  History* const history_;
  StateStore* const state_;
  Mutex records_mu_;  // one change of a stored record at a time
  mutable Mutex mu_;
  std::map<std::string, std::unique_ptr<ServedStore>> stores_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
