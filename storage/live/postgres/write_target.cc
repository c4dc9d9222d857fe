#include "storage/live/postgres/write_target.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

std::optional<size_t> FieldOf(const std::vector<const PgColumn*>& columns, PgAttnum number) {
  const auto found = std::find_if(columns.begin(), columns.end(), [number](const PgColumn* column) {
    return column->number == number;
  });
  return found == columns.end() ? std::nullopt : std::optional<size_t>(found - columns.begin());
}

// Of those of `numbers` that are in a payload.
std::vector<size_t> FieldsAmong(const std::vector<const PgColumn*>& columns,
                                const std::vector<PgAttnum>& numbers) {
  std::vector<size_t> fields;
  for (const PgAttnum number : numbers) {
    if (const std::optional<size_t> field = FieldOf(columns, number); field.has_value()) {
      fields.push_back(*field);
    }
  }
  return fields;
}

// Deferrable ones are not looked at while triggers are silent.
void AddUniques(WriteTarget* target) {
  for (const PgUnique& unique : target->table->uniques) {
    if (unique.deferrable || (unique.columns == target->table->key && !unique.exclusion)) {
      continue;
    }
    std::vector<size_t> fields = FieldsAmong(target->columns, unique.columns);
    if (!unique.exclusion && !unique.partial && !fields.empty() &&
        fields.size() == unique.columns.size()) {
      target->unique_fields.push_back(std::move(fields));
    } else {
      target->exclusive_fields.push_back(FieldsAmong(target->columns, unique.inputs));
    }
  }
}

// Whether a column writes a tenant's id as the tenants' type does, whenever it is that id.
bool SpellsAlike(const PgTenantMap& map, const PgColumn& column) {
  return column.type_class == map.tenant_class() && column.type_class != PgTypeClass::kPaddedText &&
         column.type_class != PgTypeClass::kOther;
}

}  // namespace

std::unique_ptr<const WriteTarget> WriteTarget::Make(const PgTenantMap* map,
                                                     const PgTablePlan& plan, TenantId tenant) {
  const PgTable& table = map->Table(plan);
  auto target = std::make_unique<WriteTarget>(WriteTarget{.map = map,
                                                          .plan = &plan,
                                                          .table = &table,
                                                          .tenant = std::move(tenant),
                                                          .columns = table.PayloadColumns(),
                                                          .codec = RowCodec(map->Layout(plan))});
  if (plan.by_own_column()) {
    target->owner_field = FieldOf(target->columns, plan.owner_column);
  }
  if (!plan.path.empty()) {
    const std::vector<PgAttnum>& columns = plan.path.front().child_columns;
    target->step_fields = FieldsAmong(target->columns, columns);
    if (target->step_fields.size() < columns.size()) {
      target->step_fields.clear();
    }
  }
  AddUniques(target.get());
  for (size_t i = 0; i < target->columns.size(); ++i) {
    if (target->columns[i]->always_identity) {
      target->fixed_fields.push_back(i);
    }
  }
  return target;
}

absl::StatusOr<bool> WriteTarget::SaysOwner(const std::vector<std::string_view>& fields) const {
  if (fields.size() != columns.size()) {
    return MakeError(Reason::kUnsupported,
                     absl::StrCat("a row of table ", table->DisplayName(),
                                  " has another number of columns than the table"));
  }
  if (!owner_field.has_value()) {
    return false;
  }
  std::string owner;
  const std::string_view field = fields[*owner_field];
  const bool is_value = field != kCopyNull && AppendCopyValue(field, &owner);
  if (is_value && owner == tenant.value()) {
    return true;
  }
  if (is_value && !SpellsAlike(*map, *columns[*owner_field])) {
    return false;
  }
  return MakeError(Reason::kInternal, absl::StrCat("a row for table ", table->DisplayName(),
                                                   " is not the tenant's; it was not written"));
}

std::string WriteTarget::TouchableSql() const {
  return absl::StrCat("(", map->OwnedBySql(*plan, tenant),
                      plan->by_own_column() ? ") IS TRUE" : ") IS NOT FALSE");
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
