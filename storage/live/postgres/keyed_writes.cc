#include "storage/live/postgres/keyed_writes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

constexpr size_t kBatchRows = 5000;
constexpr size_t kBatchBytes = 8 << 20;

// Takes the number at the beginning of a line that is followed by a tab.
std::optional<size_t> TakeNumber(std::string_view* line) {
  const size_t tab = line->find('\t');
  size_t number = 0;
  if (tab == std::string_view::npos) {
    return std::nullopt;
  }
  for (const char c : line->substr(0, tab)) {
    number = number * 10 + static_cast<size_t>(c - '0');
  }
  line->remove_prefix(tab + 1);
  return number;
}

std::vector<size_t> Differing(const std::vector<std::string_view>& before,
                              const std::vector<std::string_view>& after) {
  std::vector<size_t> places;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] != after[i]) {
      places.push_back(i);
    }
  }
  return places;
}

std::string Joined(const std::vector<std::string_view>& fields, const std::vector<size_t>& places) {
  std::string joined;
  for (const size_t place : places) {
    absl::StrAppend(&joined, Absl(fields[place]), "\t");
  }
  return joined;
}

// Calls `send` with the rows in batches.
template <typename Rows, typename Send>
absl::Status InBatches(const Rows& rows, Send send) {
  std::vector<const KeyedRow*> batch;
  size_t bytes = 0;
  for (const KeyedRow* const row : rows) {
    batch.push_back(row);
    bytes += row->old_payload.size() + row->new_payload.size();
    if (batch.size() == kBatchRows || bytes >= kBatchBytes) {
      RETURN_IF_ERROR(send(batch));
      batch.clear();
      bytes = 0;
    }
  }
  return batch.empty() ? absl::OkStatus() : send(batch);
}

// The rows in which one of the fields at `places` differs.
std::vector<const KeyedRow*> DifferingAt(const std::vector<size_t>& places,
                                         const std::vector<KeyedRow>& rows) {
  std::vector<const KeyedRow*> differing;
  std::vector<std::string_view> before;
  std::vector<std::string_view> after;
  for (const KeyedRow& row : rows) {
    SplitCopyLine(row.old_payload, &before);
    SplitCopyLine(row.new_payload, &after);
    if (std::any_of(places.begin(), places.end(),
                    [&](size_t place) { return before[place] != after[place]; })) {
      differing.push_back(&row);
    }
  }
  return differing;
}

// Adds the rows that take a value of a unique index from another of `rows`.
void AddTakingValues(const WriteTarget& target, const std::vector<KeyedRow>& rows,
                     std::set<const KeyedRow*>* taking) {
  std::vector<std::string_view> before;
  std::vector<std::string_view> after;
  for (const std::vector<size_t>& places : target.unique_fields) {
    absl::flat_hash_set<std::string> given_up;
    std::vector<std::pair<std::string, const KeyedRow*>> taken;
    for (const KeyedRow& row : rows) {
      SplitCopyLine(row.old_payload, &before);
      SplitCopyLine(row.new_payload, &after);
      std::string new_value = Joined(after, places);
      if (std::string old_value = Joined(before, places); old_value != new_value) {
        given_up.insert(std::move(old_value));
        taken.emplace_back(std::move(new_value), &row);
      }
    }
    for (const auto& [value, row] : taken) {
      if (given_up.contains(value)) {
        taking->insert(row);
      }
    }
  }
}

// Rows that an UPDATE cannot replace, whatever the order of updates is.
std::set<const KeyedRow*> NotByUpdate(const WriteTarget& target,
                                      const std::vector<KeyedRow>& rows) {
  std::set<const KeyedRow*> found;
  AddTakingValues(target, rows, &found);
  for (const std::vector<size_t>& places : target.exclusive_fields) {
    if (const std::vector<const KeyedRow*> moving = DifferingAt(places, rows); moving.size() > 1) {
      found.insert(moving.begin(), moving.end());
    }
  }
  const std::vector<const KeyedRow*> fixed = DifferingAt(target.fixed_fields, rows);
  found.insert(fixed.begin(), fixed.end());
  return found;
}

// SELECT of the places of rows, of the number of each in `batch`, and of `more`.
std::string PlacesSql(const WriteTarget& target, const KeyBatch& batch, const std::string& more) {
  return absl::StrCat("(SELECT t.ctid AS c, t.tableoid AS r, k.n", more, " FROM ", batch.Sql(),
                      ", ", target.map->FromSql(*target.plan), " WHERE ",
                      EqualToBatch(*target.table, target.table->key, "t"), " AND ",
                      target.TouchableSql(), ") o WHERE d.ctid = o.c AND d.tableoid = o.r");
}

}  // namespace

absl::Status KeyedWrites::ExpectRows(const WriteTarget& target, std::string_view doing,
                                     const std::string& sql, const Rows& rows) {
  RETURN_IF_ERROR(connection_->StartCopyOut(
      absl::StrCat(Absl(doing), " rows of table ", target.table->DisplayName()),
      absl::StrCat(Absl(connection_->OnceSet(PlanModeSql(PlanMode::kProbe))), "COPY (", sql,
                   ") TO STDOUT")));
  std::vector<bool> met(rows.size(), false);
  size_t count = 0;
  bool as_said = true;
  std::string_view line;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, connection_->NextLine(&line));
    if (!more) {
      break;
    }
    const std::optional<size_t> number = TakeNumber(&line);
    const bool known = number.has_value() && *number >= 1 && *number <= rows.size();
    as_said = as_said && known && !met[*number - 1] && rows[*number - 1]->old_payload == line;
    if (known) {
      met[*number - 1] = true;
    }
    ++count;
  }
  return as_said && count == rows.size() ? absl::OkStatus() : target.NotAsSaid();
}

absl::Status KeyedWrites::Delete(const WriteTarget& target, const std::vector<KeyedRow>& rows) {
  Rows all;
  for (const KeyedRow& row : rows) {
    all.push_back(&row);
  }
  return InBatches(all, [&](const Rows& batch) {
    return target.codec.has_key() ? DeleteBatch(target, batch) : DeleteKeyless(target, batch);
  });
}

absl::Status KeyedWrites::DeleteBatch(const WriteTarget& target, const Rows& rows) {
  KeyBatch keys(target.table->key.size());
  for (const KeyedRow* const row : rows) {
    ASSIGN_OR_RETURN(const std::vector<std::string> texts, target.codec.KeyTexts(row->key));
    keys.Add(texts);
  }
  std::vector<std::string> columns;
  for (const PgColumn* column : target.columns) {
    columns.push_back(absl::StrCat("d.", QuoteIdentifier(column->name)));
  }
  return ExpectRows(
      target, "delete",
      absl::StrCat("DELETE FROM ", OnlyTable(*target.table), " AS d USING ",
                   PlacesSql(target, keys, ""), " RETURNING o.n, ", absl::StrJoin(columns, ", ")),
      rows);
}

// Equal rows have ordinals; those with the highest go first, so that the ordinals of those that
// stay do not change.
absl::Status KeyedWrites::DeleteKeyless(const WriteTarget& target, const Rows& rows) {
  KeyBatch keys(2);
  for (const KeyedRow* const row : rows) {
    ASSIGN_OR_RETURN(const std::vector<std::string> texts, target.codec.KeyTexts(row->key));
    keys.Add(texts);
  }
  const std::string select = target.map->RowSelect(
      *target.plan, target.map->OwnedBySql(*target.plan, target.tenant), /*ordered=*/false);
  constexpr std::string_view kSelect = "SELECT ";
  if (!select.starts_with(kSelect)) {
    return MakeError(Reason::kInternal, "a statement is not as expected");
  }
  std::vector<std::string> names = {"h", "m"};
  std::vector<std::string> columns;
  for (const PgColumn* column : target.columns) {
    names.push_back(absl::StrCat("f", columns.size()));
    columns.push_back(absl::StrCat("d.", QuoteIdentifier(column->name)));
  }
  return ExpectRows(
      target, "delete",
      absl::StrCat("DELETE FROM ", OnlyTable(*target.table),
                   " AS d USING (SELECT s.c, s.r, k.n FROM ", keys.Sql(),
                   ", (SELECT t.ctid, t.tableoid, ", select.substr(kSelect.size()), ") AS s(c, r, ",
                   absl::StrJoin(names, ", "),
                   ") WHERE s.h = k.c1 COLLATE \"C\" AND s.m = k.c2 COLLATE \"C\") o WHERE d.ctid "
                   "= o.c AND d.tableoid = o.r RETURNING o.n, ",
                   absl::StrJoin(columns, ", ")),
      rows);
}

absl::Status KeyedWrites::Replace(const WriteTarget& target, const std::vector<KeyedRow>& rows,
                                  std::vector<std::string>* to_insert) {
  std::vector<std::string_view> before;
  std::vector<std::string_view> after;
  for (const KeyedRow& row : rows) {
    SplitCopyLine(row.old_payload, &before);
    if (before.size() != target.columns.size()) {
      return target.NotAsSaid();
    }
  }
  const std::set<const KeyedRow*> not_by_update = NotByUpdate(target, rows);
  Rows deleted;
  std::map<std::vector<size_t>, Rows> groups;  // by the columns that differ
  for (const KeyedRow& row : rows) {
    if (not_by_update.contains(&row)) {
      deleted.push_back(&row);
      to_insert->push_back(row.new_payload);
      continue;
    }
    SplitCopyLine(row.old_payload, &before);
    SplitCopyLine(row.new_payload, &after);
    groups[Differing(before, after)].push_back(&row);
  }
  RETURN_IF_ERROR(
      InBatches(deleted, [&](const Rows& batch) { return DeleteBatch(target, batch); }));
  for (const auto& [changed, same] : groups) {
    RETURN_IF_ERROR(InBatches(same, [&, &changed = changed](const Rows& batch) {
      return Update(target, changed, batch);
    }));
  }
  return absl::OkStatus();
}

absl::Status KeyedWrites::Update(const WriteTarget& target, const std::vector<size_t>& changed,
                                 const Rows& rows) {
  if (changed.empty() || !target.codec.has_key()) {
    return MakeError(Reason::kInternal, "a replacement that changes nothing, or has no key");
  }
  const size_t key_columns = target.table->key.size();
  KeyBatch batch(key_columns + changed.size());
  std::vector<std::string_view> after;
  for (const KeyedRow* const row : rows) {
    SplitCopyLine(row->new_payload, &after);
    std::vector<std::string_view> values;
    // The fields of the key are the same before and after.
    for (const int place : target.codec.layout().key) {
      values.push_back(after[static_cast<size_t>(place)]);
    }
    for (const size_t place : changed) {
      values.push_back(after[place]);
    }
    if (!batch.AddFields(values)) {
      return MakeError(Reason::kCorrupt, "a payload is not as COPY writes it");
    }
  }
  std::vector<std::string> set;
  std::string more;
  std::vector<std::string> returned;
  for (size_t i = 0; i < changed.size(); ++i) {
    const PgColumn& column = *target.columns[changed[i]];
    set.push_back(absl::StrCat(QuoteIdentifier(column.name), " = o.v", i, "::", column.cast_type));
    absl::StrAppend(&more, ", k.c", key_columns + i + 1, " AS v", i);
  }
  for (size_t i = 0; i < target.columns.size(); ++i) {
    absl::StrAppend(&more, ", t.", QuoteIdentifier(target.columns[i]->name), " AS b", i);
    returned.push_back(absl::StrCat("o.b", i));
  }
  return ExpectRows(target, "change",
                    absl::StrCat("UPDATE ", OnlyTable(*target.table), " AS d SET ",
                                 absl::StrJoin(set, ", "), " FROM ", PlacesSql(target, batch, more),
                                 " RETURNING o.n, ", absl::StrJoin(returned, ", ")),
                    rows);
}

}  // namespace reinstate
