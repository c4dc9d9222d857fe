#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/record_store.h"

namespace reinstate {

// An application with its records in tables of a PostgreSQL database: each table has the columns
// owner, key (which is the primary key, over all tenants) and value, and is made when it is first
// written to. Thread-safe.
class PostgresApplication final : public RecordStore {
 public:
  // What is in the column owner.
  enum class Layout {
    kTenantColumn,  // the tenant's id
    kOwnersTable,   // a row of directory.owners, which has the tenant's id in its column tenant
  };

  static absl::StatusOr<std::unique_ptr<PostgresApplication>> Open(std::string conninfo,
                                                                   Layout layout);

  absl::Status Write(std::span<const RecordWrite> writes, bool sync) override;
  absl::StatusOr<std::optional<std::string>> Get(const TenantId& tenant, const std::string& table,
                                                 const RowKey& key) override;
  absl::StatusOr<std::unique_ptr<RecordStream>> Scan(const TenantId& tenant,
                                                     const std::string& table,
                                                     const RowKey& from) override;
  absl::StatusOr<int64_t> DeleteTenant(const TenantId& tenant) override;

  // What rows of `tenant` have in the column owner. Makes its row of directory.owners, which stays
  // for ever.
  absl::StatusOr<std::string> OwnerOf(const TenantId& tenant);

  // Whether there is directory.owners, with a row for each tenant that has rows.
  bool has_owners() const { return layout_ == Layout::kOwnersTable; }

  // The OID of a table as text; its name if there is no such table.
  std::string IdentityOf(const std::string& table);

  // Brings the planner's statistics up to date, as the server does from time to time.
  absl::Status Analyze();

 private:
  PostgresApplication(std::string conninfo, Layout layout)
      : conninfo_(std::move(conninfo)), layout_(layout) {}

  // A connection for one call at a time.
  absl::StatusOr<std::unique_ptr<PgConnection>> Take();
  void GiveBack(std::unique_ptr<PgConnection> connection);
  absl::Status ReadTables();
  absl::Status MakeTable(const std::string& table);
  std::vector<std::string> Tables();

  const std::string conninfo_;
  const Layout layout_;
  Mutex making_;  // held while a table is made
  Mutex mu_;
  std::map<std::string, std::string> tables_ ABSL_GUARDED_BY(mu_);  // name -> OID
  std::map<std::string, std::string> owners_ ABSL_GUARDED_BY(mu_);  // tenant -> owner
  std::vector<std::unique_ptr<PgConnection>> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
