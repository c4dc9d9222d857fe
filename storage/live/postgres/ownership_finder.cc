#include "storage/live/postgres/ownership_finder.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/named_columns.h"

namespace reinstate {
namespace {

// A reference from one table to another, declared or from the configuration.
struct Reference {
  const PgTable* child = nullptr;
  const PgTable* parent = nullptr;
  PathStep step;
  bool enforced = false;  // every row of the child has a parent: validated, and no column nullable
};

// How good a way is; less is better.
struct Rank {
  int nullable_steps = 0;
  int steps = 0;

  friend auto operator<=>(const Rank&, const Rank&) = default;
};

// A column that could hold the tenant's id.
struct OwnColumn {
  const PgColumn* column = nullptr;
  size_t name_rank = 0;  // in tenant_columns; their number if it is not there
  const Reference* reference = nullptr;

  auto Order() const {
    return std::tuple(name_rank, !column->not_null, reference == nullptr, column->number);
  }
};

std::string ColumnNames(const PgTable& table, const std::vector<PgAttnum>& numbers) {
  std::vector<std::string> names;
  names.reserve(numbers.size());
  for (const PgAttnum number : numbers) {
    names.push_back(table.Column(number)->name);
  }
  return absl::StrJoin(names, ", ");
}

class Finder {
 public:
  Finder(const PgCatalog& catalog, const MapConfig& config, ResolvedMapConfig resolved)
      : catalog_(catalog),
        config_(config),
        resolved_(std::move(resolved)),
        named_(catalog, config, resolved_) {}

  Ownership Run() {
    CollectReferences();
    for (const PgTable& table : catalog_.tables) {
      plans_[table.oid].table = table.oid;
      Settle(table);
    }
    FollowPaths();
    for (const PgTable& table : catalog_.tables) {
      PgTablePlan& plan = plans_[table.oid];
      if (!settled_.contains(table.oid)) {
        LeaveUnresolved(table, &plan);
        continue;
      }
      if (!plan.path.empty()) {
        NameOtherPaths(table, &plan);
      }
      NameColumnsNotTaken(table, &plan);
    }
    for (const PgOid table : resolved_.ownerless) {
      plans_[table].ownerless_declared = true;
    }
    return InOrder();
  }

 private:
  // What the configuration says of a table takes the place of its foreign keys.
  void CollectReferences() {
    for (const auto& [child, step] : resolved_.references) {
      AddReference(child, step, /*validated=*/false);
      by_config_.insert(child);
    }
    for (const PgForeignKey& key : catalog_.foreign_keys) {
      if (key.child_heap == 0 && !by_config_.contains(key.child)) {
        AddReference(key.child,
                     {.parent = key.parent,
                      .child_columns = key.child_columns,
                      .parent_columns = key.parent_columns,
                      .name = absl::StrCat("foreign key ", key.name)},
                     key.validated);
      }
    }
  }

  void AddReference(PgOid child, const PathStep& step, bool validated) {
    Reference reference{
        .child = catalog_.Find(child), .parent = catalog_.FindByHeap(step.parent), .step = step};
    // A key that refers to one partition is a step only if its columns are unique in all of them.
    if (reference.child == nullptr || reference.parent == nullptr ||
        !reference.parent->IsUnique(reference.step.parent_columns)) {
      return;
    }
    reference.step.parent = reference.parent->oid;
    reference.enforced =
        validated && std::all_of(reference.step.child_columns.begin(),
                                 reference.step.child_columns.end(), [&reference](PgAttnum number) {
                                   return reference.child->Column(number)->not_null;
                                 });
    references_.push_back(std::move(reference));
  }

  // Settles what needs no other table.
  void Settle(const PgTable& table) {
    PgTablePlan& plan = plans_[table.oid];
    const auto excluded = resolved_.excluded.find(table.oid);
    const auto expression = resolved_.owner_expressions.find(table.oid);
    if (excluded != resolved_.excluded.end()) {
      SettleAs(Relation::kExcluded, excluded->second, &plan);
    } else if (std::find(resolved_.shared.begin(), resolved_.shared.end(), table.oid) !=
               resolved_.shared.end()) {
      SettleAs(Relation::kShared, "by the configuration", &plan);
    } else if (expression != resolved_.owner_expressions.end()) {
      plan.owner_expression = expression->second;
      SettleAs(Relation::kOwned, absl::StrCat("by the expression ", expression->second), &plan);
      ranks_[table.oid] = {.nullable_steps = 1, .steps = 0};
    } else if (&table == resolved_.tenant_table) {
      plan.owner_column = resolved_.tenant_key->number;
      SettleAs(Relation::kOwned,
               absl::StrCat("the tenant table; its key ", resolved_.tenant_key->name), &plan);
      ranks_[table.oid] = {};
    } else if (table.kind == 'f') {
      SettleAs(Relation::kExcluded, "a foreign table: its rows are on another server", &plan);
    } else {
      SettleByOwnColumn(table, &plan);
    }
  }

  void SettleAs(Relation relation, std::string how, PgTablePlan* plan) {
    plan->relation = relation;
    plan->how = std::move(how);
    settled_.insert(plan->table);
  }

  std::vector<OwnColumn> OwnColumns(const PgTable& table) const {
    std::vector<OwnColumn> found;
    for (const PgColumn& column : table.columns) {
      OwnColumn candidate{.column = &column, .name_rank = named_.Rank(column)};
      for (const Reference& reference : references_) {
        if (reference.child == &table && reference.parent == resolved_.tenant_table &&
            ParentColumnOf(reference.step, column.number) == resolved_.tenant_key->number) {
          candidate.reference = &reference;
        }
      }
      const bool by_name = named_.IsNamed(column) && !by_config_.contains(table.oid) &&
                           named_.LeadsElsewhere(table, column).empty();
      if (column.type_class != PgTypeClass::kOther && (by_name || candidate.reference != nullptr)) {
        found.push_back(candidate);
      }
    }
    std::sort(found.begin(), found.end(),
              [](const OwnColumn& a, const OwnColumn& b) { return a.Order() < b.Order(); });
    return found;
  }

  // The column that `child_column` refers to, or 0.
  static PgAttnum ParentColumnOf(const PathStep& step, PgAttnum child_column) {
    for (size_t i = 0; i < step.child_columns.size(); ++i) {
      if (step.child_columns[i] == child_column) {
        return step.parent_columns[i];
      }
    }
    return 0;
  }

  void SettleByOwnColumn(const PgTable& table, PgTablePlan* plan) {
    const std::vector<OwnColumn> candidates = OwnColumns(table);
    if (candidates.empty()) {
      return;
    }
    const OwnColumn& taken = candidates.front();
    plan->owner_column = taken.column->number;
    std::string how = absl::StrCat("column ", taken.column->name);
    if (taken.reference != nullptr) {
      absl::StrAppend(&how, ", ", taken.reference->step.name, " to ",
                      resolved_.tenant_table->DisplayName());
    }
    std::vector<std::string> others;
    for (size_t i = 1; i < candidates.size(); ++i) {
      others.push_back(candidates[i].column->name);
    }
    if (!others.empty()) {
      absl::StrAppend(&how, "; not taken: column ", absl::StrJoin(others, ", "));
    }
    SettleAs(Relation::kOwned, std::move(how), plan);
    ranks_[table.oid] = {.nullable_steps = taken.column->not_null ? 0 : 1, .steps = 0};
  }

  // Dijkstra's algorithm from the tables that have an owner of their own: each round settles the
  // table with the best way, which no longer way can better.
  void FollowPaths() {
    while (true) {
      const Reference* best = nullptr;
      for (const Reference& reference : references_) {
        if (!settled_.contains(reference.child->oid) && ranks_.contains(reference.parent->oid) &&
            (best == nullptr || IsBetter(reference, *best))) {
          best = &reference;
        }
      }
      if (best == nullptr) {
        return;
      }
      const Rank rank = RankOf(*best);
      SettleByReference(*best);
      ranks_[best->child->oid] = rank;
    }
  }

  Rank RankOf(const Reference& reference) const {
    const Rank& parent = ranks_.at(reference.parent->oid);
    return {.nullable_steps = parent.nullable_steps + (reference.enforced ? 0 : 1),
            .steps = parent.steps + 1};
  }

  // By name among equals, so that equal catalogs give equal maps.
  bool IsBetter(const Reference& a, const Reference& b) const {
    return std::pair(RankOf(a), a.step.name) < std::pair(RankOf(b), b.step.name);
  }

  void SettleByReference(const Reference& reference) {
    PgTablePlan& plan = plans_[reference.child->oid];
    const PgTablePlan& parent = plans_[reference.parent->oid];
    if (const PgColumn* const same = SameAsOwner(reference, parent); same != nullptr) {
      plan.owner_column = same->number;
      SettleAs(Relation::kOwned,
               absl::StrCat("column ", same->name, ", ", reference.step.name, " to ",
                            reference.parent->DisplayName()),
               &plan);
      return;
    }
    plan.path = {reference.step};
    plan.path.insert(plan.path.end(), parent.path.begin(), parent.path.end());
    plan.owner_column = parent.owner_column;
    plan.owner_expression = parent.owner_expression;
    SettleAs(Relation::kOwned, DescribePath(plan), &plan);
  }

  // The column of the child that an enforced composite key makes equal to the parent's own owner.
  const PgColumn* SameAsOwner(const Reference& reference, const PgTablePlan& parent) const {
    if (!reference.enforced || !parent.by_own_column()) {
      return nullptr;
    }
    for (size_t i = 0; i < reference.step.child_columns.size(); ++i) {
      const PgColumn* const column = reference.child->Column(reference.step.child_columns[i]);
      if (reference.step.parent_columns[i] == parent.owner_column &&
          column->type_class != PgTypeClass::kOther) {
        return column;
      }
    }
    return nullptr;
  }

  std::string DescribePath(const PgTablePlan& plan) const {
    std::string how = "through ";
    const PgTable* at = catalog_.Find(plan.table);
    for (const PathStep& step : plan.path) {
      const PgTable* const parent = catalog_.Find(step.parent);
      absl::StrAppend(&how, "(", ColumnNames(*at, step.child_columns), ") -> ",
                      parent->DisplayName(), " ");
      at = parent;
    }
    if (plan.owner_column == 0) {
      return absl::StrCat(how, "by the expression ", plan.owner_expression);
    }
    return absl::StrCat(how, "by its column ", at->Column(plan.owner_column)->name);
  }

  // Other ways could disagree with the one that was taken.
  void NameOtherPaths(const PgTable& table, PgTablePlan* plan) const {
    std::set<std::string> others;
    for (const Reference& reference : references_) {
      const auto parent = plans_.find(reference.parent->oid);
      if (reference.child != &table || reference.parent == &table ||
          parent->second.relation != Relation::kOwned ||
          reference.step.name == plan->path.front().name || PassesThrough(parent->second, table)) {
        continue;
      }
      others.insert(absl::StrCat("(", ColumnNames(table, reference.step.child_columns), ") -> ",
                                 reference.parent->DisplayName()));
    }
    if (!others.empty()) {
      absl::StrAppend(&plan->how, "; not taken: ", absl::StrJoin(others, ", "));
    }
  }

  static bool PassesThrough(const PgTablePlan& plan, const PgTable& table) {
    return std::any_of(plan.path.begin(), plan.path.end(),
                       [&table](const PathStep& step) { return step.parent == table.oid; });
  }

  // Their names would have been believed but for their foreign keys.
  void NameColumnsNotTaken(const PgTable& table, PgTablePlan* plan) const {
    for (const PgColumn& column : table.columns) {
      if (plan->relation != Relation::kOwned || plan->owner_column == 0 ||
          (plan->path.empty() && plan->owner_column == column.number) || !named_.IsNamed(column)) {
        continue;
      }
      if (const std::string elsewhere = named_.LeadsElsewhere(table, column); !elsewhere.empty()) {
        absl::StrAppend(&plan->how, "; not taken by its name: column ", column.name,
                        ", which refers to ", elsewhere);
      }
    }
  }

  void LeaveUnresolved(const PgTable& table, PgTablePlan* plan) {
    if (!table.extension.empty()) {
      SettleAs(Relation::kExcluded, absl::StrCat("belongs to the extension ", table.extension),
               plan);
      return;
    }
    for (const PgColumn& column : table.columns) {
      if (!named_.IsNamed(column)) {
        continue;
      }
      const std::string elsewhere = named_.LeadsElsewhere(table, column);
      plan->how = elsewhere.empty()
                      ? absl::StrCat("column ", column.name, " has the type ", column.type,
                                     ", whose values are not compared by their text")
                      : absl::StrCat("column ", column.name, " refers to ", elsewhere,
                                     ", which is not known to be a tenant's id",
                                     config_.tenant_table.empty() ? "; say tenant_table" : "");
      return;
    }
    plan->how = "no tenant column, and no foreign key that leads to a table that has one";
  }

  Ownership InOrder() {
    const auto [tenant_type, tenant_class] = named_.TenantType();
    Ownership found{.plans = {}, .tenant_type = tenant_type, .tenant_class = tenant_class};
    for (const PgTable& table : catalog_.tables) {
      found.plans.push_back(std::move(plans_[table.oid]));
    }
    std::stable_sort(
        found.plans.begin(), found.plans.end(),
        [](const PgTablePlan& a, const PgTablePlan& b) { return a.path.size() > b.path.size(); });
    return found;
  }

  const PgCatalog& catalog_;
  const MapConfig& config_;
  const ResolvedMapConfig resolved_;
  const NamedColumns named_;
  std::vector<Reference> references_;
  std::set<PgOid> by_config_;  // tables that have references in the configuration
  std::map<PgOid, PgTablePlan> plans_;
  std::set<PgOid> settled_;
  std::map<PgOid, Rank> ranks_;  // of those that are owned
};

}  // namespace

absl::StatusOr<Ownership> FindOwnership(const PgCatalog& catalog, const MapConfig& config) {
  ASSIGN_OR_RETURN(ResolvedMapConfig resolved, ResolveMapConfig(catalog, config));
  return Finder(catalog, config, std::move(resolved)).Run();
}

}  // namespace reinstate
