#include "storage/live/postgres/named_columns.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"

namespace reinstate {
namespace {

std::string TypeOfClass(PgTypeClass type_class, const PgColumn& column) {
  switch (type_class) {
    case PgTypeClass::kInteger:
      return "bigint";
    case PgTypeClass::kText:
      return "text";
    case PgTypeClass::kPaddedText:
      return "bpchar";
    case PgTypeClass::kUuid:
      return "uuid";
    default:
      return column.cast_type;
  }
}

}  // namespace

NamedColumns::NamedColumns(const PgCatalog& catalog, const MapConfig& config,
                           const ResolvedMapConfig& resolved)
    : catalog_(catalog), config_(config), resolved_(resolved) {
  if (resolved_.tenant_table != nullptr) {
    return;
  }
  std::set<Place> all;
  for (const PgTable& table : catalog_.tables) {
    for (const PgColumn& column : table.columns) {
      if (IsNamed(column)) {
        all.merge(EndsOf(table, column));
      }
    }
  }
  std::erase_if(all, [this](const Place& place) { return IsNamedPlace(place); });
  if (all.size() == 1) {
    common_end_ = *all.begin();
  }
}

size_t NamedColumns::Rank(const PgColumn& column) const {
  return static_cast<size_t>(
      std::find(config_.tenant_columns.begin(), config_.tenant_columns.end(), column.name) -
      config_.tenant_columns.begin());
}

bool NamedColumns::IsNamed(const PgColumn& column) const {
  return Rank(column) < config_.tenant_columns.size();
}

void NamedColumns::Follow(const Place& from, std::set<Place>* visited,
                          std::set<Place>* ends) const {
  if (!visited->insert(from).second) {
    return;
  }
  bool any = false;
  const bool at_tenants =
      resolved_.tenant_table != nullptr && from.first == resolved_.tenant_table->oid;
  for (const PgForeignKey& key : catalog_.foreign_keys) {
    const PgTable* const parent = catalog_.FindByHeap(key.parent);
    for (size_t i = 0; i < key.child_columns.size(); ++i) {
      if (at_tenants || parent == nullptr || key.child != from.first ||
          key.child_columns[i] != from.second) {
        continue;
      }
      const Place to = {parent->oid, key.parent_columns[i]};
      any = any || to != from;
      Follow(to, visited, ends);
    }
  }
  if (!any) {
    ends->insert(from);
  }
}

std::set<NamedColumns::Place> NamedColumns::EndsOf(const PgTable& table,
                                                   const PgColumn& column) const {
  std::set<Place> visited;
  std::set<Place> ends;
  Follow({table.oid, column.number}, &visited, &ends);
  return ends;
}

// In the tenant table, only the key is a tenant's id. Who owns a table with references in the
// configuration, its columns do not say.
bool NamedColumns::IsNamedPlace(const Place& place) const {
  const PgTable* const table = catalog_.Find(place.first);
  const bool by_config =
      std::any_of(resolved_.references.begin(), resolved_.references.end(),
                  [&place](const auto& reference) { return reference.first == place.first; });
  return table != resolved_.tenant_table && !by_config && IsNamed(*table->Column(place.second));
}

bool NamedColumns::IsId(const Place& place) const {
  if (resolved_.tenant_table != nullptr && place.first == resolved_.tenant_table->oid) {
    return place.second == resolved_.tenant_key->number;
  }
  return place == common_end_ || IsNamedPlace(place);
}

std::string NamedColumns::LeadsElsewhere(const PgTable& table, const PgColumn& column) const {
  const std::set<Place> ends = EndsOf(table, column);
  if (ends.empty() || ends.contains({table.oid, column.number}) ||
      std::any_of(ends.begin(), ends.end(), [this](const Place& end) { return IsId(end); })) {
    return "";
  }
  const PgTable& end = *catalog_.Find(ends.begin()->first);
  return absl::StrCat(end.Column(ends.begin()->second)->name, " of ", end.DisplayName());
}

std::pair<std::string, PgTypeClass> NamedColumns::TenantType() const {
  const auto type_of = [](const PgColumn& column) {
    return std::pair(TypeOfClass(column.type_class, column), column.type_class);
  };
  if (resolved_.tenant_key != nullptr) {
    return type_of(*resolved_.tenant_key);
  }
  std::pair<std::string, PgTypeClass> chosen = {"text", PgTypeClass::kText};
  std::map<std::string, int> votes;
  int most = 0;
  for (const PgTable& table : catalog_.tables) {
    for (const PgColumn& column : table.columns) {
      if (!IsNamed(column) || column.type_class == PgTypeClass::kOther ||
          !LeadsElsewhere(table, column).empty()) {
        continue;
      }
      if (const int count = ++votes[type_of(column).first]; count > most) {
        most = count;
        chosen = type_of(column);
      }
    }
  }
  return chosen;
}

}  // namespace reinstate
