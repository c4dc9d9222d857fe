#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/jobs/store_registry.h"
#include "storage/live/live_store.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// The rows that tenants have live, by store and tenant; those without rows are left out.
using LiveRows = std::map<std::string, std::map<std::string, int64_t>>;

// Counts the rows of the tenants of `lines`, each tenant's in one view; of no other tenants. Errors
// of LiveStore::CountRowsOf and StoreRegistry::Find.
absl::StatusOr<LiveRows> CountLiveRows(const StoreRegistry& stores,
                                       const std::vector<state::BatchLine>& lines);

// Those of `rows` that are of the tenants of `lines`.
LiveRows RowsOfLines(const LiveRows& rows, const std::vector<state::BatchLine>& lines);

// The tenants that have fewer rows in `after` than in `before`.
std::vector<std::string> ShrunkenSince(const LiveRows& before, const LiveRows& after);

}  // namespace reinstate
