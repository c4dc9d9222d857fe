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
// tenant, key (which is the primary key, over all tenants) and value, and is made when it is first
// written to. Thread-safe.
class PostgresApplication final : public RecordStore {
 public:
  static absl::StatusOr<std::unique_ptr<PostgresApplication>> Open(std::string conninfo);

  absl::Status Write(std::span<const RecordWrite> writes, bool sync) override;
  absl::StatusOr<std::optional<std::string>> Get(const TenantId& tenant, const std::string& table,
                                                 const RowKey& key) override;
  absl::StatusOr<std::unique_ptr<RecordStream>> Scan(const TenantId& tenant,
                                                     const std::string& table,
                                                     const RowKey& from) override;
  absl::StatusOr<int64_t> DeleteTenant(const TenantId& tenant) override;

  // The OID of a table as text; its name if there is no such table.
  std::string IdentityOf(const std::string& table);

  // Brings the planner's statistics up to date, as the server does from time to time.
  absl::Status Analyze();

 private:
  explicit PostgresApplication(std::string conninfo) : conninfo_(std::move(conninfo)) {}

  // A connection for one call at a time.
  absl::StatusOr<std::unique_ptr<PgConnection>> Take();
  void GiveBack(std::unique_ptr<PgConnection> connection);
  absl::Status ReadTables();
  absl::Status MakeTable(const std::string& table);
  std::vector<std::string> Tables();

  const std::string conninfo_;
  Mutex making_;  // held while a table is made
  Mutex mu_;
  std::map<std::string, std::string> tables_ ABSL_GUARDED_BY(mu_);  // name -> OID
  std::vector<std::unique_ptr<PgConnection>> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
