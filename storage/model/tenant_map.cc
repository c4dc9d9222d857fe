#include "storage/model/tenant_map.h"

#include <algorithm>
#include <map>

#include "storage/model/digest.h"

namespace reinstate {

std::string RelationName(Relation relation) {
  switch (relation) {
    case Relation::kOwned:
      return "owned";
    case Relation::kShared:
      return "shared";
    case Relation::kExcluded:
      return "excluded";
    case Relation::kUnresolved:
      return "unresolved";
  }
  return "unresolved";
}

const MappedTable* TenantMap::Find(const std::string& identity) const {
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const MappedTable& table) {
    return table.schema.identity == identity;
  });
  return found == tables.end() ? nullptr : &*found;
}

const MappedTable* TenantMap::FindByName(const std::string& name) const {
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const MappedTable& table) {
    return table.schema.name == name;
  });
  return found == tables.end() ? nullptr : &*found;
}

std::string TenantMap::Digest() const {
  std::map<std::string, const MappedTable*> by_identity;
  for (const MappedTable& table : tables) {
    by_identity[table.schema.identity] = &table;
  }
  reinstate::Digest digest;
  for (const auto& [identity, table] : by_identity) {
    digest.Add(identity);
    digest.Add(table->schema.name);
    digest.Add(RelationName(table->relation));
    digest.Add(table->how);
  }
  return digest.Finish();
}

}  // namespace reinstate
