#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "storage/live/live_store.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/map_config.h"

namespace reinstate {

// What a configuration leaves open, with proposals. Pure. If it says nothing of tenants, the tenant
// table and columns are guessed from names and foreign keys, and the map is as they would make it.
//
// Nothing else that is proposed is in the map, only in remarks and in the lines of configuration:
// queues, outboxes, sessions and tokens to be excluded (restored jobs would run again, restored
// sessions would be valid again), references that only names of columns tell of, tables of the same
// rows for all to be shared. Rows are the planner's estimates. Errors of FindOwnership.
absl::StatusOr<StoreDiscovery> ProposeMap(const PgCatalog& catalog, const MapConfig& configured);

// The keys of a [[store]] that say `config`, a line each, in TOML.
std::string ConfigLines(const MapConfig& config);

}  // namespace reinstate
