#include "storage/live/postgres/obstacle_finder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/check_batches.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/owned_tables.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/live/postgres/sql_text.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

constexpr std::string_view kDoing = "look for what is in the way of rows";
constexpr int kNoPartition = -1;  // in place of the number of a constraint
// NULLs that are not distinct are looked for by a branch of the statement for each of their
// patterns.
constexpr size_t kMostNullable = 4;

bool IsKey(const PgTable& table, const PgUnique& unique) {
  return unique.columns == table.key && !unique.exclusion && !unique.partial;
}

std::vector<const PgUnique*> UniquesToLookAt(const PgTable& table) {
  std::vector<const PgUnique*> uniques;
  for (const PgUnique& unique : table.uniques) {
    if (!unique.indexed.empty() && !IsKey(table, unique)) {
      uniques.push_back(&unique);
    }
  }
  return uniques;
}

bool MayLock(const PgTable& table) {
  const PgPrivileges& may = table.privileges;
  return may.schema_usage && may.select && may.update_some_column;
}

// The foreign keys of `table` whose parents may have to be locked and cannot be. Those of owned
// tables may all be written by the restore itself.
std::vector<const PgForeignKey*> UnlockableParents(const PgTenantMap& map, const PgTable& table) {
  std::vector<const PgForeignKey*> keys;
  for (const PgForeignKey& key : map.catalog().foreign_keys) {
    if (key.child == table.oid && FindOwned(map, absl::StrCat(key.parent_table)) == nullptr &&
        !MayLock(*map.catalog().Find(key.parent_table))) {
      keys.push_back(&key);
    }
  }
  return keys;
}

absl::Status MayNotLock(const PgTable& child, const PgTable& parent, const PgForeignKey& key) {
  const std::string column = QuoteIdentifier(parent.Column(key.parent_columns.front())->name);
  return MakeError(
      Reason::kNotAllowed,
      absl::StrCat("rows of table ", child.DisplayName(), " refer to table ", parent.DisplayName(),
                   " (foreign key ", key.name,
                   "), whose rows have to be locked meanwhile; for that the role of the store "
                   "lacks SELECT and UPDATE on a column of it (GRANT SELECT, UPDATE (",
                   column, ") ON ", parent.Sql(),
                   " TO …; deploy/postgres/role.sql grants all that is needed)"));
}

bool SameAt(const RowFields& before, const RowFields& after, const std::vector<size_t>& places) {
  return std::all_of(places.begin(), places.end(), [&](size_t place) {
    return place < before.size() && place < after.size() && before[place] == after[place];
  });
}

bool AnyNull(const RowFields& fields, const std::vector<size_t>& places) {
  return std::any_of(places.begin(), places.end(), [&](size_t place) {
    return place < fields.size() && fields[place] == kCopyNull;
  });
}

// The changes of one table, as a relation reinstate_r<number> of the statement.
class RowsOfTable {
 public:
  RowsOfTable(const PgTenantMap* map, const PgTablePlan* plan, size_t number)
      : map_(map),
        plan_(plan),
        table_(map->Table(*plan)),
        number_(number),
        uniques_(UniquesToLookAt(table_)),
        parents_(UnlockableParents(*map, table_)),
        columns_(ColumnsNeeded()),
        batch_(columns_.size()) {
    for (const PgUnique* const unique : uniques_) {
      unique_inputs_.push_back(FieldsOf(table_, unique->inputs));
    }
    fields_ = FieldsOf(table_, columns_);
    bound_fields_ = FieldsOf(table_, table_.bound_columns);
  }

  const PgTablePlan& plan() const { return *plan_; }
  const PgTable& table() const { return table_; }
  const PgUnique& unique(size_t number) const { return *uniques_[number]; }
  // The place of a row of the relation, from 0, among all changes.
  size_t change(size_t row) const { return changes_[row]; }

  // Takes up a change unless nothing can be in its way. NOT_ALLOWED; UNSUPPORTED if its payload has
  // another number of fields than the table.
  absl::Status Add(const Change& change, size_t place) {
    SplitCopyLine(change.new_payload, &after_);
    const bool replaces = change.kind == ChangeKind::kReplace;
    if (replaces) {
      SplitCopyLine(change.old_payload, &before_);
    }
    if (after_.size() != table_.PayloadColumns().size() ||
        (replaces && before_.size() != after_.size())) {
      return MakeError(Reason::kUnsupported,
                       absl::StrCat("a row of table ", table_.DisplayName(),
                                    " has another number of columns than the table"));
    }
    RETURN_IF_ERROR(CheckParents(replaces));
    if (!IsConcerned(replaces)) {
      return absl::OkStatus();
    }
    std::vector<std::string_view> values;
    values.reserve(fields_.size());
    for (const size_t field : fields_) {
      values.push_back(after_[field]);
    }
    if (!batch_.AddFields(values)) {
      return MakeError(Reason::kCorrupt, "a payload is not as COPY writes it");
    }
    changes_.push_back(place);
    return absl::OkStatus();
  }

  bool empty() const { return changes_.empty(); }

  // reinstate_r0 AS MATERIALIZED (SELECT …)
  std::string RelationSql() const {
    std::vector<std::string> typed = {"k.n AS reinstate_n"};
    for (size_t i = 0; i < columns_.size(); ++i) {
      const PgColumn& column = *table_.Column(columns_[i]);
      typed.push_back(
          absl::StrCat("k.c", i + 1, "::", column.cast_type, " AS ", QuoteIdentifier(column.name)));
    }
    std::vector<std::string> all = {"b.*"};
    for (const PgColumn& column : table_.columns) {
      if (NeedsGenerated(column)) {
        all.push_back(absl::StrCat("(", column.generation, ")::", column.cast_type, " AS ",
                                   QuoteIdentifier(column.name)));
      }
    }
    return absl::StrCat(Name(), " AS MATERIALIZED (SELECT ", absl::StrJoin(all, ", "),
                        " FROM (SELECT ", absl::StrJoin(typed, ", "), " FROM ", batch_.Sql(),
                        ") b)");
  }

  // SELECTs of: number of the relation, of the constraint, of the row, and the place of the row in
  // its way.
  void AddLooks(std::vector<std::string>* selects) const {
    for (size_t i = 0; i < uniques_.size(); ++i) {
      for (const std::vector<bool>& nulls : NullPatterns(*uniques_[i])) {
        selects->push_back(LookSql(i, nulls));
      }
    }
    if (table_.may_lack_partition) {
      std::vector<std::string> takes;
      for (const std::string& bound : table_.bounds) {
        takes.push_back(absl::StrCat("(", bound, ") IS TRUE"));
      }
      selects->push_back(absl::StrCat("SELECT ", number_, ", ", kNoPartition,
                                      ", reinstate_n, NULL::pg_catalog.oid, NULL::pg_catalog.tid "
                                      "FROM ",
                                      Name(), " WHERE NOT (",
                                      takes.empty() ? "false" : absl::StrJoin(takes, " OR "), ")"));
    }
  }

 private:
  std::string Name() const { return absl::StrCat("reinstate_r", number_); }

  std::vector<PgAttnum> ColumnsNeeded() const {
    std::set<PgAttnum> numbers(table_.key.begin(), table_.key.end());
    // What a generated column is made of may be any of the others.
    bool all = std::any_of(table_.columns.begin(), table_.columns.end(),
                           [this](const PgColumn& column) { return NeedsGenerated(column); });
    for (const PgUnique* const unique : uniques_) {
      numbers.insert(unique->inputs.begin(), unique->inputs.end());
    }
    if (table_.may_lack_partition) {
      numbers.insert(table_.bound_columns.begin(), table_.bound_columns.end());
      all = all || table_.bound_columns.empty();
    }
    std::vector<PgAttnum> needed;
    for (const PgColumn* const column : table_.PayloadColumns()) {
      if (all || numbers.contains(column->number)) {
        needed.push_back(column->number);
      }
    }
    return needed;
  }

  // Whether `column` is a generated one that an index may look at: one that has its name in it.
  bool NeedsGenerated(const PgColumn& column) const {
    const auto speaks = [&column, quoted = QuoteIdentifier(column.name)](const std::string& sql) {
      return sql.find(quoted) != std::string::npos || sql.find(column.name) != std::string::npos;
    };
    return column.generated &&
           std::any_of(uniques_.begin(), uniques_.end(), [&speaks](const PgUnique* unique) {
             return speaks(unique->predicate) ||
                    std::any_of(unique->indexed.begin(), unique->indexed.end(),
                                [&](const PgIndexed& indexed) { return speaks(indexed.value); });
           });
  }

  absl::Status CheckParents(bool replaces) const {
    for (const PgForeignKey* const key : parents_) {
      const std::vector<size_t> fields = FieldsOf(table_, key->child_columns);
      const bool refers =
          !AnyNull(after_, fields) && !(replaces && SameAt(before_, after_, fields));
      if (refers) {
        return MayNotLock(table_, *map_->catalog().Find(key->parent_table), *key);
      }
    }
    return absl::OkStatus();
  }

  bool IsConcerned(bool replaces) const {
    if (table_.may_lack_partition &&
        !(replaces && !bound_fields_.empty() && SameAt(before_, after_, bound_fields_))) {
      return true;
    }
    for (size_t i = 0; i < uniques_.size(); ++i) {
      const PgUnique& unique = *uniques_[i];
      const bool by_columns = !unique.columns.empty() && unique.nulls_distinct;
      const bool matches_none = by_columns && AnyNull(after_, FieldsOf(table_, unique.columns));
      const bool as_before =
          replaces && !unique_inputs_[i].empty() && SameAt(before_, after_, unique_inputs_[i]);
      if (!matches_none && !as_before) {
        return true;
      }
    }
    return false;
  }

  // Which of the values of an index are NULL; a pattern without is always among them.
  static std::vector<std::vector<bool>> NullPatterns(const PgUnique& unique) {
    std::vector<std::vector<bool>> patterns = {std::vector<bool>(unique.indexed.size(), false)};
    const auto nullable = std::count_if(unique.indexed.begin(), unique.indexed.end(),
                                        [](const PgIndexed& value) { return !value.not_null; });
    if (unique.nulls_distinct || static_cast<size_t>(nullable) > kMostNullable) {
      return patterns;
    }
    for (size_t i = 0; i < unique.indexed.size(); ++i) {
      const size_t so_far = patterns.size();
      for (size_t p = 0; p < so_far && !unique.indexed[i].not_null; ++p) {
        patterns.push_back(patterns[p]);
        patterns.back()[i] = true;
      }
    }
    return patterns;
  }

  // Bare names are those of the innermost FROM: of our rows first, of the table's then.
  std::string LookSql(size_t number, const std::vector<bool>& nulls) const {
    const PgUnique& unique = *uniques_[number];
    std::vector<std::string> ours = {"reinstate_n"};
    std::vector<std::string> our_conditions;
    std::vector<std::string> conditions;
    for (size_t i = 0; i < unique.indexed.size(); ++i) {
      const PgIndexed& indexed = unique.indexed[i];
      if (nulls[i]) {
        our_conditions.push_back(absl::StrCat(indexed.value, " IS NULL"));
        conditions.push_back(absl::StrCat(indexed.value, " IS NULL"));
      } else {
        ours.push_back(absl::StrCat(indexed.value, " AS reinstate_v", i));
        conditions.push_back(absl::StrCat(indexed.value, " ", indexed.equals, " r.reinstate_v", i));
      }
    }
    if (!unique.predicate.empty()) {
      our_conditions.push_back(absl::StrCat("(", unique.predicate, ")"));
      conditions.push_back(absl::StrCat("(", unique.predicate, ")"));
    }
    std::vector<std::string> same_row;
    for (size_t i = 0; i < table_.key.size(); ++i) {
      const std::string name = QuoteIdentifier(table_.Column(table_.key[i])->name);
      ours.push_back(absl::StrCat(name, " AS reinstate_k", i));
      same_row.push_back(absl::StrCat("t.", name, " = r.reinstate_k", i));
    }
    if (!same_row.empty()) {
      conditions.push_back(absl::StrCat("NOT (", absl::StrJoin(same_row, " AND "), ")"));
    }
    return absl::StrCat(
        "SELECT ", number_, ", ", number, ", r.reinstate_n, m.tableoid, m.ctid FROM (SELECT ",
        absl::StrJoin(ours, ", "), " FROM ", Name(), our_conditions.empty() ? "" : " WHERE ",
        absl::StrJoin(our_conditions, " AND "), ") r, LATERAL (SELECT t.tableoid, t.ctid FROM ",
        OnlyTable(table_), " t WHERE ", absl::StrJoin(conditions, " AND "), ") m");
  }

  const PgTenantMap* const map_;
  const PgTablePlan* const plan_;
  const PgTable& table_;
  const size_t number_;
  const std::vector<const PgUnique*> uniques_;
  const std::vector<const PgForeignKey*> parents_;
  const std::vector<PgAttnum> columns_;  // of the relation
  std::vector<size_t> fields_;           // theirs in a payload
  std::vector<std::vector<size_t>> unique_inputs_;
  std::vector<size_t> bound_fields_;
  KeyBatch batch_;
  std::vector<size_t> changes_;
  RowFields before_;
  RowFields after_;
};

// A row that is in the way of another.
struct Match {
  size_t unique = 0;
  size_t row = 0;  // of the relation, from 0
  std::string heap;
  std::string ctid;
};

class Finding {
 public:
  Finding(const PgTenantMap* map, const TenantId* tenant, PgConnection* connection)
      : map_(map), tenant_(tenant), connection_(connection) {}

  absl::Status Add(const Change& change, size_t place) {
    if (change.kind == ChangeKind::kDelete) {
      return absl::OkStatus();
    }
    const PgTablePlan* const plan = FindOwned(*map_, change.table);
    if (plan == nullptr) {
      return MakeError(Reason::kTableNotFound, "the store has no owned table with this identity");
    }
    const auto [number, is_new] = numbers_.emplace(plan->table, tables_.size());
    if (is_new) {
      tables_.push_back(std::make_unique<RowsOfTable>(map_, plan, tables_.size()));
    }
    return tables_[number->second]->Add(change, place);
  }

  absl::StatusOr<std::vector<Obstacle>> Find() {
    std::vector<std::string> relations;
    std::vector<std::string> looks;
    for (const auto& rows : tables_) {
      if (!rows->empty()) {
        relations.push_back(rows->RelationSql());
        rows->AddLooks(&looks);
      }
    }
    if (looks.empty()) {
      return std::move(obstacles_);
    }
    RETURN_IF_ERROR(Each(absl::StrCat("WITH ", absl::StrJoin(relations, ", "), " ",
                                      absl::StrJoin(looks, " UNION ALL ")),
                         [this](const RowFields& found) { return Take(found); }));
    for (const auto& [number, matches] : matches_) {
      RETURN_IF_ERROR(AskWhose(*tables_[number], matches));
    }
    std::stable_sort(obstacles_.begin(), obstacles_.end(),
                     [](const Obstacle& a, const Obstacle& b) { return a.change < b.change; });
    return std::move(obstacles_);
  }

 private:
  template <typename TakeRow>
  absl::Status Each(const std::string& select, TakeRow take) {
    RETURN_IF_ERROR(connection_->StartCopyOut(
        kDoing, absl::StrCat(Absl(connection_->OnceSet(PlanModeSql(PlanMode::kProbe))), "COPY (",
                             select, ") TO STDOUT")));
    std::string_view line;
    RowFields fields;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, connection_->NextLine(&line));
      if (!more) {
        return absl::OkStatus();
      }
      SplitCopyLine(line, &fields);
      RETURN_IF_ERROR(take(fields));
    }
  }

  static int64_t Number(std::string_view text) {
    int64_t number = 0;
    (void)absl::SimpleAtoi(Absl(text), &number);
    return number;
  }

  absl::Status Take(const RowFields& found) {
    const auto table = static_cast<size_t>(Number(found[0]));
    const int64_t unique = Number(found[1]);
    const auto row = static_cast<size_t>(Number(found[2]) - 1);
    if (unique == kNoPartition) {
      obstacles_.push_back(
          {.change = tables_[table]->change(row), .kind = ObstacleKind::kNoPartition});
    } else {
      matches_[table].push_back({.unique = static_cast<size_t>(unique),
                                 .row = row,
                                 .heap = std::string(found[3]),
                                 .ctid = std::string(found[4])});
    }
    return absl::OkStatus();
  }

  absl::Status AskWhose(const RowsOfTable& rows, const std::vector<Match>& matches) {
    KeyBatch places(2);
    for (const Match& match : matches) {
      places.Add({match.heap, match.ctid});
    }
    const PgTablePlan& plan = rows.plan();
    const std::string owned = map_->OwnedBySql(plan, *tenant_);
    std::vector<std::string> columns = {
        "k.n", absl::StrCat("CASE WHEN ", owned, " THEN 'm' WHEN ", map_->OwnerSql(plan),
                            " IS NULL THEN 'n' ELSE 'o' END")};
    for (const PgAttnum number : rows.table().key) {
      columns.push_back(absl::StrCat("CASE WHEN ", owned, " THEN t.",
                                     QuoteIdentifier(rows.table().Column(number)->name), " END"));
    }
    return Each(
        absl::StrCat("SELECT ", absl::StrJoin(columns, ", "), " FROM ", places.Sql(), ", ",
                     map_->FromSql(plan), " WHERE t.ctid = k.c2::pg_catalog.tid AND t.tableoid = ",
                     "k.c1::pg_catalog.oid"),
        [&](const RowFields& found) -> absl::Status {
          const Match& match = matches[static_cast<size_t>(Number(found[0]) - 1)];
          Obstacle obstacle{.change = rows.change(match.row),
                            .kind = ObstacleKind::kValueTaken,
                            .constraint = rows.unique(match.unique).name};
          if (found[1] == "o") {
            obstacle.owner = KeyOwner::kOtherTenant;
          } else if (found[1] == "m") {
            obstacle.owner = KeyOwner::kThisTenant;
            ASSIGN_OR_RETURN(obstacle.key, KeyIn(found));
          }
          obstacles_.push_back(std::move(obstacle));
          return absl::OkStatus();
        });
  }

  // Of the fields from the third on; none if there are no more.
  static absl::StatusOr<std::optional<RowKey>> KeyIn(const RowFields& fields) {
    if (fields.size() <= 2) {
      return std::nullopt;
    }
    std::string key;
    for (size_t i = 2; i < fields.size(); ++i) {
      std::string value;
      if (!AppendCopyValue(fields[i], &value)) {
        return MakeError(Reason::kCorrupt, "a key is not as COPY writes it");
      }
      AppendKeyPart(value, &key);
    }
    return RowKey(std::move(key));
  }

  const PgTenantMap* const map_;
  const TenantId* const tenant_;
  PgConnection* const connection_;
  std::map<PgOid, size_t> numbers_;
  std::vector<std::unique_ptr<RowsOfTable>> tables_;
  std::map<size_t, std::vector<Match>> matches_;  // by the number of the table
  std::vector<Obstacle> obstacles_;
};

}  // namespace

bool MayBeObstructed(const PgTenantMap& map, const PgTable& table) {
  return table.may_lack_partition || !UniquesToLookAt(table).empty() ||
         !UnlockableParents(map, table).empty();
}

absl::StatusOr<std::vector<Obstacle>> FindObstacles(const PgTenantMap& map, const TenantId& tenant,
                                                    std::span<const Change> changes,
                                                    PgConnection* connection) {
  Finding finding(&map, &tenant, connection);
  for (size_t i = 0; i < changes.size(); ++i) {
    RETURN_IF_ERROR(finding.Add(changes[i], i));
  }
  return finding.Find();
}

}  // namespace reinstate
