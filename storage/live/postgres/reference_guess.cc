#include "storage/live/postgres/reference_guess.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "storage/live/postgres/tenant_guess.h"

namespace reinstate {
namespace {

using Words = std::vector<std::string>;

bool EndsWith(const Words& words, const Words& end) {
  return words.size() > end.size() &&
         std::equal(end.begin(), end.end(), words.end() - static_cast<int64_t>(end.size()));
}

// Whether `plural` is what a table of `singular` things is called.
bool IsPluralOf(const std::string& plural, const std::string& singular) {
  return plural == singular || plural == singular + "s" || plural == singular + "es" ||
         (singular.ends_with('y') && plural == singular.substr(0, singular.size() - 1) + "ies");
}

// A table that can be referred to by the one column of its key.
struct Parent {
  const PgTable* table = nullptr;
  const PgColumn* key = nullptr;
  Words name;
  Words key_name;
};

class Guesser {
 public:
  Guesser(const PgTenantMap& map, const std::function<bool(const PgTable&)>& left_out) : map_(map) {
    for (const PgTablePlan& plan : map_.plans()) {
      const PgTable& table = map_.Table(plan);
      if (left_out(table)) {
        continue;
      }
      if (plan.relation == Relation::kOwned) {
        AddParent(table);
      } else if (plan.relation == Relation::kUnresolved && table.kind != 'f') {
        open_.push_back(&table);
      }
    }
  }

  // In rounds, so that each table is led over as few others as can be.
  std::map<PgOid, VirtualReference> Run() {
    while (true) {
      std::vector<const PgTable*> found;
      for (const PgTable* const table : open_) {
        if (Find(*table)) {
          found.push_back(table);
        }
      }
      if (found.empty()) {
        return std::move(guesses_);
      }
      std::erase_if(open_, [this](const PgTable* t) { return guesses_.contains(t->oid); });
      for (const PgTable* const table : found) {
        AddParent(*table);
      }
    }
  }

 private:
  void AddParent(const PgTable& table) {
    if (table.key.size() != 1 || !table.IsUnique(table.key)) {
      return;
    }
    const PgColumn* const key = table.Column(table.key.front());
    if (key->type_class != PgTypeClass::kOther) {
      parents_.push_back({.table = &table,
                          .key = key,
                          .name = WordsOf(table.name),
                          .key_name = WordsOf(key->name)});
    }
  }

  // NOT NULL columns first.
  bool Find(const PgTable& table) {
    const Words name = WordsOf(table.name);
    for (const bool nullable : {false, true}) {
      for (const PgColumn& column : table.columns) {
        if (column.not_null == nullable) {
          continue;
        }
        if (const Parent* const parent = ParentOf(table, name, column); parent != nullptr) {
          guesses_.emplace(table.oid,
                           VirtualReference{.table = map_.catalog().NameOf(table),
                                            .columns = {column.name},
                                            .parent = map_.catalog().NameOf(*parent->table),
                                            .parent_columns = {parent->key->name}});
          return true;
        }
      }
    }
    return false;
  }

  // That whose name has most in common with the child's. nullptr if there is none, or if it could
  // be several.
  const Parent* ParentOf(const PgTable& table, const Words& name, const PgColumn& column) const {
    const Words words = WordsOf(column.name);
    if (HasType(table, words)) {
      return nullptr;
    }
    const Parent* found = nullptr;
    size_t most = 0;
    for (const Parent& parent : parents_) {
      if (parent.table == &table || parent.table->schema != table.schema ||
          parent.key->type_class != column.type_class || !IsNamedBy(words, name, parent)) {
        continue;
      }
      const size_t in_common = parent.name.size();
      if (in_common >= most) {
        found = in_common > most ? &parent : nullptr;
        most = in_common;
      }
    }
    return found;
  }

  // Whether a column of these words is called after the key of `parent`: after the words that the
  // names of both tables begin with, if any, its name is that of several such things.
  static bool IsNamedBy(const Words& column, const Words& child, const Parent& parent) {
    const size_t cut = EndsWith(column, parent.key_name) ? parent.key_name.size()
                       : EndsWith(column, {"id"})        ? 1
                                                         : 0;
    const size_t words = column.size() - cut;
    if (cut == 0 || parent.name.size() < words) {
      return false;
    }
    const auto begin = parent.name.begin() + static_cast<int64_t>(parent.name.size() - words);
    return parent.name.size() - words < child.size() &&
           std::equal(parent.name.begin(), begin, child.begin()) &&
           std::equal(begin, parent.name.end() - 1, column.begin()) &&
           IsPluralOf(parent.name.back(), column[words - 1]);
  }

  // subject_type beside subject_id.
  static bool HasType(const PgTable& table, const Words& words) {
    return std::any_of(table.columns.begin(), table.columns.end(), [&](const PgColumn& other) {
      const Words type = WordsOf(other.name);
      return type.size() > 1 && type.size() == words.size() && type.back() == "type" &&
             std::equal(type.begin(), type.end() - 1, words.begin());
    });
  }

  const PgTenantMap& map_;
  std::vector<Parent> parents_;
  std::vector<const PgTable*> open_;
  std::map<PgOid, VirtualReference> guesses_;
};

}  // namespace

std::map<PgOid, VirtualReference> GuessReferences(
    const PgTenantMap& map, const std::function<bool(const PgTable&)>& left_out) {
  return Guesser(map, left_out).Run();
}

}  // namespace reinstate
