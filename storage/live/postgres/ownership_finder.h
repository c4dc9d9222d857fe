#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/map_config.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// How one table relates to tenants, and how its rows are found.
struct PgTablePlan {
  PgOid table = 0;
  Relation relation = Relation::kUnresolved;
  std::string how;  // a phrase for people: the column or path; the reason; why it is unresolved

  // If owned: the steps that lead to the table that has the owner (none: it is this one), and there
  // a column, or an expression if that is 0.
  std::vector<PathStep> path;
  PgAttnum owner_column = 0;
  std::string owner_expression;
  bool ownerless_declared = false;

  // Owned by a column of its own, which may be a generated one.
  bool by_own_column() const { return path.empty() && owner_column != 0; }
};

// What was found of all tables of a catalog.
struct Ownership {
  std::vector<PgTablePlan> plans;  // in the order of PgTenantMap::plans
  std::string tenant_type;         // SQL; empty if nothing is owned
  PgTypeClass tenant_class = PgTypeClass::kOther;
};

// Finds the owner of each table: as the config says; else a column of its own, by its name or by a
// foreign key to the tenant table; else the path of foreign keys that has the fewest nullable
// steps, and of those the shortest. A table with references in the config has an owner through one
// of those or not at all. Where others could be taken, `how` names them. Pure. Errors of
// ResolveMapConfig.
absl::StatusOr<Ownership> FindOwnership(const PgCatalog& catalog, const MapConfig& config);

}  // namespace reinstate
