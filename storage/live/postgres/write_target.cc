#include "storage/live/postgres/write_target.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

size_t FieldOf(const std::vector<const PgColumn*>& columns, PgAttnum number) {
  const auto found = std::find_if(columns.begin(), columns.end(), [number](const PgColumn* column) {
    return column->number == number;
  });
  return static_cast<size_t>(found - columns.begin());
}

std::vector<std::vector<size_t>> UniqueFields(const PgTable& table,
                                              const std::vector<const PgColumn*>& columns) {
  std::vector<std::vector<size_t>> all;
  for (const PgUnique& unique : table.uniques) {
    std::vector<size_t> fields;
    for (const PgAttnum number : unique.columns) {
      fields.push_back(FieldOf(columns, number));
    }
    const bool of_payload = std::all_of(
        fields.begin(), fields.end(), [&columns](size_t field) { return field < columns.size(); });
    if (!unique.deferrable && !unique.exclusion && unique.columns != table.key && of_payload &&
        !fields.empty()) {
      all.push_back(std::move(fields));
    }
  }
  return all;
}

}  // namespace

std::unique_ptr<const WriteTarget> WriteTarget::Make(const PgTenantMap* map,
                                                     const PgTablePlan& plan, TenantId tenant) {
  const PgTable& table = map->Table(plan);
  std::vector<const PgColumn*> columns = table.PayloadColumns();
  const size_t owner_field = plan.by_own_column() ? FieldOf(columns, plan.owner_column) : 0;
  std::vector<std::vector<size_t>> unique_fields = UniqueFields(table, columns);
  return std::unique_ptr<const WriteTarget>(
      new WriteTarget{.map = map,
                      .plan = &plan,
                      .table = &table,
                      .tenant = std::move(tenant),
                      .columns = std::move(columns),
                      .owner_field = owner_field,
                      .codec = RowCodec(map->Layout(plan)),
                      .unique_fields = std::move(unique_fields)});
}

absl::Status WriteTarget::CheckOwner(const std::vector<std::string_view>& fields) const {
  if (fields.size() != columns.size()) {
    return MakeError(Reason::kUnsupported,
                     absl::StrCat("a row of table ", table->DisplayName(),
                                  " has another number of columns than the table"));
  }
  if (!plan->by_own_column()) {
    return absl::OkStatus();
  }
  std::string owner;
  if (fields[owner_field] == kCopyNull || !AppendCopyValue(fields[owner_field], &owner) ||
      owner != tenant.value()) {
    return MakeError(Reason::kInternal, absl::StrCat("a row for table ", table->DisplayName(),
                                                     " is not the tenant's; it was not written"));
  }
  return absl::OkStatus();
}

std::string WriteTarget::TouchableSql() const {
  return absl::StrCat("(", map->OwnedBySql(*plan, tenant),
                      plan->path.empty() ? ") IS TRUE" : ") IS NOT FALSE");
}

absl::Status WriteTarget::NotAsSaid() const {
  return MakeError(Reason::kLiveChanged,
                   absl::StrCat("rows of table ", table->DisplayName(),
                                " are not as they were when the restore was planned"));
}

bool WriteTarget::IsKey(std::string_view constraint) const {
  // The index of a partition has a name of its own.
  return table->kind == 'p' ||
         std::any_of(table->uniques.begin(), table->uniques.end(), [&](const PgUnique& unique) {
           return unique.name == constraint && unique.columns == table->key;
         });
}

}  // namespace reinstate
