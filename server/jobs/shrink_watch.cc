#include "server/jobs/shrink_watch.h"

#include <set>

#include "storage/base/status_macros.h"

namespace reinstate {

absl::StatusOr<LiveRows> CountLiveRows(const StoreRegistry& stores,
                                       const std::vector<state::BatchLine>& lines) {
  std::map<std::string, std::set<std::string>> wanted;  // tenants by store
  for (const state::BatchLine& line : lines) {
    for (const state::BatchLine::Target& target : line.targets()) {
      wanted[target.store()].insert(target.tenant());
    }
  }
  LiveRows rows;
  for (const auto& [name, tenants] : wanted) {
    ASSIGN_OR_RETURN(const ServedStore* store, stores.Find(name));
    std::vector<TenantId> ids;
    ids.reserve(tenants.size());
    for (const std::string& tenant : tenants) {
      ids.push_back(TenantId::FromStored(tenant));
    }
    ASSIGN_OR_RETURN(const std::vector<int64_t> counts, store->live->CountRowsOf(ids));
    for (size_t i = 0; i < ids.size(); ++i) {
      if (counts[i] > 0) {
        rows[name][ids[i].value()] = counts[i];
      }
    }
  }
  return rows;
}

LiveRows RowsOfLines(const LiveRows& rows, const std::vector<state::BatchLine>& lines) {
  LiveRows chosen;
  for (const state::BatchLine& line : lines) {
    for (const state::BatchLine::Target& target : line.targets()) {
      const auto store = rows.find(target.store());
      if (store == rows.end()) {
        continue;
      }
      if (const auto tenant = store->second.find(target.tenant()); tenant != store->second.end()) {
        chosen[target.store()].insert(*tenant);
      }
    }
  }
  return chosen;
}

std::vector<std::string> ShrunkenSince(const LiveRows& before, const LiveRows& after) {
  std::vector<std::string> shrunken;
  for (const auto& [store, tenants] : before) {
    const auto now = after.find(store);
    for (const auto& [tenant, rows] : tenants) {
      int64_t left = 0;
      if (now != after.end()) {
        const auto found = now->second.find(tenant);
        left = found == now->second.end() ? 0 : found->second;
      }
      if (left < rows) {
        shrunken.push_back(tenant);
      }
    }
  }
  return shrunken;
}

}  // namespace reinstate
