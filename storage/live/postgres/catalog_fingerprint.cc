#include "storage/live/postgres/catalog_fingerprint.h"

#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// A catalog, what identifies a row of it, and which rows count. Every change of a row gives it
// another xmin; vacuum and analyze change their numbers in place. Objects of users have OIDs from
// 16384 on.
struct Part {
  const char* catalog;
  const char* row;
  const char* where;
};

constexpr std::array kParts = {
    Part{"pg_class", "oid", "oid >= 16384"},
    Part{"pg_attribute", "attrelid || '.' || attnum", "attrelid >= 16384"},
    Part{"pg_attrdef", "oid", "oid >= 16384"},
    Part{"pg_constraint", "oid", "oid >= 16384"},
    Part{"pg_index", "indexrelid", "indexrelid >= 16384"},
    Part{"pg_trigger", "oid", "oid >= 16384"},
    Part{"pg_rewrite", "oid", "oid >= 16384"},
    Part{"pg_policy", "oid", "true"},
    Part{"pg_inherits", "inhrelid", "true"},
    Part{"pg_namespace", "oid", "true"},
    Part{"pg_type", "oid", "oid >= 16384 AND typtype IN ('d', 'e')"},
    Part{"pg_collation", "oid", "oid >= 16384"},
    // All of them: an owner expression of the configuration is in no pg_depend, nor is what a
    // function calls.
    Part{"pg_proc", "oid", "oid >= 16384"},
    Part{"pg_depend", "objid || '.' || refobjid",
         "deptype IN ('a', 'i', 'n', 'e') AND classid IN ('pg_catalog.pg_class'::regclass, "
         "'pg_catalog.pg_attrdef'::regclass)"},
    Part{"pg_publication", "oid", "true"},
    Part{"pg_publication_rel", "oid", "true"},
    Part{"pg_publication_namespace", "oid", "true"},
    Part{"pg_auth_members", "roleid || '.' || member", "true"},
};

std::string FingerprintSql() {
  std::vector<std::string> sums;
  for (const Part& part : kParts) {
    sums.push_back(
        absl::StrCat("(SELECT pg_catalog.count(*) || '/' || coalesce(pg_catalog.sum("
                     "pg_catalog.hashtextextended(",
                     part.row, " || '@' || xmin, 0)), 0) FROM pg_catalog.", part.catalog, " WHERE ",
                     part.where, ")"));
  }
  return absl::StrCat(
      "SELECT current_user || ' ' || (SELECT pg_catalog.concat(r.rolsuper, r.rolbypassrls, "
      "r.rolinherit) FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) || ' ' || ",
      absl::StrJoin(sums, " || ' ' || "));
}

}  // namespace

absl::StatusOr<std::string> ReadCatalogFingerprint(PgConnection* connection) {
  static const std::string& sql = *new std::string(FingerprintSql());
  ASSIGN_OR_RETURN(const PgResult result, connection->QueryKept("look for changes of tables", sql));
  return std::string(result.Get(0, 0));
}

}  // namespace reinstate
