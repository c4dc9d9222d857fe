#include "tests/unit/storage/live/postgres/catalog_builder.h"

#include <algorithm>
#include <map>

namespace reinstate {
namespace {

PgTypeClass ClassOf(const std::string& type) {
  static const auto* const kClasses = new std::map<std::string, PgTypeClass>{
      {"integer", PgTypeClass::kInteger}, {"bigint", PgTypeClass::kInteger},
      {"text", PgTypeClass::kText},       {"character(8)", PgTypeClass::kPaddedText},
      {"uuid", PgTypeClass::kUuid},       {"region", PgTypeClass::kEnum},
      {"plan_level", PgTypeClass::kEnum},
  };
  const auto found = kClasses->find(type);
  return found == kClasses->end() ? PgTypeClass::kOther : found->second;
}

}  // namespace

PgOid CatalogBuilder::AddTable(const std::string& name, const std::vector<ColumnSpec>& columns,
                               const std::vector<std::string>& key) {
  PgTable table;
  table.oid = static_cast<PgOid>(100 + catalog_.tables.size());
  table.schema = "public";
  table.name = name;
  for (const ColumnSpec& spec : columns) {
    table.columns.push_back({.number = static_cast<PgAttnum>(table.columns.size() + 1),
                             .name = spec.name,
                             .type = spec.type,
                             .cast_type = spec.type.substr(0, spec.type.find('(')),
                             .type_class = ClassOf(spec.type),
                             .text_equality = ClassOf(spec.type) != PgTypeClass::kOther,
                             .not_null = !spec.nullable,
                             .generated = spec.generated});
  }
  table.heaps.push_back({.oid = table.oid, .schema = "public", .name = name});
  catalog_.tables.push_back(table);
  if (!key.empty()) {
    Table(name).key = Numbers(name, key);
    AddUnique(name, key);
    Table(name).uniques.back().primary = true;
  }
  return table.oid;
}

void CatalogBuilder::AddUnique(const std::string& table, const std::vector<std::string>& columns) {
  PgUnique unique;
  unique.name = table + "_unique";
  unique.columns = Numbers(table, columns);
  unique.constraint = true;
  Table(table).uniques.push_back(std::move(unique));
}

void CatalogBuilder::AddForeignKey(const std::string& child,
                                   const std::vector<std::string>& columns,
                                   const std::string& parent,
                                   const std::vector<std::string>& parent_columns) {
  PgForeignKey key;
  key.oid = static_cast<PgOid>(1000 + catalog_.foreign_keys.size());
  key.name = child + "_" + columns.front() + "_fkey";
  key.child = Table(child).oid;
  key.parent = Table(parent).oid;
  key.parent_table = key.parent;
  key.child_columns = Numbers(child, columns);
  key.parent_columns = Numbers(parent, parent_columns);
  catalog_.foreign_keys.push_back(std::move(key));
}

PgTable& CatalogBuilder::Table(const std::string& name) {
  return *std::find_if(catalog_.tables.begin(), catalog_.tables.end(),
                       [&name](const PgTable& table) { return table.name == name; });
}

std::vector<PgAttnum> CatalogBuilder::Numbers(const std::string& table,
                                              const std::vector<std::string>& names) {
  std::vector<PgAttnum> numbers;
  for (const std::string& name : names) {
    numbers.push_back(Table(table).ColumnByName(name)->number);
  }
  return numbers;
}

}  // namespace reinstate
