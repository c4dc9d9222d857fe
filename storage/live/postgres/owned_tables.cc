#include "storage/live/postgres/owned_tables.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/live/postgres/key_batch.h"

namespace reinstate {

std::set<PgOid> OwnedTables(const PgTenantMap* map) {
  std::set<PgOid> tables;
  for (size_t i = 0; map != nullptr && i < map->plans().size(); ++i) {
    const PgTablePlan& plan = map->plans()[i];
    if (plan.relation == Relation::kOwned) {
      tables.insert(plan.table);
      for (const PathStep& step : plan.path) {
        tables.insert(step.parent);
      }
    }
  }
  return tables;
}

const PgTablePlan* FindOwned(const PgTenantMap& map, const std::string& identity) {
  const PgTablePlan* const plan = map.Find(identity);
  return plan != nullptr && plan->relation == Relation::kOwned ? plan : nullptr;
}

std::string LockOwnedTables(const PgTenantMap* map) {
  std::vector<std::string> names;
  for (const PgOid oid : OwnedTables(map)) {
    names.push_back(OnlyTable(*map->catalog().Find(oid)));
  }
  return names.empty()
             ? ""
             : absl::StrCat("LOCK TABLE ", absl::StrJoin(names, ", "), " IN ACCESS SHARE MODE");
}

}  // namespace reinstate
