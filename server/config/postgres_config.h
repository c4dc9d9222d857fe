#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/config/toml_section.h"

namespace reinstate {

// A [[store.reference]]: a reference that the database does not know of.
struct PostgresReference {
  std::string table;
  std::vector<std::string> columns;
  std::string parent;
  std::vector<std::string> parent_columns;
};

// A [store.health]: what the database may bear before no further restores begin in it; 0 does not
// look at it.
struct PostgresHealthConfig {
  int64_t max_wal_bytes_per_second = 256LL << 20;
  int64_t max_replication_lag_bytes = 1LL << 30;
  int64_t min_slot_headroom_bytes = 256LL << 20;
  absl::Duration max_commit_latency = absl::Seconds(1);
  int64_t max_sessions_waiting = 8;
};

// What a store with adapter = "postgres" can be told. deploy/reinstated.toml documents each for
// people.
struct PostgresConfig {
  // Where it is; what is not said is libpq's default. Passwords are elsewhere.
  std::string conninfo;
  std::string service;
  std::string host;
  int64_t port = 0;
  std::string database;
  std::string user;
  std::string password_file;
  std::vector<std::string> search_path;
  bool allow_superuser = false;
  std::vector<std::string> may_fire;

  // How tables relate to tenants.
  std::string tenant_table;
  std::string tenant_key;
  std::vector<std::string> tenant_columns;
  std::vector<std::string> labels;
  std::vector<std::string> shared;
  std::map<std::string, std::string> excluded;  // table -> reason
  std::map<std::string, std::string> owner;     // table -> expression
  std::vector<std::string> ownerless;
  std::vector<std::string> orphans;
  std::vector<PostgresReference> references;

  PostgresHealthConfig health;
};

// Reads the keys of a [[store]] that are for PostgreSQL. If it is `for_postgres`, they are checked;
// else each that is there is complained about.
void ReadPostgres(bool for_postgres, TomlSection* store, PostgresConfig* config);

}  // namespace reinstate
