#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/status_macros.h"
#include "storage/live/cut.h"
#include "storage/live/should_end.h"
#include "storage/live/tenant_session.h"
#include "storage/model/streams.h"
#include "storage/model/tenant_id.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// Says which store this is.
struct StoreIdentity {
  std::string id;  // equal exactly if it is the same store; opaque
  std::string
      address;  // host and database, or path; for people, since a physical copy has the same id

  friend bool operator==(const StoreIdentity&, const StoreIdentity&) = default;
};

// The pressure of a store that cannot be reached now.
inline constexpr char kUnreachable[] = "unreachable";

// How the store is bearing up.
struct StoreHealth {
  bool writable = true;

  // Why no further restore should begin in it now; empty if nothing speaks against it. A short
  // stable name of [a-z_], by which it is counted: kUnreachable, "wal_growth", "replication_lag",
  // "slot_headroom", "commit_latency", "sessions_waiting", "write_stall". The adapter judges, by
  // thresholds of its own.
  std::string pressure;

  std::string detail;  // a sentence for a person if it is not writable, or is under pressure

  // How many bytes its log may still take before somebody who follows it loses the thread (a
  // replication slot). A restore writes several times its rows. None: not known, or no limit.
  std::optional<int64_t> log_headroom_bytes;
};

// How many rows and bytes a tenant has live, roughly.
struct SizeEstimate {
  int64_t rows = 0;
  int64_t bytes = 0;
};

// What a look at one table showed, for whoever configures the store.
struct TableFinding {
  int64_t estimated_rows = -1;       // by the store's own estimate; below zero: not known
  std::vector<std::string> remarks;  // proposals and warnings, a phrase each
};

// What a store proposes about its tenant map.
struct StoreDiscovery {
  TenantMap map;
  std::vector<TableFinding> findings;  // one for each table of the map, or none at all
  std::string config;  // lines of configuration that say what is proposed; empty if there are none
};

// What an adapter can do beyond the contract; the conformance suite pins it for each.
struct StoreCapabilities {
  // TenantSession::Resolve settles every token that it gave within 30 days, without looking at
  // rows.
  bool resolves_tokens = false;
  // A key can belong to another tenant (false where the tenant is a part of every key).
  bool keys_span_tenants = false;
};

struct CutOptions {
  int max_shards = 1;  // how many readers will work at once, at least 1
};

struct SessionOptions {
  std::string purpose;  // e.g. "rst-01J…"; shown by the store where it can
  absl::Duration lock_timeout = absl::Seconds(10);  // how long to wait for the tenant's lock
  // Ends OpenTenant, whatever it waits for: the lock, or a store that does not answer.
  ShouldEnd should_end = nullptr;
};

// A live multi-tenant store: all that the engine knows of one. There is no way to write but through
// a TenantSession.
//
// Thread-safe. Outlives every cut and session that it opened. An adapter is one implementation;
// storage/live/README.md says how to write one, and the conformance suite (tests/conformance) what
// it must do.
//
// Every call can fail with UNAVAILABLE (the store cannot be reached now; a later call may succeed)
// and NOT_ALLOWED (the role lacks a privilege, which the message names).
class LiveStore {
 public:
  virtual ~LiveStore() = default;

  virtual StoreCapabilities Capabilities() const = 0;

  // Which store the adapter is connected to, asked anew.
  virtual absl::StatusOr<StoreIdentity> Identity() = 0;

  // As Identity, but ends as `should_end` says. Adapters that need not wait for an answer need not
  // ask it.
  virtual absl::StatusOr<StoreIdentity> IdentityUnless(const ShouldEnd& /*should_end*/) {
    return Identity();
  }

  // Says which store it must be from now on: cuts and sessions that find another one fail with
  // STORE_IDENTITY_CHANGED, and read and change nothing. Adapters that cannot come to another store
  // behind the same address need not look.
  virtual void Expect(const std::string& /*identity*/) {}

  // Every table as of now and how it relates to tenants, including those that are not resolved.
  // Apply fails with UNSUPPORTED or NOT_ALLOWED for changes of a table that has a write_refusal,
  // and for replacements and deletions where it has a replace_refusal.
  virtual absl::StatusOr<TenantMap> Catalog() = 0;

  // As Catalog, with what should be looked at before the store is relied on. Changes nothing.
  virtual absl::StatusOr<StoreDiscovery> Discover() {
    ASSIGN_OR_RETURN(TenantMap map, Catalog());
    return StoreDiscovery{.map = std::move(map), .findings = {}, .config = ""};
  }

  // `tenant` as the store itself writes its id, in cuts too: where ids are of a type that has
  // several texts for one value (an upper-case uuid, '007' of a number), they are one tenant, and
  // have one lock. Idempotent; looks at no rows. TENANT_ID_INVALID if no tenant of the store can
  // have that id.
  virtual absl::StatusOr<TenantId> CanonicalTenant(const TenantId& tenant) { return tenant; }

  // Opens a consistent view of the whole store, with at most `options.max_shards` shards.
  virtual absl::StatusOr<std::unique_ptr<Cut>> OpenCut(const CutOptions& options) = 0;

  // Takes the lock of `tenant`, in whichever of its texts it is given, waiting for it if need be;
  // no transaction is begun. The tenant need not have rows. At most one session a tenant exists at
  // any time, over all clients of the store; the application is not kept out. TENANT_BUSY if the
  // lock is not had within options.lock_timeout; what options.should_end gives, once it does.
  virtual absl::StatusOr<std::unique_ptr<TenantSession>> OpenTenant(
      const TenantId& tenant, const SessionOptions& options) = 0;

  // About how large `tenant` is live; not zero if it has rows. Cheap: reads few of them at most.
  virtual absl::StatusOr<SizeEstimate> EstimateTenant(const TenantId& tenant) = 0;

  // Counts the live rows of every tenant, in owned tables, in one consistent view. Reads keys or
  // indexes of the whole store.
  virtual absl::StatusOr<std::unique_ptr<TenantCountStream>> CountTenants() = 0;

  // Counts the live rows of each of `tenants`, in owned tables, as CountTenants does, but at the
  // cost of what these have, or had until just now, and not of the whole store. In their order; 0
  // for those that have none. The rows of one tenant are counted in one view; those of two may be
  // counted in two.
  virtual absl::StatusOr<std::vector<int64_t>> CountRowsOf(std::span<const TenantId> tenants) = 0;

  // Asked about once a second while restores run or wait. Takes some seconds at most.
  virtual StoreHealth ProbeHealth() = 0;
};

// The tables as `session` sees them in its transaction, which is one of `store`.
inline absl::StatusOr<TenantMap> CatalogOf(LiveStore* store, TenantSession* session) {
  ASSIGN_OR_RETURN(std::optional<TenantMap> map, session->Catalog());
  return map.has_value() ? *std::move(map) : store->Catalog();
}

}  // namespace reinstate
