#include "storage/live/postgres/role_checks.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

constexpr size_t kMostNamed = 10;

// What the role lacks to read `table`, each with the remedy.
void AddMissing(const PgTable& table, std::vector<std::string>* missing) {
  if (!table.privileges.schema_usage) {
    missing->push_back(absl::StrCat("USAGE on the schema ", table.schema,
                                    " (GRANT USAGE ON SCHEMA ", QuoteIdentifier(table.schema),
                                    " TO …)"));
  }
  if (!table.privileges.select) {
    missing->push_back(absl::StrCat("SELECT on ", table.DisplayName(), " (GRANT SELECT ON ",
                                    table.Sql(), " TO …)"));
  }
  if (table.row_security) {
    missing->push_back(absl::StrCat("BYPASSRLS, since ", table.DisplayName(),
                                    " has row-level security (ALTER ROLE … BYPASSRLS)"));
  }
}

}  // namespace

absl::Status CheckRole(PgConnection* connection, bool allow_superuser) {
  ASSIGN_OR_RETURN(const PgResult result,
                   connection->Query("look at the role",
                                     "SELECT r.rolsuper, current_user, "
                                     "pg_catalog.current_setting('server_encoding') "
                                     "FROM pg_catalog.pg_roles r WHERE r.rolname = current_user"));
  if (result.rows() != 1) {
    return MakeError(Reason::kInternal, "The server does not know the role that it let in.");
  }
  if (result.GetBool(0, 0) && !allow_superuser) {
    return MakeError(Reason::kNotAllowed,
                     absl::StrCat("The role ", std::string(result.Get(0, 1)),
                                  " is a superuser, who can change anything. Make a role with "
                                  "deploy/postgres/role.sql, or say allow_superuser = true in the "
                                  "configuration of the store."));
  }
  if (result.Get(0, 2) == "SQL_ASCII") {
    return MakeError(Reason::kUnsupported,
                     "The database's encoding is SQL_ASCII: its texts could be in any encoding, so "
                     "they cannot be put back with certainty.");
  }
  return absl::OkStatus();
}

absl::Status CheckReadable(const PgTenantMap& map) {
  std::vector<std::string> missing;
  for (const PgTablePlan& plan : map.plans()) {
    if (plan.relation == Relation::kOwned || plan.relation == Relation::kUnresolved) {
      AddMissing(map.Table(plan), &missing);
    }
  }
  if (missing.empty()) {
    return absl::OkStatus();
  }
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  const size_t more = missing.size() - std::min(missing.size(), kMostNamed);
  missing.resize(missing.size() - more);
  return MakeError(Reason::kNotAllowed,
                   absl::StrCat("The role of the store lacks: ", absl::StrJoin(missing, "; "),
                                more > 0 ? absl::StrCat("; and ", more, " more") : "",
                                ". deploy/postgres/role.sql grants all that is needed."));
}

}  // namespace reinstate
