#include "storage/live/postgres/map_proposals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/exclusion_proposals.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/reference_guess.h"
#include "storage/live/postgres/sql_text.h"
#include "storage/live/postgres/tenant_guess.h"

namespace reinstate {
namespace {

// What is the same in every value of a basic string of TOML.
std::string TomlText(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::array<char, 8> escaped = {};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04X", static_cast<unsigned>(c));
      quoted += escaped.data();
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string TomlList(const std::vector<std::string>& texts) {
  std::vector<std::string> quoted(texts.size());
  std::transform(texts.begin(), texts.end(), quoted.begin(), TomlText);
  return absl::StrCat("[", absl::StrJoin(quoted, ", "), "]");
}

std::string TomlTable(const std::map<std::string, std::string>& texts) {
  std::vector<std::string> pairs;
  pairs.reserve(texts.size());
  for (const auto& [name, text] : texts) {
    pairs.push_back(absl::StrCat(TomlText(name), " = ", TomlText(text)));
  }
  return absl::StrCat("{ ", absl::StrJoin(pairs, ", "), " }");
}

// What to do about a pair of columns such as subject_type and subject_id; empty if there is none.
std::string OfSeveralParents(const PgTable& table) {
  for (const PgColumn& type : table.columns) {
    std::vector<std::string> words = WordsOf(type.name);
    if (words.size() < 2 || words.back() != "type") {
      continue;
    }
    words.back() = "id";
    for (const PgColumn& id : table.columns) {
      if (WordsOf(id.name) == words) {
        return absl::StrCat(". ", type.name, " and ", id.name,
                            " seem to name rows of several tables, of which an expression can "
                            "tell: CASE t.",
                            QuoteIdentifier(type.name),
                            " WHEN '…' THEN (SELECT … FROM … p WHERE p.id = t.",
                            QuoteIdentifier(id.name), ") … END");
      }
    }
  }
  return "";
}

class Proposer {
 public:
  // `guessed` says whether the tenant table and columns of `config` are.
  Proposer(const PgTenantMap& map, MapConfig config, bool guessed)
      : map_(map),
        config_(std::move(config)),
        guessed_(guessed),
        exclusions_(map),
        references_(GuessReferences(
            map, [this](const PgTable& table) { return !exclusions_.ReasonFor(table).empty(); })) {}

  StoreDiscovery Run() {
    StoreDiscovery discovery;
    discovery.map = map_.ToTenantMap();
    for (const PgTablePlan& plan : map_.plans()) {
      discovery.findings.push_back(Look(plan));
    }
    discovery.config = ConfigLines(config_);
    return discovery;
  }

 private:
  TableFinding Look(const PgTablePlan& plan) {
    const PgTable& table = map_.Table(plan);
    TableFinding finding;
    finding.estimated_rows =
        table.estimated_rows < 0 ? -1 : static_cast<int64_t>(std::llround(table.estimated_rows));
    if (plan.relation == Relation::kOwned || plan.relation == Relation::kUnresolved) {
      Propose(plan, table, &finding.remarks);
      Warn(plan, table, &finding.remarks);
    }
    return finding;
  }

  void Propose(const PgTablePlan& plan, const PgTable& table, std::vector<std::string>* remarks) {
    const std::string name = map_.catalog().NameOf(table);
    if (const std::string_view reason = exclusions_.ReasonFor(table); !reason.empty()) {
      remarks->push_back(absl::StrCat("proposed: excluded, since ", std::string(reason)));
      config_.excluded.emplace(name, reason);
      // Nothing else may be said of it.
      config_.owner_expressions.erase(name);
      return;
    }
    if (plan.relation != Relation::kUnresolved) {
      return;
    }
    if (const auto guess = references_.find(table.oid); guess != references_.end()) {
      remarks->push_back(absl::StrCat(
          "proposed: owned through ", absl::StrJoin(guess->second.columns, ", "), " -> ",
          guess->second.parent, ", by their names, since no foreign key says so"));
      config_.references.push_back(guess->second);
      return;
    }
    if (const int children = Children(table); children > 0 && !HasOwnedParent(table)) {
      remarks->push_back(absl::StrCat("proposed: shared, since ", children,
                                      " tables refer to it and it refers to none that is owned; "
                                      "right only if its rows stay when a tenant is deleted"));
      config_.shared.push_back(name);
      return;
    }
    remarks->push_back(absl::StrCat(
        "say whose its rows are: by an owner expression, by a [[store.reference]], as shared, or "
        "as excluded; until then restores that would touch it are refused",
        OfSeveralParents(table)));
  }

  int Children(const PgTable& table) const {
    const std::vector<PgForeignKey>& keys = map_.catalog().foreign_keys;
    return static_cast<int>(std::count_if(keys.begin(), keys.end(), [&](const PgForeignKey& key) {
      return map_.catalog().FindByHeap(key.parent) == &table && key.child != table.oid;
    }));
  }

  bool HasOwnedParent(const PgTable& table) const {
    const std::vector<PgForeignKey>& keys = map_.catalog().foreign_keys;
    return std::any_of(keys.begin(), keys.end(), [&](const PgForeignKey& key) {
      const PgTable* const parent = map_.catalog().FindByHeap(key.parent);
      return key.child == table.oid && parent != nullptr &&
             map_.Find(absl::StrCat(parent->oid))->relation == Relation::kOwned;
    });
  }

  void Warn(const PgTablePlan& plan, const PgTable& table,
            std::vector<std::string>* remarks) const {
    WarnOfGuess(table, remarks);
    for (std::string& remark : exclusions_.Remarks(table)) {
      remarks->push_back(std::move(remark));
    }
    WarnOfLostOwners(plan, table, remarks);
    if (table.key.empty()) {
      remarks->emplace_back("has no key");
    }
    for (const PgAttnum number : table.key) {
      if (const PgColumn& column = *table.Column(number); !column.text_equality) {
        remarks->push_back(absl::StrCat("key column ", column.name, " (", column.type,
                                        ") has equal values of different text"));
      }
    }
    WarnOfOrphans(table, remarks);
    if (table.row_security) {
      remarks->emplace_back("has row-level security; the role needs BYPASSRLS");
    }
    if (!table.privileges.select) {
      remarks->emplace_back("the role lacks SELECT");
    }
  }

  // Rows that a key was never checked for may have lost their parents long ago: those on the path
  // to the owner are counted as ownerless by a cut, the others come back if that is allowed.
  void WarnOfOrphans(const PgTable& table, std::vector<std::string>* remarks) const {
    for (const PgForeignKey& key : map_.catalog().foreign_keys) {
      const PgTable* const parent = map_.catalog().FindByHeap(key.parent);
      if (key.child == table.oid && !key.validated && parent != nullptr) {
        remarks->push_back(absl::StrCat("foreign key ", key.name,
                                        " is NOT VALID: rows may refer to rows of ",
                                        parent->DisplayName(),
                                        " that are not there, and are restored only if orphans "
                                        "allows it; VALIDATE CONSTRAINT says whether there are "
                                        "any"));
      }
    }
  }

  // A table of tenants that owns few others may be the wrong one.
  void WarnOfGuess(const PgTable& table, std::vector<std::string>* remarks) const {
    const std::vector<PgTablePlan>& plans = map_.plans();
    const auto owned = std::count_if(plans.begin(), plans.end(), [](const PgTablePlan& plan) {
      return plan.relation == Relation::kOwned;
    });
    if (guessed_ && &table == map_.catalog().FindByName(config_.tenant_table) &&
        2 * static_cast<size_t>(owned) < plans.size()) {
      remarks->push_back(absl::StrCat("was guessed to be the tenant table, but owns only ", owned,
                                      " of ", plans.size(),
                                      " tables; if another one has a row a tenant, say "
                                      "tenant_table and tenant_columns and discover again"));
    }
  }

  // Where the way to the owner leads over a key that is set to NULL.
  void WarnOfLostOwners(const PgTablePlan& plan, const PgTable& table,
                        std::vector<std::string>* remarks) const {
    for (const PgForeignKey& key : map_.catalog().foreign_keys) {
      if (plan.relation == Relation::kOwned && !plan.path.empty() && key.child == table.oid &&
          key.on_delete == 'n' && key.child_columns == plan.path.front().child_columns) {
        remarks->push_back(absl::StrCat(
            "loses its owner when a row of ",
            map_.catalog().Find(plan.path.front().parent)->DisplayName(),
            " is deleted (foreign key ", key.name,
            " is ON DELETE SET NULL); a restore that needs such rows is refused until they are "
            "deleted. A column with the tenant's id would keep it"));
      }
    }
  }

  const PgTenantMap& map_;
  MapConfig config_;
  const bool guessed_;
  const ExclusionProposals exclusions_;
  const std::map<PgOid, VirtualReference> references_;
};

bool SaysNothing(const MapConfig& config) {
  return config.tenant_table.empty() && config.tenant_columns.empty() &&
         config.owner_expressions.empty();
}

}  // namespace

absl::StatusOr<StoreDiscovery> ProposeMap(const PgCatalog& catalog, const MapConfig& configured) {
  MapConfig config = configured;
  const bool guessed = SaysNothing(configured);
  if (guessed) {
    const MapConfig guess = GuessTenants(catalog);
    config.tenant_table = guess.tenant_table;
    config.tenant_columns = guess.tenant_columns;
    config.label_columns = guess.label_columns;
  }
  ASSIGN_OR_RETURN(const PgTenantMap map, PgTenantMap::Make(catalog, config));
  return Proposer(map, std::move(config), guessed).Run();
}

std::string ConfigLines(const MapConfig& config) {
  std::string lines;
  const auto add = [&lines](std::string_view key, bool given, const std::string& value) {
    if (given) {
      absl::StrAppend(&lines, std::string(key), " = ", value, "\n");
    }
  };
  add("tenant_table", !config.tenant_table.empty(), TomlText(config.tenant_table));
  add("tenant_key", !config.tenant_key.empty(), TomlText(config.tenant_key));
  add("tenant_columns", !config.tenant_columns.empty(), TomlList(config.tenant_columns));
  add("labels", !config.label_columns.empty(), TomlList(config.label_columns));
  add("shared", !config.shared.empty(), TomlList(config.shared));
  add("excluded", !config.excluded.empty(), TomlTable(config.excluded));
  add("owner", !config.owner_expressions.empty(), TomlTable(config.owner_expressions));
  add("ownerless", !config.ownerless.empty(), TomlList(config.ownerless));
  add("orphans", !config.orphans.empty(), TomlList(config.orphans));
  for (const VirtualReference& reference : config.references) {
    absl::StrAppend(&lines, "[[store.reference]]\ntable = ", TomlText(reference.table),
                    "\ncolumns = ", TomlList(reference.columns),
                    "\nparent = ", TomlText(reference.parent),
                    "\nparent_columns = ", TomlList(reference.parent_columns), "\n");
  }
  return lines;
}

}  // namespace reinstate
