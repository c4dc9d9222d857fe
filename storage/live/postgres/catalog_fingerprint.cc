#include "storage/live/postgres/catalog_fingerprint.h"

#include <array>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// A catalog, a number for each row of it, and which rows count. Every change of a row gives it
// another xmin; vacuum and analyze change their numbers in place. Objects of users have OIDs from
// 16384 on.
struct Part {
  const char* catalog;
  const char* row;
  const char* where;
};

constexpr std::array kParts = {
    Part{"pg_class", "oid::int8", "oid >= 16384"},
    // The columns that every table has come and go with it.
    Part{"pg_attribute", "attrelid::int8 << 16 | attnum", "attrelid >= 16384 AND attnum > 0"},
    Part{"pg_attrdef", "oid::int8", "oid >= 16384"},
    Part{"pg_constraint", "oid::int8", "oid >= 16384"},
    Part{"pg_index", "indexrelid::int8", "indexrelid >= 16384"},
    Part{"pg_trigger", "oid::int8", "oid >= 16384"},
    Part{"pg_rewrite", "oid::int8", "oid >= 16384"},
    Part{"pg_policy", "oid::int8", "true"},
    Part{"pg_inherits", "inhrelid::int8", "true"},
    Part{"pg_namespace", "oid::int8", "true"},
    Part{"pg_type", "oid::int8", "oid >= 16384 AND typtype IN ('d', 'e')"},
    Part{"pg_collation", "oid::int8", "oid >= 16384"},
    // All of them: an owner expression of the configuration is in no pg_depend, nor is what a
    // function calls.
    Part{"pg_proc", "oid::int8", "oid >= 16384"},
    // By the index on classid and objid: the system's own are many times those of users.
    Part{"pg_depend", "objid::int8 << 32 | refobjid::int8",
         "deptype IN ('a', 'i', 'n', 'e') AND classid IN ('pg_catalog.pg_class'::regclass, "
         "'pg_catalog.pg_attrdef'::regclass) AND objid >= 16384"},
    Part{"pg_publication", "oid::int8", "true"},
    Part{"pg_publication_rel", "oid::int8", "true"},
    Part{"pg_publication_namespace", "oid::int8", "true"},
    Part{"pg_auth_members", "roleid::int8 << 32 | member::int8", "true"},
};

// In one go over all rows, since each session asks for this twice: a sum for each catalog takes the
// server longer to set up than to add up.
std::string MakeSql() {
  std::vector<std::string> rows;
  rows.reserve(kParts.size());
  for (const Part& part : kParts) {
    rows.push_back(absl::StrCat("SELECT ", part.row, " AS row, xmin::text AS version FROM ",
                                "pg_catalog.", part.catalog, " WHERE ", part.where));
  }
  return absl::StrCat(
      "SELECT current_user || ' ' || (SELECT pg_catalog.concat(r.rolsuper, r.rolbypassrls, "
      "r.rolinherit) FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) || ' ' || "
      "(SELECT pg_catalog.count(*) || '/' || coalesce(pg_catalog.sum("
      "pg_catalog.hashtextextended(a.version, a.row)), 0) FROM (",
      absl::StrJoin(rows, " UNION ALL "), ") a)");
}

constexpr std::string_view kDoing = "look for changes of tables";

const std::string& Sql() {
  static const std::string& sql = *new std::string(MakeSql());
  return sql;
}

}  // namespace

absl::StatusOr<std::string> ReadCatalogFingerprint(PgConnection* connection) {
  ASSIGN_OR_RETURN(const PgResult result, connection->QueryKept(kDoing, Sql()));
  return std::string(result.Get(0, 0));
}

absl::StatusOr<std::string> CatalogFingerprintSql(PgConnection* connection) {
  return connection->KeptSql(kDoing, Sql());
}

}  // namespace reinstate
