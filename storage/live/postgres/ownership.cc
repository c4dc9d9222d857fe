#include "storage/live/postgres/ownership.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

// The alias of the table after `steps` steps of a path.
std::string Alias(size_t steps) { return steps == 0 ? "t" : absl::StrCat("p", steps); }

std::string ColumnSql(size_t steps, const PgColumn& column) {
  return absl::StrCat(Alias(steps), ".", QuoteIdentifier(column.name));
}

// ONLY leaves out old-style children, which are tables of their own; of a partitioned table it
// would leave out everything.
std::string TableSql(const PgTable& table) {
  return absl::StrCat(table.kind == 'p' ? "" : "ONLY ", table.Sql());
}

// SHA-256 cut to 128 bits: the server has it everywhere (md5 is refused in FIPS mode). A record's
// text parts NULL from the empty text.
std::string RowHashSql(const std::string& columns) {
  return absl::StrCat("encode(substr(sha256(convert_to(ROW(", columns,
                      ")::text, 'UTF8')), 1, 16), 'hex')");
}

// Equal rows are told apart by an ordinal; which of them has which does not matter.
std::string KeylessSelect(const std::string& columns, const std::string& owner,
                          const std::string& from) {
  const std::string hash = RowHashSql(columns);
  return absl::StrCat(
      "SELECT ", owner, hash, " COLLATE \"C\", lpad((row_number() OVER (PARTITION BY ", hash,
      "))::text, 10, '0') COLLATE \"C\"", columns.empty() ? "" : ", ", columns, from);
}

// Whether a cast to text gives what COPY writes: that of boolean does not, for one.
bool IsWrittenAsText(PgTypeClass type) {
  return type == PgTypeClass::kInteger || type == PgTypeClass::kText || type == PgTypeClass::kUuid;
}

std::string WhereSql(std::string_view condition) {
  return condition.empty() ? "" : absl::StrCat(" WHERE ", Absl(condition));
}

}  // namespace

absl::StatusOr<PgTenantMap> PgTenantMap::Make(PgCatalog catalog, MapConfig config) {
  PgTenantMap map;
  ASSIGN_OR_RETURN(map.ownership_, FindOwnership(catalog, config));
  map.catalog_ = std::move(catalog);
  map.config_ = std::move(config);
  return map;
}

const PgTablePlan* PgTenantMap::Find(const std::string& identity) const {
  const auto found = std::find_if(
      plans().begin(), plans().end(),
      [&identity](const PgTablePlan& plan) { return absl::StrCat(plan.table) == identity; });
  return found == plans().end() ? nullptr : &*found;
}

const PgTable& PgTenantMap::Table(const PgTablePlan& plan) const {
  return *catalog_.Find(plan.table);
}

TenantMap PgTenantMap::ToTenantMap() const {
  TenantMap map;
  for (const PgTablePlan& plan : plans()) {
    const PgTable& table = Table(plan);
    MappedTable mapped{.schema = {.identity = absl::StrCat(plan.table),
                                  .name = table.DisplayName(),
                                  .columns = {}},
                       .relation = plan.relation,
                       .how = plan.how};
    for (const PgColumn* const column : table.PayloadColumns()) {
      mapped.schema.columns.push_back({.name = column->name,
                                       .type = column->type,
                                       .in_key = std::find(table.key.begin(), table.key.end(),
                                                           column->number) != table.key.end()});
    }
    for (const int column : Layout(plan).key) {
      mapped.key_order.push_back(static_cast<size_t>(column));
    }
    map.tables.push_back(std::move(mapped));
  }
  if (!config_.label_columns.empty()) {
    map.label_source = absl::StrCat("columns ", absl::StrJoin(config_.label_columns, ", "), " of ",
                                    config_.tenant_table);
  }
  return map;
}

RowLayout PgTenantMap::Layout(const PgTablePlan& plan) const {
  const PgTable& table = Table(plan);
  const std::vector<const PgColumn*> payload = table.PayloadColumns();
  RowLayout layout{.columns = static_cast<int>(payload.size()), .key = {}};
  for (const PgAttnum number : table.key) {
    const auto found =
        std::find_if(payload.begin(), payload.end(),
                     [number](const PgColumn* column) { return column->number == number; });
    layout.key.push_back(static_cast<int>(found - payload.begin()));
  }
  return layout;
}

std::string PgTenantMap::FromSql(const PgTablePlan& plan, const PgHeap* heap) const {
  const PgTable* at = &Table(plan);
  std::string sql = absl::StrCat(
      heap == nullptr ? TableSql(*at) : "ONLY " + QuoteQualified(heap->schema, heap->name), " t");
  for (size_t i = 0; i < plan.path.size(); ++i) {
    const PathStep& step = plan.path[i];
    const PgTable* const parent = catalog_.Find(step.parent);
    std::vector<std::string> equal;
    for (size_t c = 0; c < step.child_columns.size(); ++c) {
      equal.push_back(absl::StrCat(ColumnSql(i + 1, *parent->Column(step.parent_columns[c])), " = ",
                                   ColumnSql(i, *at->Column(step.child_columns[c]))));
    }
    absl::StrAppend(&sql, " LEFT JOIN ", TableSql(*parent), " ", Alias(i + 1), " ON ",
                    absl::StrJoin(equal, " AND "));
    at = parent;
  }
  return sql;
}

std::string PgTenantMap::RawOwnerSql(const PgTablePlan& plan) const {
  const size_t steps = plan.path.size();
  if (plan.owner_column != 0) {
    const PgTable& owner = steps == 0 ? Table(plan) : *catalog_.Find(plan.path.back().parent);
    return ColumnSql(steps, *owner.Column(plan.owner_column));
  }
  if (steps == 0) {
    return absl::StrCat("(", plan.owner_expression, ")");
  }
  // The expression speaks of t; without a row at the end of the path there is nobody to own it.
  return absl::StrCat("(SELECT (", plan.owner_expression, ") FROM (SELECT ", Alias(steps),
                      ".*) AS t WHERE ", Alias(steps), ".tableoid IS NOT NULL)");
}

bool PgTenantMap::ComparesWithoutCast(const PgTablePlan& plan) const {
  if (plan.owner_column == 0) {
    return false;
  }
  const PgTable& owner = plan.path.empty() ? Table(plan) : *catalog_.Find(plan.path.back().parent);
  const PgColumn& column = *owner.Column(plan.owner_column);
  return column.type_class == ownership_.tenant_class &&
         (column.type_class != PgTypeClass::kEnum || column.cast_type == tenant_type());
}

std::string PgTenantMap::OwnerSql(const PgTablePlan& plan) const {
  if (plan.relation != Relation::kOwned) {
    return "NULL";
  }
  return absl::StrCat("(", RawOwnerSql(plan), ")", ComparesWithoutCast(plan) ? "" : "::text",
                      "::", tenant_type());
}

std::string PgTenantMap::OwnerTextSql(const PgTablePlan& plan) const {
  return absl::StrCat(OwnerSql(plan), "::text");
}

std::string PgTenantMap::OwnedByValueSql(const PgTablePlan& plan, const std::string& value) const {
  if (plan.relation != Relation::kOwned) {
    return "false";
  }
  return absl::StrCat(ComparesWithoutCast(plan) ? RawOwnerSql(plan) : OwnerSql(plan), " = ", value);
}

std::string PgTenantMap::OwnedBySql(const PgTablePlan& plan, const TenantId& tenant) const {
  return OwnedByValueSql(plan, CastLiteral(tenant.value(), tenant_type()));
}

std::string PgTenantMap::OwnedByParameterSql(const PgTablePlan& plan) const {
  return OwnedByValueSql(plan, absl::StrCat("$1::", tenant_type()));
}

bool PgTenantMap::HasIndexesToOwner(const PgTablePlan& plan) const {
  const PgTable* at = &Table(plan);
  for (const PathStep& step : plan.path) {
    if (!at->HasIndexOn(step.child_columns)) {
      return false;
    }
    at = catalog_.Find(step.parent);
  }
  return plan.owner_column != 0 && ComparesWithoutCast(plan) && at->HasIndexOn({plan.owner_column});
}

std::string PgTenantMap::PayloadColumnsSql(const PgTablePlan& plan) const {
  std::vector<std::string> columns;
  for (const PgColumn* const column : Table(plan).PayloadColumns()) {
    columns.push_back(ColumnSql(0, *column));
  }
  return absl::StrJoin(columns, ", ");
}

std::string PgTenantMap::ColumnListSql(const PgTablePlan& plan) const {
  std::vector<std::string> columns;
  for (const PgColumn* const column : Table(plan).PayloadColumns()) {
    columns.push_back(QuoteIdentifier(column->name));
  }
  return absl::StrJoin(columns, ", ");
}

std::string PgTenantMap::KeyOrderSql(const PgTablePlan& plan, int key) const {
  const PgTable& table = Table(plan);
  const PgColumn& column = *table.Column(table.key[static_cast<size_t>(key)]);
  std::string sql = ColumnSql(0, column);
  switch (column.type_class) {
    case PgTypeClass::kUuid:
      return sql;
    case PgTypeClass::kText:
      return absl::StrCat(sql, " COLLATE \"C\"");
    case PgTypeClass::kInteger:
    case PgTypeClass::kEnum:
      return absl::StrCat(sql, "::text COLLATE \"C\"");
    case PgTypeClass::kPaddedText:
    case PgTypeClass::kOther:
      break;
  }
  return absl::StrCat("format('%s', ", sql, ") COLLATE \"C\"");
}

std::string PgTenantMap::RowSelect(const PgTablePlan& plan, std::string_view condition,
                                   bool ordered) const {
  const std::string columns = PayloadColumnsSql(plan);
  const std::string from = absl::StrCat(" FROM ", FromSql(plan), WhereSql(condition));
  if (Table(plan).key.empty()) {
    return absl::StrCat(KeylessSelect(columns, "", from), ordered ? " ORDER BY 1, 2" : "");
  }
  std::vector<std::string> order;
  for (size_t i = 0; ordered && i < Table(plan).key.size(); ++i) {
    order.push_back(KeyOrderSql(plan, static_cast<int>(i)));
  }
  return absl::StrCat("SELECT ", columns, from, order.empty() ? "" : " ORDER BY ",
                      absl::StrJoin(order, ", "));
}

std::string PgTenantMap::CutSelect(const PgTablePlan& plan, const PgHeap* heap,
                                   std::string_view condition) const {
  const std::string columns = PayloadColumnsSql(plan);
  const std::string from = absl::StrCat(" FROM ", FromSql(plan, heap), WhereSql(condition));
  // COPY writes the text by itself; making a value of it first would cost the server more.
  const bool as_it_is = plan.relation == Relation::kOwned && IsWrittenAsText(tenant_class());
  const std::string owner = absl::StrCat(as_it_is ? OwnerSql(plan) : OwnerTextSql(plan), ", ");
  if (Table(plan).key.empty()) {
    return KeylessSelect(columns, owner, from);
  }
  return absl::StrCat("SELECT ", owner, columns, from);
}

}  // namespace reinstate
