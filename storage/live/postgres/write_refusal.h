#pragma once

#include <set>
#include <string>

#include "storage/live/postgres/catalog_facts.h"

namespace reinstate {

// Why rows of `table` cannot be changed by a restore, as MappedTable::write_refusal; empty if they
// can. `may_fire` are the tables, by display name, whose ENABLE ALWAYS or REPLICA triggers and
// rules may fire. Pure.
//
// A deferrable exclusion constraint is not looked at while triggers are silent, and what it
// excludes cannot be looked for afterwards: its operators may be anything. Nor is a deferrable
// constraint of a single partition: which partition a row goes to is not known beforehand.
std::string WriteRefusal(const PgTable& table, const std::set<std::string>& may_fire);

}  // namespace reinstate
