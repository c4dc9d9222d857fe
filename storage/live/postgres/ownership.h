#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/model/tenant_id.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// A reference that the database does not know of, as if it were a foreign key.
struct VirtualReference {
  std::string table;
  std::vector<std::string> columns;
  std::string parent;
  std::vector<std::string> parent_columns;
};

// What the configuration says of how tables relate to tenants. Tables are named with or without
// their schema.
struct MapConfig {
  std::string tenant_table;  // a row a tenant; empty: there is none
  std::string tenant_key;    // its column that is the tenant's id; empty: its primary key
  std::vector<std::string> tenant_columns;  // names of columns that hold tenants' ids, anywhere
  std::vector<std::string> label_columns;   // of the tenant table, name first
  std::vector<std::string> shared;
  std::map<std::string, std::string> excluded;           // table -> reason
  std::map<std::string, std::string> owner_expressions;  // table -> SQL over the row `t`
  std::vector<VirtualReference> references;
  std::vector<std::string> ownerless;  // tables that may have rows that belong to nobody
};

// One step from a table to another that it refers to.
struct PathStep {
  PgOid parent = 0;
  std::vector<PgAttnum> child_columns;
  std::vector<PgAttnum> parent_columns;  // as many; unique in the parent
  std::string name;                      // of the foreign key; for people
};

// How one table relates to tenants, and how its rows are found.
struct PgTablePlan {
  PgOid table = 0;
  Relation relation = Relation::kUnresolved;
  std::string how;  // a phrase for people: the column or path; the reason; why it is unresolved

  // If owned: the steps that lead to the table that has the owner (none: it is this one), and there
  // a column, or an expression if that is 0.
  std::vector<PathStep> path;
  PgAttnum owner_column = 0;
  std::string owner_expression;
  bool ownerless_declared = false;

  // Owned by a column of its own.
  bool by_own_column() const { return path.empty() && owner_column != 0; }
};

// The tenant map of a database and the SQL that follows from it. Owns a copy of what it was made
// from. Immutable, so thread-safe.
//
// In all of its SQL the table itself has the alias t and those on its path p1, p2, …; text is that
// of format('%s', value) under pinned settings, which is what COPY writes.
class PgTenantMap {
 public:
  // A pure function of its arguments. CONFIG_INVALID if the config names a table or column that is
  // not there, says two things of one table, or names references whose parent columns are not
  // unique, with each such thing on a line of its own. A table that it finds no owner for is
  // kUnresolved, not an error.
  static absl::StatusOr<PgTenantMap> Make(PgCatalog catalog, MapConfig config);

  const PgCatalog& catalog() const { return catalog_; }
  const MapConfig& config() const { return config_; }

  // All tables: owned ones by the length of their path, longest first, so that children come before
  // their parents; then by name.
  const std::vector<PgTablePlan>& plans() const { return plans_; }

  // The plan of a table by its identity (its OID as text); nullptr if there is none. Borrowed.
  const PgTablePlan* Find(const std::string& identity) const;
  // The table of a plan.
  const PgTable& Table(const PgTablePlan& plan) const;

  // As the engine sees it: tables in the order of plans(), identity = OID, name = DisplayName().
  TenantMap ToTenantMap() const;

  // The type of tenant ids, as SQL for casts. Never empty if a table is owned.
  const std::string& tenant_type() const { return tenant_type_; }

  RowLayout Layout(const PgTablePlan& plan) const;

  // What follows FROM to have t and its path: ONLY "s"."t" t LEFT JOIN "s"."p" p1 ON …; with
  // `heap`, that heap in place of the table. LEFT, so that rows of nobody stay. No row of t comes
  // twice, since the parents' columns are unique.
  std::string FromSql(const PgTablePlan& plan, const PgHeap* heap = nullptr) const;

  // The owner's value, of type tenant_type(); NULL for rows of nobody. 'NULL' if not owned.
  std::string OwnerSql(const PgTablePlan& plan) const;
  // The owner's text; NULL for rows of nobody.
  std::string OwnerTextSql(const PgTablePlan& plan) const;

  // A condition that is true for the rows of `tenant` only, and that indexes serve.
  std::string OwnedBySql(const PgTablePlan& plan, const TenantId& tenant) const;

  // The columns of a payload, in order, comma-separated, as t."a", t."b".
  std::string PayloadColumnsSql(const PgTablePlan& plan) const;
  // As a column list of COPY … FROM: "a", "b".
  std::string ColumnListSql(const PgTablePlan& plan) const;

  // The text of t's key column with index `key` in PgTable::key.
  std::string KeyTextSql(const PgTablePlan& plan, int key) const;

  // A SELECT of the lines that RowCodec::Decode takes, for rows that `condition` (SQL; may be
  // empty) holds for; ascending bytewise by RowKey if `ordered`. Rows of tables without a key get
  // their ordinals among those that the condition holds for.
  std::string RowSelect(const PgTablePlan& plan, std::string_view condition, bool ordered) const;

  // A SELECT of the lines that RowCodec::DecodeOwned takes, of one heap or, with nullptr, of all,
  // in no order. Of tables without a key all heaps have to be read at once.
  std::string CutSelect(const PgTablePlan& plan, const PgHeap* heap,
                        std::string_view condition) const;

 private:
  PgTenantMap() = default;

  PgCatalog catalog_;
  MapConfig config_;
  std::vector<PgTablePlan> plans_;
  std::string tenant_type_;
  PgTypeClass tenant_class_ = PgTypeClass::kOther;
};

}  // namespace reinstate
