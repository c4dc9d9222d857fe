#include "server/config/postgres_config.h"

#include <utility>

namespace reinstate {
namespace {

constexpr int64_t kMaxPort = 65535;
constexpr int64_t kMaxSessions = 1'000'000;

constexpr const char* kKeys[] = {"conninfo",        "service",   "host",          "port",
                                 "database",        "user",      "password_file", "search_path",
                                 "allow_superuser", "may_fire",  "tenant_table",  "tenant_key",
                                 "tenant_columns",  "labels",    "shared",        "excluded",
                                 "owner",           "ownerless", "orphans",       "reference",
                                 "health"};

void ReadReferences(TomlSection* store, PostgresConfig* config) {
  for (TomlSection& section : store->Tables("reference")) {
    PostgresReference reference;
    section.Read("table", &reference.table);
    section.ReadNames("columns", &reference.columns);
    section.Read("parent", &reference.parent);
    section.ReadNames("parent_columns", &reference.parent_columns);
    section.RefuseOthers();
    if (reference.table.empty() || reference.parent.empty()) {
      section.Complain(reference.table.empty() ? "table" : "parent", "is required.");
    }
    if (reference.columns.empty() || reference.columns.size() != reference.parent_columns.size()) {
      section.Complain("columns", "must be as many as parent_columns, at least one.");
    }
    config->references.push_back(std::move(reference));
  }
}

void ReadTenantMap(TomlSection* store, PostgresConfig* config) {
  store->Read("tenant_table", &config->tenant_table);
  store->Read("tenant_key", &config->tenant_key);
  store->ReadNames("tenant_columns", &config->tenant_columns);
  store->ReadNames("labels", &config->labels);
  store->ReadNames("shared", &config->shared);
  store->ReadTexts("excluded", &config->excluded);
  store->ReadTexts("owner", &config->owner);
  store->ReadNames("ownerless", &config->ownerless);
  store->ReadNames("orphans", &config->orphans);
  ReadReferences(store, config);
}

void ReadHealth(TomlSection health, PostgresHealthConfig* config) {
  health.ReadBytes("max_wal_bytes_per_second", 0, &config->max_wal_bytes_per_second);
  health.ReadBytes("max_replication_lag", 0, &config->max_replication_lag_bytes);
  health.ReadBytes("min_slot_headroom", 0, &config->min_slot_headroom_bytes);
  health.Read("max_commit_latency", absl::ZeroDuration(), &config->max_commit_latency);
  health.Read("max_sessions_waiting", 0, kMaxSessions, &config->max_sessions_waiting);
  health.RefuseOthers();
}

void CheckPostgres(const PostgresConfig& config, TomlSection* store) {
  constexpr const char* kNeedsTable = "needs tenant_table, whose column it is.";
  if (config.tenant_table.empty() && !config.tenant_key.empty()) {
    store->Complain("tenant_key", kNeedsTable);
  }
  if (config.tenant_table.empty() && !config.labels.empty()) {
    store->Complain("labels", kNeedsTable);
  }
  for (const auto& [table, reason] : config.excluded) {
    if (reason.empty()) {
      store->Complain("excluded", "needs a reason for each table.");
    }
  }
}

}  // namespace

void ReadPostgres(bool for_postgres, TomlSection* store, PostgresConfig* config) {
  store->Read("conninfo", &config->conninfo);
  store->Read("service", &config->service);
  store->Read("host", &config->host);
  store->Read("port", 0, kMaxPort, &config->port);
  store->Read("database", &config->database);
  store->Read("user", &config->user);
  store->Read("password_file", &config->password_file);
  store->ReadNames("search_path", &config->search_path);
  store->Read("allow_superuser", &config->allow_superuser);
  store->ReadNames("may_fire", &config->may_fire);
  ReadTenantMap(store, config);
  ReadHealth(store->Table("health"), &config->health);
  if (for_postgres) {
    CheckPostgres(*config, store);
    return;
  }
  for (const char* const key : kKeys) {
    if (store->Has(key)) {
      store->Complain(key, "is for PostgreSQL stores only.");
    }
  }
}

}  // namespace reinstate
