#include "storage/live/postgres/tenant_rows.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/key_batch.h"

namespace reinstate {
namespace {

constexpr size_t kTenantsAStatement = 1000;
constexpr size_t kTablesAStatement = 64;
constexpr char kDoing[] = "count the rows of tenants";

using Plans = std::vector<const PgTablePlan*>;

// A subquery a tenant and table. A join would be planned by what the statistics say of tenants that
// are, as often as not, just deleted: it reads all of the table for rows that are no longer there.
std::string ProbeSql(const PgTenantMap& map, std::span<const PgTablePlan* const> plans,
                     const KeyBatch& tenants) {
  const std::string tenant = absl::StrCat("k.c1::", map.tenant_type());
  std::vector<std::string> counts;
  counts.reserve(plans.size());
  for (const PgTablePlan* const plan : plans) {
    counts.push_back(absl::StrCat("(SELECT count(*) FROM ", map.FromSql(*plan), " WHERE ",
                                  map.OwnedByValueSql(*plan, tenant), ")"));
  }
  return absl::StrCat("SELECT k.n, ", absl::StrJoin(counts, " + "), " FROM ", tenants.Sql());
}

std::string ReadOnceSql(const PgTenantMap& map, const PgTablePlan& plan, const KeyBatch& tenants) {
  return absl::StrCat("SELECT k.n, count(*) FROM ", map.FromSql(plan), " JOIN ", tenants.Sql(),
                      " ON ", map.OwnedByValueSql(plan, absl::StrCat("k.c1::", map.tenant_type())),
                      " GROUP BY k.n");
}

// Adds what a statement gives, rows of a number from 1 and a count, to `rows`.
absl::Status AddCounts(PlanMode mode, const std::string& sql, PgConnection* connection,
                       std::span<int64_t> rows) {
  if (const std::string_view how = connection->OnceSet(PlanModeSql(mode)); !how.empty()) {
    RETURN_IF_ERROR(connection->Execute(kDoing, std::string(how)));
  }
  ASSIGN_OR_RETURN(const PgResult counts, connection->Query(kDoing, sql));
  for (int row = 0; row < counts.rows(); ++row) {
    rows[static_cast<size_t>(counts.GetInt(row, 0) - 1)] += counts.GetInt(row, 1);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> CountTenantRows(const PgTenantMap& map,
                                                     std::span<const TenantId> tenants,
                                                     PgConnection* connection) {
  Plans indexed;
  Plans others;
  for (const PgTablePlan& plan : map.plans()) {
    if (plan.relation == Relation::kOwned) {
      (map.HasIndexesToOwner(plan) ? indexed : others).push_back(&plan);
    }
  }
  std::vector<int64_t> rows(tenants.size(), 0);
  for (size_t begin = 0; begin < tenants.size(); begin += kTenantsAStatement) {
    const size_t count = std::min(kTenantsAStatement, tenants.size() - begin);
    const std::span<int64_t> some = std::span(rows).subspan(begin, count);
    KeyBatch batch(1);
    for (const TenantId& tenant : tenants.subspan(begin, count)) {
      batch.Add({std::string(tenant.value())});
    }
    for (size_t i = 0; i < indexed.size(); i += kTablesAStatement) {
      const auto plans = std::span<const PgTablePlan* const>(indexed).subspan(
          i, std::min(kTablesAStatement, indexed.size() - i));
      RETURN_IF_ERROR(AddCounts(PlanMode::kProbe, ProbeSql(map, plans, batch), connection, some));
    }
    for (const PgTablePlan* const plan : others) {
      RETURN_IF_ERROR(
          AddCounts(PlanMode::kWhole, ReadOnceSql(map, *plan, batch), connection, some));
    }
  }
  return rows;
}

}  // namespace reinstate
