#include "tests/conformance/postgres_application.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/sql_text.h"
#include "storage/model/vector_stream.h"

namespace reinstate {
namespace {

std::string PutSql(const std::string& table) {
  return absl::StrCat("INSERT INTO ", QuoteIdentifier(table),
                      " AS r (owner, key, value) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE "
                      "SET value = excluded.value WHERE r.owner = excluded.owner");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresApplication>> PostgresApplication::Open(std::string conninfo,
                                                                               Layout layout) {
  std::unique_ptr<PostgresApplication> application(
      new PostgresApplication(std::move(conninfo), layout));
  if (layout == Layout::kOwnersTable) {
    ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, application->Take());
    RETURN_IF_ERROR(connection->Execute(
        "make the table of owners",
        "CREATE SCHEMA IF NOT EXISTS directory; CREATE TABLE IF NOT EXISTS directory.owners (id "
        "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL UNIQUE)"));
    application->GiveBack(std::move(connection));
  }
  RETURN_IF_ERROR(application->ReadTables());
  return application;
}

absl::StatusOr<std::unique_ptr<PgConnection>> PostgresApplication::Take() {
  {
    MutexLock lock(&mu_);
    if (!idle_.empty()) {
      std::unique_ptr<PgConnection> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  PgOptions options;
  options.conninfo = conninfo_;
  options.application_name = "application";
  options.lock_timeout = absl::Seconds(30);
  return PgConnection::Connect(options);
}

void PostgresApplication::GiveBack(std::unique_ptr<PgConnection> connection) {
  if (!connection->broken()) {
    MutexLock lock(&mu_);
    idle_.push_back(std::move(connection));
  }
}

absl::Status PostgresApplication::ReadTables() {
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Take());
  ASSIGN_OR_RETURN(const PgResult tables,
                   connection->Query("read the tables",
                                     "SELECT relname, oid FROM pg_class WHERE relkind = 'r' AND "
                                     "relnamespace = 'public'::regnamespace"));
  MutexLock lock(&mu_);
  for (int row = 0; row < tables.rows(); ++row) {
    tables_[std::string(tables.Get(row, 0))] = std::string(tables.Get(row, 1));
  }
  idle_.push_back(std::move(connection));
  return absl::OkStatus();
}

std::string PostgresApplication::IdentityOf(const std::string& table) {
  MutexLock lock(&mu_);
  const auto found = tables_.find(table);
  return found == tables_.end() ? table : found->second;
}

std::vector<std::string> PostgresApplication::Tables() {
  MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [name, oid] : tables_) {
    names.push_back(name);
  }
  return names;
}

absl::StatusOr<std::string> PostgresApplication::OwnerOf(const TenantId& tenant) {
  if (layout_ == Layout::kTenantColumn) {
    return tenant.value();
  }
  {
    MutexLock lock(&mu_);
    if (const auto found = owners_.find(tenant.value()); found != owners_.end()) {
      return found->second;
    }
  }
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Take());
  ASSIGN_OR_RETURN(
      const PgResult owner,
      connection->Query("find an owner",
                        "INSERT INTO directory.owners (tenant) VALUES ($1) ON CONFLICT (tenant) DO "
                        "UPDATE SET tenant = excluded.tenant RETURNING id",
                        {tenant.value()}));
  std::string id(owner.Get(0, 0));
  GiveBack(std::move(connection));
  MutexLock lock(&mu_);
  owners_[tenant.value()] = id;
  return id;
}

absl::Status PostgresApplication::MakeTable(const std::string& table) {
  MutexLock making(&making_);
  if (IdentityOf(table) != table) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckTableName(table));
  const std::string name = QuoteIdentifier(table);
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Take());
  RETURN_IF_ERROR(connection->Execute(
      "make a table",
      absl::StrCat("CREATE TABLE ", name, "(owner ",
                   layout_ == Layout::kTenantColumn ? "text NOT NULL"
                                                    : "bigint NOT NULL REFERENCES directory.owners",
                   ", key text PRIMARY KEY, value text NOT NULL); CREATE INDEX ON ", name,
                   "(owner)")));
  GiveBack(std::move(connection));
  return ReadTables();
}

absl::Status PostgresApplication::Write(std::span<const RecordWrite> writes, bool /*sync*/) {
  for (const RecordWrite& write : writes) {
    RETURN_IF_ERROR(CheckRecordWrite(write));
    if (write.payload.has_value() && IdentityOf(write.table) == write.table) {
      RETURN_IF_ERROR(MakeTable(write.table));
    }
  }
  std::vector<std::string> owners;
  for (const RecordWrite& write : writes) {
    ASSIGN_OR_RETURN(owners.emplace_back(), OwnerOf(write.tenant));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Take());
  RETURN_IF_ERROR(connection->Begin({.repeatable_read = false}));
  for (size_t i = 0; i < writes.size(); ++i) {
    const RecordWrite& write = writes[i];
    if (write.payload.has_value()) {
      ASSIGN_OR_RETURN(const PgResult put,
                       connection->Query("put a record", PutSql(write.table),
                                         {owners[i], write.key.bytes(), *write.payload}));
      if (put.affected() != 1) {
        return MakeError(Reason::kKeyConflict, "the key is another tenant's");
      }
    } else if (IdentityOf(write.table) != write.table) {
      RETURN_IF_ERROR(connection
                          ->Query("delete a record",
                                  absl::StrCat("DELETE FROM ", QuoteIdentifier(write.table),
                                               " WHERE owner = $1 AND key = $2"),
                                  {owners[i], write.key.bytes()})
                          .status());
    }
  }
  RETURN_IF_ERROR(connection->Commit(absl::InfiniteFuture(), Clock::System()));
  GiveBack(std::move(connection));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> PostgresApplication::Get(const TenantId& tenant,
                                                                    const std::string& table,
                                                                    const RowKey& key) {
  std::optional<std::string> value;
  if (IdentityOf(table) == table) {
    return value;
  }
  ASSIGN_OR_RETURN(const std::string owner, OwnerOf(tenant));
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Take());
  ASSIGN_OR_RETURN(const PgResult found,
                   connection->Query("get a record",
                                     absl::StrCat("SELECT value FROM ", QuoteIdentifier(table),
                                                  " WHERE owner = $1 AND key = $2"),
                                     {owner, key.bytes()}));
  if (found.rows() == 1) {
    value = std::string(found.Get(0, 0));
  }
  GiveBack(std::move(connection));
  return value;
}

absl::StatusOr<std::unique_ptr<RecordStream>> PostgresApplication::Scan(const TenantId& tenant,
                                                                        const std::string& table,
                                                                        const RowKey& from) {
  std::vector<Record> records;
  if (IdentityOf(table) != table) {
    ASSIGN_OR_RETURN(const std::string owner, OwnerOf(tenant));
    ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Take());
    ASSIGN_OR_RETURN(
        const PgResult found,
        connection->Query("scan records",
                          absl::StrCat("SELECT key, value FROM ", QuoteIdentifier(table),
                                       " WHERE owner = $1 AND key COLLATE \"C\" >= $2 ORDER BY "
                                       "key COLLATE \"C\""),
                          {owner, from.bytes()}));
    for (int row = 0; row < found.rows(); ++row) {
      records.push_back({.key = RowKey(std::string(found.Get(row, 0))),
                         .payload = std::string(found.Get(row, 1))});
    }
    GiveBack(std::move(connection));
  }
  return std::make_unique<RecordVectorStream>(std::move(records));
}

absl::StatusOr<int64_t> PostgresApplication::DeleteTenant(const TenantId& tenant) {
  ASSIGN_OR_RETURN(const std::string owner, OwnerOf(tenant));
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Take());
  RETURN_IF_ERROR(connection->Begin({.repeatable_read = false}));
  int64_t deleted = 0;
  for (const std::string& table : Tables()) {
    ASSIGN_OR_RETURN(
        const PgResult result,
        connection->Query("delete a tenant",
                          absl::StrCat("DELETE FROM ", QuoteIdentifier(table), " WHERE owner = $1"),
                          {owner}));
    deleted += result.affected();
  }
  RETURN_IF_ERROR(connection->Commit(absl::InfiniteFuture(), Clock::System()));
  GiveBack(std::move(connection));
  return deleted;
}

absl::Status PostgresApplication::Analyze() {
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Take());
  RETURN_IF_ERROR(connection->Execute("analyze", "ANALYZE"));
  GiveBack(std::move(connection));
  return absl::OkStatus();
}

}  // namespace reinstate
