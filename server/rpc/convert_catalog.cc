#include "server/rpc/convert_catalog.h"

#include "absl/strings/escaping.h"

namespace reinstate {
namespace {

v1::TableRelation RelationToWire(Relation relation) {
  switch (relation) {
    case Relation::kOwned:
      return v1::TABLE_RELATION_OWNED;
    case Relation::kShared:
      return v1::TABLE_RELATION_SHARED;
    case Relation::kExcluded:
      return v1::TABLE_RELATION_EXCLUDED;
    case Relation::kUnresolved:
      return v1::TABLE_RELATION_UNRESOLVED;
  }
  return v1::TABLE_RELATION_UNSPECIFIED;
}

}  // namespace

void CatalogToWire(const TenantMap& map, v1::Catalog* wire) {
  for (const MappedTable& table : map.tables) {
    v1::TableInfo* info = wire->add_tables();
    info->set_name(table.schema.name);
    info->set_identity(table.schema.identity);
    info->set_relation(RelationToWire(table.relation));
    info->set_how(table.how);
    info->set_write_refusal(table.write_refusal);
    info->set_replace_refusal(table.replace_refusal);
    info->set_refused_by_role(table.refusal_reason == Reason::kNotAllowed);
    info->set_may_be_obstructed(table.may_be_obstructed);
    for (const Column& column : table.schema.columns) {
      v1::ColumnInfo* column_info = info->add_columns();
      column_info->set_name(column.name);
      column_info->set_type(column.type);
      column_info->set_in_key(column.in_key);
    }
  }
  wire->set_label_source(map.label_source);
  wire->set_tenant_map_digest(absl::BytesToHexString(map.Digest()));
}

void DiscoveryToWire(const StoreDiscovery& discovery, v1::Catalog* wire) {
  CatalogToWire(discovery.map, wire);
  for (int i = 0; i < wire->tables_size(); ++i) {
    v1::TableInfo* const table = wire->mutable_tables(i);
    table->set_estimated_rows(-1);
    if (static_cast<size_t>(i) < discovery.findings.size()) {
      const TableFinding& finding = discovery.findings[static_cast<size_t>(i)];
      table->set_estimated_rows(finding.estimated_rows < 0 ? -1 : finding.estimated_rows);
      table->mutable_remarks()->Assign(finding.remarks.begin(), finding.remarks.end());
    }
  }
}

}  // namespace reinstate
