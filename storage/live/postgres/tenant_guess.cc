#include "storage/live/postgres/tenant_guess.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "storage/live/postgres/ownership_finder.h"

namespace reinstate {
namespace {

// What tenants are usually called, the surest first.
constexpr std::array<std::string_view, 15> kTenantWords = {
    "tenant", "site", "organization", "organisation", "account", "workspace", "company", "customer",
    "org",    "team", "client",       "shop",         "store",   "instance",  "project"};

constexpr std::array<std::string_view, 10> kLabelWords = {
    "name",   "title",     "label",    "display_name", "slug",
    "domain", "subdomain", "hostname", "url",          "key"};

// How sure a word is to mean a tenant; kTenantWords.size() if it does not.
size_t TenantRank(std::string_view word) {
  for (size_t i = 0; i < kTenantWords.size(); ++i) {
    const std::string singular(kTenantWords[i]);
    const std::string stem = singular.substr(0, singular.size() - 1);
    if (word == singular || word == singular + "s" ||
        (singular.ends_with('y') && word == stem + "ies")) {
      return i;
    }
  }
  return kTenantWords.size();
}

// That of the only word of a table's name.
size_t TableRank(const PgTable& table) {
  const std::vector<std::string> words = WordsOf(table.name);
  return words.size() == 1 ? TenantRank(words.front()) : kTenantWords.size();
}

// Of a column such as site_id or tenantId, or tenant_record_id where `key` is record_id.
size_t ColumnRank(const PgColumn& column, const std::vector<std::string>& key) {
  const std::vector<std::string> words = WordsOf(column.name);
  const bool is_id = words.size() == 2 && (words[1] == "id" || words[1] == "uuid");
  const bool is_key =
      words.size() == key.size() + 1 && std::equal(key.begin(), key.end(), words.begin() + 1);
  return (is_id || is_key) && column.type_class != PgTypeClass::kOther ? TenantRank(words[0])
                                                                       : kTenantWords.size();
}

bool CanBeTenants(const PgTable& table) {
  return table.kind != 'f' && table.extension.empty() && table.key.size() == 1 &&
         table.IsUnique(table.key) &&
         table.Column(table.key.front())->type_class != PgTypeClass::kOther;
}

int TablesOwnedBy(const PgCatalog& catalog, const MapConfig& config) {
  const absl::StatusOr<Ownership> ownership = FindOwnership(catalog, config);
  if (!ownership.ok()) {
    return 0;
  }
  return static_cast<int>(
      std::count_if(ownership->plans.begin(), ownership->plans.end(),
                    [](const PgTablePlan& plan) { return plan.relation == Relation::kOwned; }));
}

// Names of columns that foreign keys lead from to the key of `table`, and of those that are named
// after it.
std::vector<std::string> ColumnsFor(const PgCatalog& catalog, const PgTable* table, size_t rank) {
  const std::vector<std::string> id = table == nullptr
                                          ? std::vector<std::string>{"id"}
                                          : WordsOf(table->Column(table->key.front())->name);
  std::map<std::string, int> names;
  for (const PgForeignKey& key : catalog.foreign_keys) {
    const PgTable* const child = catalog.Find(key.child);
    if (table != nullptr && key.parent == table->oid && key.child != table->oid &&
        key.parent_columns == table->key && child != nullptr) {
      ++names[child->Column(key.child_columns.front())->name];
    }
  }
  for (const PgTable& other : catalog.tables) {
    for (const PgColumn& column : other.columns) {
      if (ColumnRank(column, id) == rank && rank < kTenantWords.size()) {
        ++names[column.name];
      }
    }
  }
  std::vector<std::string> columns;
  columns.reserve(names.size());
  for (const auto& [name, count] : names) {
    columns.push_back(name);
  }
  std::stable_sort(columns.begin(), columns.end(),
                   [&names](const auto& a, const auto& b) { return names[a] > names[b]; });
  return columns;
}

// The first name and others of the same words (tenant_id beside tenantId). A foreign key under
// another name than the tenants' need not be named, since it is found anyway.
std::vector<std::string> OneName(std::vector<std::string> columns) {
  const std::vector<std::string> words =
      columns.empty() ? std::vector<std::string>() : WordsOf(columns.front());
  std::erase_if(columns, [&words](const std::string& name) { return WordsOf(name) != words; });
  return columns;
}

MapConfig ConfigFor(const PgCatalog& catalog, const PgTable& table) {
  MapConfig config;
  config.tenant_table = catalog.NameOf(table);
  config.tenant_columns = OneName(ColumnsFor(catalog, &table, TableRank(table)));
  for (const std::string_view label : kLabelWords) {
    const std::vector<std::string> words = WordsOf(std::string(label));
    for (const PgColumn& column : table.columns) {
      if (column.type_class == PgTypeClass::kText && WordsOf(column.name) == words) {
        config.label_columns.push_back(column.name);
      }
    }
  }
  return config;
}

// Without a table of tenants: the column that is named after them in most tables.
MapConfig GuessByColumns(const PgCatalog& catalog) {
  size_t best = kTenantWords.size();
  for (const PgTable& table : catalog.tables) {
    for (const PgColumn& column : table.columns) {
      best = std::min(best, ColumnRank(column, {"id"}));
    }
  }
  MapConfig config;
  config.tenant_columns = ColumnsFor(catalog, nullptr, best);
  return config;
}

// Those with the best names; if none has a good one, those that others refer to and that refer to
// nothing.
std::vector<const PgTable*> Candidates(const PgCatalog& catalog) {
  std::vector<const PgTable*> tables;
  size_t best = kTenantWords.size();
  for (const PgTable& table : catalog.tables) {
    if (CanBeTenants(table) && TableRank(table) <= best) {
      best = TableRank(table);
      tables.push_back(&table);
    }
  }
  std::erase_if(tables, [&](const PgTable* table) {
    const auto refers = [table](const PgForeignKey& key) { return key.child == table->oid; };
    const auto is_referred_to = [table](const PgForeignKey& key) {
      return key.parent == table->oid && key.child != table->oid;
    };
    const std::vector<PgForeignKey>& keys = catalog.foreign_keys;
    return TableRank(*table) != best || (best == kTenantWords.size() &&
                                         (std::any_of(keys.begin(), keys.end(), refers) ||
                                          std::none_of(keys.begin(), keys.end(), is_referred_to)));
  });
  return tables;
}

struct Guess {
  MapConfig config;
  int owned = 0;  // tables
};

Guess GuessOf(const PgCatalog& catalog, const PgTable& table) {
  Guess guess{.config = ConfigFor(catalog, table)};
  guess.owned = TablesOwnedBy(catalog, guess.config);
  return guess;
}

// A table with a good name may itself be one of several things that a tenant has: where its rows
// all belong to those of a table that owns more than twice as many, that one is taken. What all
// tenants refer to, such as a plan that they pay for, owns hardly more than they do.
Guess Climbed(const PgCatalog& catalog, Guess guess) {
  std::set<PgOid> seen;
  const PgTable* at = catalog.FindByName(guess.config.tenant_table);
  while (at != nullptr && seen.insert(at->oid).second) {
    const PgTable* next = nullptr;
    for (const PgForeignKey& key : catalog.foreign_keys) {
      const PgTable* const parent = catalog.Find(key.parent);
      if (key.child != at->oid || parent == nullptr || parent == at || !CanBeTenants(*parent) ||
          key.parent_columns != parent->key || !at->Column(key.child_columns.front())->not_null) {
        continue;
      }
      if (Guess above = GuessOf(catalog, *parent); above.owned > 2 * guess.owned) {
        guess = std::move(above);
        next = parent;
      }
    }
    at = next;
  }
  return guess;
}

}  // namespace

std::vector<std::string> WordsOf(const std::string& name) {
  std::vector<std::string> words(1);
  bool was_lower = false;
  for (const char c : name) {
    const bool is_word = absl::ascii_isalnum(static_cast<unsigned char>(c)) || (c & 0x80) != 0;
    const bool is_upper = absl::ascii_isupper(static_cast<unsigned char>(c));
    if ((!is_word || (is_upper && was_lower)) && !words.back().empty()) {
      words.emplace_back();
    }
    if (is_word) {
      words.back() += absl::ascii_tolower(static_cast<unsigned char>(c));
    }
    was_lower = is_word && !is_upper;
  }
  if (words.back().empty()) {
    words.pop_back();
  }
  return words;
}

MapConfig GuessTenants(const PgCatalog& catalog) {
  Guess best{.owned = 1};  // A name alone, of a table that owns no other, is not enough.
  for (const PgTable* const table : Candidates(catalog)) {
    if (Guess guess = GuessOf(catalog, *table); guess.owned > best.owned) {
      best = std::move(guess);
    }
  }
  return best.config.tenant_table.empty() ? GuessByColumns(catalog)
                                          : Climbed(catalog, std::move(best)).config;
}

}  // namespace reinstate
