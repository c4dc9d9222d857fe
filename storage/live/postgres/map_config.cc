#include "storage/live/postgres/map_config.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

class Resolver {
 public:
  Resolver(const PgCatalog& catalog, const MapConfig& config)
      : catalog_(catalog), config_(config) {}

  absl::StatusOr<ResolvedMapConfig> Run() {
    ResolveTenantTable();
    ResolveRelations();
    for (const VirtualReference& reference : config_.references) {
      ResolveReference(reference);
    }
    for (const std::string& name : config_.ownerless) {
      if (const PgTable* const table = FindTable("ownerless", name); table != nullptr) {
        resolved_.ownerless.push_back(table->oid);
      }
    }
    for (const std::string& name : config_.orphans) {
      FindTable("orphans", name);
    }
    if (complaints_.empty()) {
      return std::move(resolved_);
    }
    return MakeError(Reason::kConfigInvalid, absl::StrJoin(complaints_, "\n"));
  }

 private:
  void Complain(std::string_view key, std::string_view sentence) {
    complaints_.push_back(absl::StrCat(Absl(key), ": ", Absl(sentence)));
  }

  const PgTable* FindTable(std::string_view key, const std::string& name) {
    const PgTable* const table = catalog_.FindByName(name);
    if (table == nullptr) {
      Complain(key, absl::StrCat("There is no table ", Printable(name),
                                 " that the role can see, or several schemas have one."));
    }
    return table;
  }

  const PgColumn* FindColumn(std::string_view key, const PgTable& table, const std::string& name) {
    const PgColumn* const column = table.ColumnByName(name);
    if (column == nullptr) {
      Complain(key, absl::StrCat("The table ", table.DisplayName(), " has no column ",
                                 Printable(name), "."));
    }
    return column;
  }

  void ResolveTenantTable() {
    if (config_.tenant_table.empty()) {
      for (const auto& [key, given] : {std::pair("tenant_key", !config_.tenant_key.empty()),
                                       std::pair("labels", !config_.label_columns.empty())}) {
        if (given) {
          Complain(key, "It is a column of the tenant table; say tenant_table as well.");
        }
      }
      return;
    }
    const PgTable* const table = FindTable("tenant_table", config_.tenant_table);
    if (table == nullptr) {
      return;
    }
    resolved_.tenant_table = table;
    Claim("tenant_table", *table);
    ResolveTenantKey(*table);
    for (const std::string& name : config_.label_columns) {
      FindColumn("labels", *table, name);
    }
  }

  void ResolveTenantKey(const PgTable& table) {
    const PgColumn* key = nullptr;
    if (!config_.tenant_key.empty()) {
      key = FindColumn("tenant_key", table, config_.tenant_key);
    } else if (table.key.size() == 1) {
      key = table.Column(table.key.front());
    } else {
      Complain("tenant_key", absl::StrCat("The key of ", table.DisplayName(),
                                          " is not one column; say which one is the tenant's id."));
    }
    if (key == nullptr) {
      return;
    }
    if (!table.IsUnique({key->number})) {
      Complain("tenant_key", absl::StrCat("The column ", key->name, " of ", table.DisplayName(),
                                          " is not unique, so it cannot be the tenants' id."));
    }
    if (key->type_class == PgTypeClass::kOther) {
      Complain("tenant_key",
               absl::StrCat("The column ", key->name, " has the type ", key->type,
                            "; ids of tenants are integers, text, uuid or an enum, compared by "
                            "their text."));
    }
    resolved_.tenant_key = key;
  }

  void ResolveRelations() {
    for (const std::string& name : config_.shared) {
      if (const PgTable* const table = FindTable("shared", name); table != nullptr) {
        Claim("shared", *table);
        resolved_.shared.push_back(table->oid);
      }
    }
    for (const auto& [name, reason] : config_.excluded) {
      if (const PgTable* const table = FindTable("excluded", name); table != nullptr) {
        Claim("excluded", *table);
        resolved_.excluded.emplace(table->oid, reason);
      }
      if (reason.empty()) {
        Complain("excluded", absl::StrCat("Say why ", Printable(name), " is left out."));
      }
    }
    for (const auto& [name, expression] : config_.owner_expressions) {
      if (const PgTable* const table = FindTable("owner", name); table != nullptr) {
        Claim("owner", *table);
        resolved_.owner_expressions.emplace(table->oid, expression);
      }
      if (expression.empty()) {
        Complain("owner", absl::StrCat("The expression for ", Printable(name), " is empty."));
      }
    }
  }

  // One thing is said of each table.
  void Claim(const std::string& key, const PgTable& table) {
    const auto [claimed, first] = claims_.emplace(table.oid, key);
    if (!first) {
      Complain(key, absl::StrCat("The table ", table.DisplayName(), " is already in ",
                                 claimed->second, "; say one of them."));
    }
  }

  void ResolveReference(const VirtualReference& reference) {
    const PgTable* const child = FindTable("reference", reference.table);
    const PgTable* const parent = FindTable("reference", reference.parent);
    if (child == nullptr || parent == nullptr) {
      return;
    }
    PathStep step{.parent = parent->oid,
                  .child_columns = Numbers(*child, reference.columns),
                  .parent_columns = Numbers(*parent, reference.parent_columns),
                  .name = "a reference of the configuration"};
    if (step.child_columns.empty() || step.child_columns.size() != step.parent_columns.size() ||
        step.child_columns.size() != reference.columns.size()) {
      Complain("reference", absl::StrCat("Name as many columns of ", child->DisplayName(),
                                         " as of ", parent->DisplayName(), ", at least one."));
      return;
    }
    if (!parent->IsUnique(step.parent_columns)) {
      Complain("reference",
               absl::StrCat("The columns ", absl::StrJoin(reference.parent_columns, ", "), " of ",
                            parent->DisplayName(),
                            " are not unique, so a row could have several owners."));
      return;
    }
    resolved_.references.emplace_back(child->oid, std::move(step));
  }

  std::vector<PgAttnum> Numbers(const PgTable& table, const std::vector<std::string>& names) {
    std::vector<PgAttnum> numbers;
    for (const std::string& name : names) {
      if (const PgColumn* const column = FindColumn("reference", table, name); column != nullptr) {
        numbers.push_back(column->number);
      }
    }
    return numbers;
  }

  const PgCatalog& catalog_;
  const MapConfig& config_;
  ResolvedMapConfig resolved_;
  std::map<PgOid, std::string> claims_;
  std::vector<std::string> complaints_;
};

}  // namespace

absl::StatusOr<ResolvedMapConfig> ResolveMapConfig(const PgCatalog& catalog,
                                                   const MapConfig& config) {
  return Resolver(catalog, config).Run();
}

}  // namespace reinstate
