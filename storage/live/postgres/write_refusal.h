#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "storage/base/error.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/ownership.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// Why rows of `table` cannot be changed by a restore, as MappedTable::write_refusal; empty if they
// can. `may_fire` are the names of tables whose ENABLE ALWAYS or REPLICA triggers and rules may
// fire. Pure.
//
// A deferrable exclusion constraint is not looked at while triggers are silent, and what it
// excludes cannot be looked for afterwards: its operators may be anything. Nor is a deferrable
// constraint of a single partition: which partition a row goes to is not known beforehand.
std::string WriteRefusal(const PgCatalog& catalog, const PgTable& table,
                         const std::set<std::string>& may_fire);

// Why rows of `table` cannot be replaced or deleted, as MappedTable::replace_refusal. Pure.
std::string ReplaceRefusal(const PgTable& table);

// Of both: NOT_ALLOWED if the role lacks a privilege on `table`. Pure.
Reason RefusalReason(const PgTable& table);

// Writes all three into `tables`, which are those of `map`, and whether their rows may be
// obstructed. Pure.
void AddRefusals(const PgTenantMap& map, const std::set<std::string>& may_fire, TenantMap* tables);

// CONFIG_INVALID if one of `may_fire` is no table, which would do nothing otherwise.
absl::Status CheckMayFire(const PgCatalog& catalog, const std::set<std::string>& may_fire);

}  // namespace reinstate
