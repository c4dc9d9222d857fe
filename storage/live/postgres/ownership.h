#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/map_config.h"
#include "storage/live/postgres/ownership_finder.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/model/tenant_id.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

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
  const std::vector<PgTablePlan>& plans() const { return ownership_.plans; }

  // The plan of a table by its identity (its OID as text); nullptr if there is none. Borrowed.
  const PgTablePlan* Find(const std::string& identity) const;
  // The table of a plan.
  const PgTable& Table(const PgTablePlan& plan) const;

  // As the engine sees it: tables in the order of plans(), identity = OID, name = DisplayName().
  TenantMap ToTenantMap() const;

  // The type of tenant ids, as SQL for casts. Never empty if a table is owned.
  const std::string& tenant_type() const { return ownership_.tenant_type; }
  PgTypeClass tenant_class() const { return ownership_.tenant_class; }

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
  // The same for the tenant whose id is `value`, SQL of the type tenant_type().
  std::string OwnedByValueSql(const PgTablePlan& plan, const std::string& value) const;
  // The same for the tenant whose id is the parameter $1 of the statement.
  std::string OwnedByParameterSql(const PgTablePlan& plan) const;

  // Whether indexes serve that condition, on each step of the path.
  bool HasIndexesToOwner(const PgTablePlan& plan) const;

  // The columns of a payload, in order, comma-separated, as t."a", t."b".
  std::string PayloadColumnsSql(const PgTablePlan& plan) const;
  // As a column list of COPY … FROM: "a", "b".
  std::string ColumnListSql(const PgTablePlan& plan) const;

  // What orders rows bytewise by the text of t's key column with index `key` in PgTable::key.
  std::string KeyOrderSql(const PgTablePlan& plan, int key) const;

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

  std::string RawOwnerSql(const PgTablePlan& plan) const;
  bool ComparesWithoutCast(const PgTablePlan& plan) const;

  PgCatalog catalog_;
  MapConfig config_;
  Ownership ownership_;
};

}  // namespace reinstate
