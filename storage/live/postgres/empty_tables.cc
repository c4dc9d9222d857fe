#include "storage/live/postgres/empty_tables.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/key_batch.h"

namespace reinstate {
namespace {

constexpr std::string_view kDoing = "look which tables have rows of the tenant";

// The server holds its plan of a statement in memory, for as long as the connection lives.
constexpr size_t kTablesAStatement = 64;

bool MayRead(const PgTable& table) {
  return table.privileges.schema_usage && table.privileges.select && !table.row_security;
}

// Of the statement all fails where the role may not read one table, which need not be one that is
// restored.
bool MayRead(const PgTenantMap& map, const PgTablePlan& plan) {
  return MayRead(map.Table(plan)) &&
         std::all_of(plan.path.begin(), plan.path.end(), [&map](const PathStep& step) {
           return MayRead(*map.catalog().Find(step.parent));
         });
}

std::string HasRowSql(const PgTenantMap& map, const PgTablePlan& plan) {
  return absl::StrCat("EXISTS (SELECT FROM ", map.FromSql(plan), " WHERE ",
                      map.OwnedByParameterSql(plan), ")");
}

}  // namespace

absl::StatusOr<std::set<PgOid>> FindEmptyTables(const PgTenantMap& map, const TenantId& tenant,
                                                PgConnection* connection) {
  std::vector<const PgTablePlan*> plans;
  for (const PgTablePlan& plan : map.plans()) {
    if (plan.relation == Relation::kOwned && map.HasIndexesToOwner(plan) && MayRead(map, plan)) {
      plans.push_back(&plan);
    }
  }
  std::set<PgOid> empty;
  for (size_t begin = 0; begin < plans.size(); begin += kTablesAStatement) {
    const size_t end = std::min(plans.size(), begin + kTablesAStatement);
    std::vector<std::string> values;
    for (size_t i = begin; i < end; ++i) {
      values.push_back(HasRowSql(map, *plans[i]));
    }
    ASSIGN_OR_RETURN(
        const std::string ask,
        connection->KeptSql(kDoing, absl::StrCat("SELECT ", absl::StrJoin(values, ", ")),
                            {std::string(tenant.value())}));
    // The plan that the server keeps is for any tenant: to look for one that may not be there it
    // must not take a walk through the table for short.
    ASSIGN_OR_RETURN(
        const std::vector<PgResult> found,
        connection->QueryAll(
            kDoing, absl::StrCat(Absl(connection->OnceSet(PlanModeSql(PlanMode::kProbe))), ask)));
    for (size_t i = begin; i < end; ++i) {
      if (!found.back().GetBool(0, static_cast<int>(i - begin))) {
        empty.insert(plans[i]->table);
      }
    }
  }
  return empty;
}

}  // namespace reinstate
