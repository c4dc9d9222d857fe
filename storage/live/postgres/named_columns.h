#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>

#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/map_config.h"

namespace reinstate {

// Which columns hold tenants' ids by their names: those that MapConfig::tenant_columns names, but
// for those whose foreign keys lead to something else. Of tenants(id, account_no UNIQUE), a column
// tenant_id that refers to account_no holds no id, and taking it for one would give rows to the
// wrong tenant. Immutable; borrows what it was made from.
class NamedColumns {
 public:
  NamedColumns(const PgCatalog& catalog, const MapConfig& config,
               const ResolvedMapConfig& resolved);

  // The place of a column's name in tenant_columns; their number if it is not there.
  size_t Rank(const PgColumn& column) const;
  bool IsNamed(const PgColumn& column) const;

  // What the foreign keys of a column lead to, step by step, if that is nothing known to be a
  // tenant's id: a phrase as "account_no of tenants". Empty if it is one, or if there are none.
  std::string LeadsElsewhere(const PgTable& table, const PgColumn& column) const;

  // The type of tenants' ids: that of the tenant table's key; without one, that of most named
  // columns; text if there are none. As SQL, and its class.
  std::pair<std::string, PgTypeClass> TenantType() const;

 private:
  using Place = std::pair<PgOid, PgAttnum>;

  // Adds the columns at which the foreign keys from `from` end; itself if it has none.
  void Follow(const Place& from, std::set<Place>* visited, std::set<Place>* ends) const;
  std::set<Place> EndsOf(const PgTable& table, const PgColumn& column) const;
  bool IsNamedPlace(const Place& place) const;
  bool IsId(const Place& place) const;

  const PgCatalog& catalog_;
  const MapConfig& config_;
  const ResolvedMapConfig& resolved_;
  // Without a tenant table: the one column that foreign keys of named ones end at, if it is one.
  Place common_end_ = {};
};

}  // namespace reinstate
