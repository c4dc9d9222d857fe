#pragma once

#include <functional>
#include <memory>
#include <string>

#include "storage/base/mutex.h"
#include "storage/live/live_store.h"
#include "storage/live/postgres/health_probe.h"
#include "storage/live/postgres/large_changes.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/pg_connection_pool.h"
#include "storage/live/postgres/postgres_store_options.h"

namespace reinstate {

// One PostgreSQL database, 15 or later, whose tables tenants share: a tenant's rows are told by a
// column, a path of foreign keys or an expression (ownership.h). The identity is the cluster's
// system identifier and the database's OID. README.md beside this file says what it needs.
//
// Thread-safe. Connects when it is first used. Keeps a few connections for short questions; each
// cut and session has connections of its own.
class PostgresStore final : public LiveStore {
 public:
  // The server need not be there.
  static std::unique_ptr<PostgresStore> Create(PostgresStoreOptions options);

  ~PostgresStore() override;

  StoreCapabilities Capabilities() const override;

  // NOT_ALLOWED also if the role may not execute pg_control_system().
  absl::StatusOr<StoreIdentity> Identity() override { return IdentityUnless(nullptr); }
  absl::StatusOr<StoreIdentity> IdentityUnless(const ShouldEnd& should_end) override;

  // Looked at on each connection that reads or changes rows.
  void Expect(const std::string& identity) override;

  // CONFIG_INVALID if the configuration of the map does not fit the tables.
  absl::StatusOr<TenantMap> Catalog() override;

  absl::StatusOr<StoreDiscovery> Discover() override;

  // By a cast to the type of tenants' ids. While nothing is known to be owned, `tenant` as it is.
  absl::StatusOr<TenantId> CanonicalTenant(const TenantId& tenant) override;

  // TABLE_UNRESOLVED also while the configuration says nothing of tenants.
  absl::StatusOr<std::unique_ptr<Cut>> OpenCut(const CutOptions& options) override;
  absl::StatusOr<std::unique_ptr<TenantSession>> OpenTenant(const TenantId& tenant,
                                                            const SessionOptions& options) override;

  // By the planner: as good as the statistics are.
  absl::StatusOr<SizeEstimate> EstimateTenant(const TenantId& tenant) override;

  absl::StatusOr<std::unique_ptr<TenantCountStream>> CountTenants() override;
  // TENANT_ID_INVALID if one of them can be no tenant of the store.
  absl::StatusOr<std::vector<int64_t>> CountRowsOf(std::span<const TenantId> tenants) override;
  StoreHealth ProbeHealth() override { return health_.Probe(); }

  // The map as it is now, with its facts.
  absl::StatusOr<std::shared_ptr<const PgTenantMap>> ReadMap() { return ReadMapUnless(nullptr); }

 private:
  explicit PostgresStore(PostgresStoreOptions options);

  using Question = std::function<absl::Status(PgConnection*)>;
  // Asks on an idle connection, or on a new one; on a new one too if the idle one was lost.
  // `should_end` ends the wait for the answer, and for a connection.
  absl::Status Ask(const Question& question, const ShouldEnd& should_end = nullptr);
  // As Ask, within a transaction, for its settings and its view.
  absl::Status AskInTransaction(const Question& question, const ShouldEnd& should_end = nullptr);
  absl::StatusOr<std::unique_ptr<PgConnection>> Connect(const ShouldEnd& should_end) const;
  std::string ExpectedIdentity();
  // A view of the tables for something that may take long, on a connection of its own.
  struct Scan {
    std::unique_ptr<PgConnection> connection;
    PgTenantMap map;
  };
  absl::StatusOr<Scan> OpenScan();
  absl::Status ReadMapWith(PgConnection* connection, std::shared_ptr<const PgTenantMap>* map);
  absl::StatusOr<std::shared_ptr<const PgTenantMap>> ReadMapUnless(const ShouldEnd& should_end);
  absl::StatusOr<TenantId> CanonicalTenantOf(const PgTenantMap& map, TenantId tenant,
                                             const ShouldEnd& should_end = nullptr);
  void Remember(std::shared_ptr<const PgTenantMap> map);
  // The map of the last look, if it is not old, else a new one.
  absl::StatusOr<std::shared_ptr<const PgTenantMap>> RecentMap(
      const ShouldEnd& should_end = nullptr);

  const PostgresStoreOptions options_;
  PgOptions connecting_;
  PgConnectionPool of_sessions_{4};
  PgConnectionPool second_of_sessions_{4};
  PgConnectionPool of_questions_{2};
  LargeChanges large_;
  HealthProbe health_;

  Mutex mu_;
  std::string expected_identity_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const PgTenantMap> map_ ABSL_GUARDED_BY(mu_);
  absl::Time map_time_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
};

}  // namespace reinstate
