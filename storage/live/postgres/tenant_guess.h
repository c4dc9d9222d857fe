#pragma once

#include <string>
#include <vector>

#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/map_config.h"

namespace reinstate {

// The words of a table's or column's name, in lower case: "userSessions" and "user_sessions" are
// both "user" and "sessions".
std::vector<std::string> WordsOf(const std::string& name);

// Guesses which table has a row a tenant, which columns refer to it, and which are what people call
// it: by names that are usual (sites, accounts, organizations, …), then by how many tables it would
// own. Empty if there is nothing to go by. Pure.
MapConfig GuessTenants(const PgCatalog& catalog);

}  // namespace reinstate
