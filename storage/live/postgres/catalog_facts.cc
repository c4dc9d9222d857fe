#include "storage/live/postgres/catalog_facts.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

std::vector<PgAttnum> Sorted(std::vector<PgAttnum> columns) {
  std::sort(columns.begin(), columns.end());
  return columns;
}

PgTable WithoutEstimates(PgTable table) {
  table.estimated_rows = 0;
  table.estimated_bytes = 0;
  for (PgHeap& heap : table.heaps) {
    heap.pages = 0;
  }
  return table;
}

std::vector<PgForeignKey> KeysOf(const PgCatalog& catalog, const std::set<PgOid>& tables) {
  std::vector<PgForeignKey> keys;
  for (const PgForeignKey& key : catalog.foreign_keys) {
    if (tables.contains(key.child) || tables.contains(key.parent_table)) {
      keys.push_back(key);
    }
  }
  return keys;
}

}  // namespace

std::string PgTable::DisplayName() const {
  return schema == "public" ? name : absl::StrCat(schema, ".", name);
}

std::string PgTable::Sql() const { return QuoteQualified(schema, name); }

const PgColumn* PgTable::Column(PgAttnum number) const {
  const auto found = std::find_if(columns.begin(), columns.end(), [number](const PgColumn& column) {
    return column.number == number;
  });
  return found == columns.end() ? nullptr : &*found;
}

const PgColumn* PgTable::ColumnByName(const std::string& column) const {
  const auto found = std::find_if(columns.begin(), columns.end(), [&column](const PgColumn& other) {
    return other.name == column;
  });
  return found == columns.end() ? nullptr : &*found;
}

std::vector<const PgColumn*> PgTable::PayloadColumns() const {
  std::vector<const PgColumn*> payload;
  for (const PgColumn& column : columns) {
    if (!column.generated) {
      payload.push_back(&column);
    }
  }
  return payload;
}

bool PgTable::HasIndexOn(const std::vector<PgAttnum>& columns) const {
  return std::any_of(columns.begin(), columns.end(), [this](PgAttnum column) {
    return std::find(index_leads.begin(), index_leads.end(), column) != index_leads.end();
  });
}

bool PgTable::IsUnique(const std::vector<PgAttnum>& columns) const {
  const std::vector<PgAttnum> wanted = Sorted(columns);
  return std::any_of(uniques.begin(), uniques.end(), [&wanted](const PgUnique& unique) {
    return !unique.exclusion && !unique.deferrable && !unique.partial && !unique.columns.empty() &&
           Sorted(unique.columns) == wanted;
  });
}

const PgTable* PgCatalog::Find(PgOid table) const {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [table](const PgTable& other) { return other.oid == table; });
  return found == tables.end() ? nullptr : &*found;
}

const PgTable* PgCatalog::FindByHeap(PgOid table_or_leaf) const {
  if (const PgTable* const table = Find(table_or_leaf); table != nullptr) {
    return table;
  }
  for (const PgTable& table : tables) {
    for (const PgHeap& heap : table.heaps) {
      if (heap.oid == table_or_leaf) {
        return &table;
      }
    }
  }
  return nullptr;
}

const PgTable* PgCatalog::FindByName(const std::string& name) const {
  std::vector<const PgTable*> named;
  std::vector<const PgTable*> qualified;
  for (const PgTable& table : tables) {
    if (table.Sql() == name) {
      return &table;
    }
    if (absl::StrCat(table.schema, ".", table.name) == name) {
      qualified.push_back(&table);
    }
    if (table.name == name) {
      named.push_back(&table);
    }
  }
  if (!qualified.empty()) {
    return named.empty() && qualified.size() == 1 ? qualified.front() : nullptr;
  }
  const auto in_public = std::find_if(
      named.begin(), named.end(), [](const PgTable* table) { return table->schema == "public"; });
  if (in_public != named.end()) {
    return *in_public;
  }
  return named.size() == 1 ? named.front() : nullptr;
}

std::string PgCatalog::NameOf(const PgTable& table) const {
  return FindByName(table.DisplayName()) == &table ? table.DisplayName() : table.Sql();
}

bool SameTables(const PgCatalog& one, const PgCatalog& other, const std::set<PgOid>& tables) {
  return KeysOf(one, tables) == KeysOf(other, tables) &&
         std::all_of(tables.begin(), tables.end(), [&](PgOid oid) {
           const PgTable* const first = one.Find(oid);
           const PgTable* const second = other.Find(oid);
           return first != nullptr && second != nullptr &&
                  WithoutEstimates(*first) == WithoutEstimates(*second);
         });
}

}  // namespace reinstate
