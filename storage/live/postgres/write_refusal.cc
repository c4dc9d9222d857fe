#include "storage/live/postgres/write_refusal.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/live/postgres/obstacle_finder.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

std::string Lacks(const PgTable& table, const std::string& privilege) {
  const std::string schemas =
      table.schema == "public" ? "" : absl::StrCat(" with -v schemas=public,", table.schema);
  return absl::StrCat("the role of the store lacks ", privilege, " on it (GRANT ", privilege,
                      " ON ", table.Sql(), " TO …; deploy/postgres/role.sql", schemas,
                      " grants all that is needed)");
}

}  // namespace

std::string WriteRefusal(const PgCatalog& catalog, const PgTable& table,
                         const std::set<std::string>& may_fire) {
  if (!table.privileges.insert) {
    return Lacks(table, "INSERT");
  }
  const bool may = std::any_of(may_fire.begin(), may_fire.end(), [&](const std::string& name) {
    return catalog.FindByName(name) == &table;
  });
  if (!table.firing.empty() && !may) {
    return absl::StrCat("it has triggers or rules that fire in a restore (",
                        absl::StrJoin(table.firing, ", "),
                        "); allow that with may_fire in the configuration of the store, or leave "
                        "the table out");
  }
  const auto unchecked =
      std::find_if(table.uniques.begin(), table.uniques.end(),
                   [](const PgUnique& unique) { return unique.exclusion && unique.deferrable; });
  if (unchecked != table.uniques.end()) {
    return absl::StrCat("it has the deferrable exclusion constraint ", unchecked->name,
                        ", which cannot be checked in a restore; make it NOT DEFERRABLE, or leave "
                        "the table out");
  }
  if (!table.part_deferrables.empty()) {
    return absl::StrCat("a single partition has deferrable constraints (",
                        absl::StrJoin(table.part_deferrables, ", "),
                        "), which cannot be checked in a restore; make them NOT DEFERRABLE or "
                        "constraints of the whole table, or leave the table out");
  }
  return "";
}

std::string ReplaceRefusal(const PgTable& table) {
  if (!table.privileges.update || !table.privileges.del) {
    return Lacks(table, table.privileges.update ? "DELETE" : "UPDATE");
  }
  if (table.lacks_replica_identity) {
    return absl::StrCat(
        "it is published without a replica identity, so that the server changes no "
        "row of it (ALTER TABLE ",
        table.Sql(), " REPLICA IDENTITY FULL)");
  }
  return "";
}

Reason RefusalReason(const PgTable& table) {
  const PgPrivileges& may = table.privileges;
  return may.insert && may.update && may.del ? Reason::kUnsupported : Reason::kNotAllowed;
}

void AddRefusals(const PgTenantMap& map, const std::set<std::string>& may_fire, TenantMap* tables) {
  for (MappedTable& table : tables->tables) {
    const PgTablePlan* const plan = map.Find(table.schema.identity);
    if (plan != nullptr &&
        (table.relation == Relation::kOwned || table.relation == Relation::kUnresolved)) {
      table.write_refusal = WriteRefusal(map.catalog(), map.Table(*plan), may_fire);
      table.replace_refusal = ReplaceRefusal(map.Table(*plan));
      table.refusal_reason = RefusalReason(map.Table(*plan));
      table.may_be_obstructed = MayBeObstructed(map, map.Table(*plan));
    }
  }
}

absl::Status CheckMayFire(const PgCatalog& catalog, const std::set<std::string>& may_fire) {
  for (const std::string& name : may_fire) {
    if (catalog.FindByName(name) == nullptr) {
      return MakeError(Reason::kConfigInvalid,
                       absl::StrCat("may_fire: There is no table ", Printable(name),
                                    " that the role can see, or several schemas have one."));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate
