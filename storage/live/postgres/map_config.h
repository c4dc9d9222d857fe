#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/live/postgres/catalog_facts.h"

namespace reinstate {

// A reference that the database does not know of, as if it were a foreign key.
struct VirtualReference {
  std::string table;
  std::vector<std::string> columns;
  std::string parent;
  std::vector<std::string> parent_columns;
};

// What the configuration says of how tables relate to tenants. Tables are named with or without
// their schema.
struct MapConfig {
  std::string tenant_table;  // a row a tenant; empty: there is none
  std::string tenant_key;    // its column that is the tenant's id; empty: its primary key
  std::vector<std::string> tenant_columns;  // names of columns that hold tenants' ids, anywhere
  std::vector<std::string> label_columns;   // of the tenant table, name first
  std::vector<std::string> shared;
  std::map<std::string, std::string> excluded;           // table -> reason
  std::map<std::string, std::string> owner_expressions;  // table -> SQL over the row `t`
  std::vector<VirtualReference> references;
  std::vector<std::string> ownerless;  // tables that may have rows that belong to nobody
  // Tables whose rows may be restored without their parents, under foreign keys that are NOT VALID.
  std::vector<std::string> orphans;
};

// One step from a table to another that it refers to.
struct PathStep {
  PgOid parent = 0;
  std::vector<PgAttnum> child_columns;
  std::vector<PgAttnum> parent_columns;  // as many; unique in the parent
  std::string name;                      // of the foreign key; for people
};

// The configuration with its names looked up in a catalog.
struct ResolvedMapConfig {
  const PgTable* tenant_table = nullptr;
  const PgColumn* tenant_key = nullptr;
  std::map<PgOid, std::string> excluded;  // table -> reason
  std::vector<PgOid> shared;
  std::map<PgOid, std::string> owner_expressions;
  std::vector<std::pair<PgOid, PathStep>> references;  // from which table
  std::vector<PgOid> ownerless;
};

// CONFIG_INVALID, with a line for each thing that is wrong: a table or column that is not there,
// two things said of one table, an exclusion without a reason, references whose parent columns are
// not unique. The result borrows the catalog.
absl::StatusOr<ResolvedMapConfig> ResolveMapConfig(const PgCatalog& catalog,
                                                   const MapConfig& config);

}  // namespace reinstate
