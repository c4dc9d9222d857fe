#include "storage/live/postgres/row_changes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

constexpr size_t kBatchRows = 5000;
constexpr size_t kBatchBytes = 4 << 20;
constexpr size_t kLineBytes = 128 << 10;
// Replacements of a table whose unique values may change places are looked at all at once.
constexpr size_t kUniqueBytes = 256 << 20;

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
  for (size_t i = 0; i < before.size() && i < after.size(); ++i) {
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

}  // namespace

RowChanges::RowChanges(Parts parts, TenantId tenant)
    : parts_(std::move(parts)), tenant_(std::move(tenant)) {}

absl::Status RowChanges::NotAsSaid() const {
  return MakeError(Reason::kLiveChanged,
                   absl::StrCat("rows of table ", target_.table->DisplayName(),
                                " are not as they were when the restore was planned"));
}

absl::Status RowChanges::Aim(const PgTablePlan& plan, ChangeKind kind) {
  if (target_.plan == &plan && kind_ == kind) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Flush());
  kind_ = kind;
  if (target_.plan == &plan) {
    return absl::OkStatus();
  }
  const PgTable& table = parts_.map->Table(plan);
  if (!table.firing.empty() && !parts_.may_fire.contains(table.DisplayName())) {
    return MakeError(Reason::kUnsupported,
                     absl::StrCat("table ", table.DisplayName(),
                                  " has triggers or rules that fire in a restore "
                                  "(",
                                  absl::StrJoin(table.firing, ", "),
                                  "); allow that in the configuration, or leave the table out"));
  }
  target_ = Target{.plan = &plan,
                   .table = &table,
                   .columns = table.PayloadColumns(),
                   .noted = parts_.checks->Concerns(table.oid),
                   .codec = std::make_unique<RowCodec>(parts_.map->Layout(plan))};
  const auto place_of = [this](PgAttnum number) {
    const auto found =
        std::find_if(target_.columns.begin(), target_.columns.end(),
                     [number](const PgColumn* column) { return column->number == number; });
    return static_cast<size_t>(found - target_.columns.begin());
  };
  target_.owner_field = plan.by_own_column() ? place_of(plan.owner_column) : 0;
  for (const PgUnique& unique : table.uniques) {
    if (unique.deferrable || unique.exclusion || unique.columns == table.key) {
      continue;
    }
    std::vector<size_t> places;
    for (const PgAttnum number : unique.columns) {
      places.push_back(place_of(number));
    }
    if (std::all_of(places.begin(), places.end(),
                    [this](size_t place) { return place < target_.columns.size(); })) {
      target_.unique_fields.push_back(std::move(places));
    }
  }
  return absl::OkStatus();
}

absl::Status RowChanges::CheckOwner(const std::vector<std::string_view>& fields) const {
  if (fields.size() != target_.columns.size()) {
    return MakeError(Reason::kUnsupported,
                     absl::StrCat("a row of table ", target_.table->DisplayName(),
                                  " has another number of columns than the table"));
  }
  if (!target_.plan->by_own_column()) {
    return absl::OkStatus();
  }
  std::string owner;
  if (fields[target_.owner_field] == kCopyNull ||
      !AppendCopyValue(fields[target_.owner_field], &owner) || owner != tenant_.value()) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("a row for table ", target_.table->DisplayName(),
                                  " is not the tenant's; nothing was written"));
  }
  return absl::OkStatus();
}

absl::Status RowChanges::Note(const Change& change) {
  if (change.kind != ChangeKind::kDelete) {
    SplitCopyLine(change.new_payload, &fields_);
    RETURN_IF_ERROR(CheckOwner(fields_));
  }
  if (!target_.noted) {
    return absl::OkStatus();
  }
  if (change.kind != ChangeKind::kInsert) {
    SplitCopyLine(change.old_payload, &old_fields_);
    if (old_fields_.size() != target_.columns.size()) {
      return NotAsSaid();
    }
  }
  switch (change.kind) {
    case ChangeKind::kDelete:
      parts_.checks->NoteDeleted(target_.table->oid, old_fields_);
      break;
    case ChangeKind::kReplace:
      parts_.checks->NoteReplaced(target_.table->oid, old_fields_, fields_);
      break;
    case ChangeKind::kInsert:
      parts_.checks->NoteInserted(target_.table->oid, fields_);
      break;
  }
  return absl::OkStatus();
}

absl::Status RowChanges::Add(const PgTablePlan& plan, const Change& change) {
  any_ = true;
  RETURN_IF_ERROR(Aim(plan, change.kind));
  RETURN_IF_ERROR(Note(change));
  if (change.kind == ChangeKind::kInsert) {
    return AddInsertion(change.new_payload);
  }
  pending_.push_back(
      {.key = change.key, .old_payload = change.old_payload, .new_payload = change.new_payload});
  pending_bytes_ += change.old_payload.size() + change.new_payload.size();
  const bool all_at_once = change.kind == ChangeKind::kReplace && !target_.unique_fields.empty();
  if (all_at_once) {
    return pending_bytes_ < kUniqueBytes
               ? absl::OkStatus()
               : MakeError(Reason::kTooLarge,
                           absl::StrCat("too many rows of table ", target_.table->DisplayName(),
                                        " with unique values are to be replaced at once"));
  }
  return pending_.size() < kBatchRows && pending_bytes_ < kBatchBytes ? absl::OkStatus() : Flush();
}

absl::Status RowChanges::Flush() {
  if (copying_) {
    RETURN_IF_ERROR(EndCopy());
  }
  if (!pending_.empty()) {
    RETURN_IF_ERROR(kind_ == ChangeKind::kDelete ? FlushDeletions(pending_) : FlushReplacements());
    pending_.clear();
    pending_bytes_ = 0;
  }
  if (!reinserted_.empty()) {
    const std::vector<std::string> lines = std::exchange(reinserted_, {});
    for (const std::string& line : lines) {
      RETURN_IF_ERROR(AddInsertion(line));
    }
    return EndCopy();
  }
  return absl::OkStatus();
}

absl::Status RowChanges::AddInsertion(const std::string& payload) {
  if (!copying_) {
    RETURN_IF_ERROR(StartCopy());
  }
  ++copied_;
  lines_.append(payload).push_back('\n');
  if (lines_.size() < kLineBytes) {
    return absl::OkStatus();
  }
  const absl::Status status = parts_.connection->PutLines(lines_);
  lines_.clear();
  return OfTakenKey(status);
}

absl::Status RowChanges::StartCopy() {
  RETURN_IF_ERROR(parts_.connection->StartCopyIn(
      absl::StrCat("write rows of table ", target_.table->DisplayName()),
      absl::StrCat("COPY ", target_.table->Sql(), " (", parts_.map->ColumnListSql(*target_.plan),
                   ") FROM STDIN")));
  copying_ = true;
  copied_ = 0;
  return absl::OkStatus();
}

absl::Status RowChanges::EndCopy() {
  copying_ = false;
  RETURN_IF_ERROR(OfTakenKey(parts_.connection->PutLines(std::exchange(lines_, {}))));
  const absl::StatusOr<int64_t> rows = parts_.connection->EndCopyIn();
  RETURN_IF_ERROR(OfTakenKey(rows.status()));
  if (*rows != copied_) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("the server took ", *rows, " of ", copied_, " rows for table ",
                                  target_.table->DisplayName()));
  }
  return absl::OkStatus();
}

absl::Status RowChanges::OfTakenKey(const absl::Status& status) const {
  if (!HasReason(status, Reason::kKeyConflict)) {
    return status;
  }
  const std::string& constraint = parts_.connection->server_error().constraint;
  const bool of_key =
      target_.table->kind == 'p' ||  // the index is a leaf's, under a name of its own
      std::any_of(target_.table->uniques.begin(), target_.table->uniques.end(),
                  [&](const PgUnique& unique) {
                    return unique.name == constraint && unique.columns == target_.table->key;
                  });
  return of_key ? MakeError(Reason::kLiveChanged,
                            absl::StrCat("a key of table ", target_.table->DisplayName(),
                                         " that was free has been taken"))
                : status;
}

std::string RowChanges::TargetSql() const {
  return absl::StrCat(OnlyTable(*target_.table), " AS d");
}

std::string RowChanges::TouchableSql() const {
  // In a form that no index serves: rows are to be found by their keys. A path may end at a parent
  // that was deleted a moment ago.
  return absl::StrCat("(", parts_.map->OwnedBySql(*target_.plan, tenant_),
                      target_.plan->path.empty() ? ") IS TRUE" : ") IS NOT FALSE");
}

absl::Status RowChanges::ExpectRows(std::string_view doing, const std::string& sql,
                                    const std::vector<const Pending*>& rows) {
  RETURN_IF_ERROR(parts_.connection->StartCopyOut(
      doing, absl::StrCat(Absl(PlanModeSql(PlanMode::kProbe)), "COPY (", sql, ") TO STDOUT")));
  std::vector<bool> met(rows.size(), false);
  size_t count = 0;
  bool as_said = true;
  std::string_view line;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, parts_.connection->NextLine(&line));
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
  return as_said && count == rows.size() ? absl::OkStatus() : NotAsSaid();
}

absl::Status RowChanges::FlushDeletions(const std::vector<Pending>& rows) {
  if (!target_.codec->has_key()) {
    return FlushKeylessDeletions(rows);
  }
  KeyBatch keys(target_.table->key.size());
  std::vector<const Pending*> expected;
  for (const Pending& row : rows) {
    ASSIGN_OR_RETURN(const std::vector<std::string> texts, target_.codec->KeyTexts(row.key));
    keys.Add(texts);
    expected.push_back(&row);
  }
  std::vector<std::string> columns;
  for (const PgColumn* column : target_.columns) {
    columns.push_back(absl::StrCat("d.", QuoteIdentifier(column->name)));
  }
  return ExpectRows(
      absl::StrCat("delete rows of table ", target_.table->DisplayName()),
      absl::StrCat("DELETE FROM ", TargetSql(), " USING (SELECT t.ctid AS c, t.tableoid AS r, k.n ",
                   "FROM ", keys.Sql(), ", ", parts_.map->FromSql(*target_.plan), " WHERE ",
                   EqualToBatch(*target_.table, target_.table->key, "t"), " AND ", TouchableSql(),
                   ") o WHERE d.ctid = o.c AND d.tableoid = o.r RETURNING o.n, ",
                   absl::StrJoin(columns, ", ")),
      expected);
}

// Equal rows have ordinals; those with the highest go first, so that the ordinals of those that
// stay do not change. So it is enough to delete as many of each.
absl::Status RowChanges::FlushKeylessDeletions(const std::vector<Pending>& rows) {
  KeyBatch keys(2);
  for (const Pending& row : rows) {
    ASSIGN_OR_RETURN(const std::vector<std::string> texts, target_.codec->KeyTexts(row.key));
    keys.Add(texts);
  }
  const std::string select = parts_.map->RowSelect(
      *target_.plan, parts_.map->OwnedBySql(*target_.plan, tenant_), /*ordered=*/false);
  constexpr std::string_view kSelect = "SELECT ";
  if (!select.starts_with(kSelect)) {
    return MakeError(Reason::kInternal, "a statement is not as expected");
  }
  std::vector<std::string> names = {"h", "m"};
  for (size_t i = 0; i < target_.columns.size(); ++i) {
    names.push_back(absl::StrCat("f", i));
  }
  const std::string sql =
      absl::StrCat("DELETE FROM ", TargetSql(), " USING (SELECT s.c, s.r, k.n FROM ", keys.Sql(),
                   ", (SELECT t.ctid, t.tableoid, ", select.substr(kSelect.size()), ") AS s(c, r, ",
                   absl::StrJoin(names, ", "),
                   ") WHERE s.h = k.c1 COLLATE \"C\" AND s.m = k.c2 COLLATE \"C\") o WHERE d.ctid "
                   "= o.c AND d.tableoid = o.r");
  const std::string doing = absl::StrCat("delete rows of table ", target_.table->DisplayName());
  RETURN_IF_ERROR(parts_.connection->Execute(doing, std::string(PlanModeSql(PlanMode::kFree))));
  ASSIGN_OR_RETURN(const PgResult result, parts_.connection->Query(doing, sql));
  return result.affected() == static_cast<int64_t>(rows.size()) ? absl::OkStatus() : NotAsSaid();
}

std::set<size_t> RowChanges::MovedValues() const {
  std::set<size_t> moved;
  std::vector<std::string_view> before;
  std::vector<std::string_view> after;
  for (const std::vector<size_t>& places : target_.unique_fields) {
    absl::flat_hash_map<std::string, size_t> given_up;
    std::vector<std::pair<std::string, size_t>> taken;
    for (size_t i = 0; i < pending_.size(); ++i) {
      SplitCopyLine(pending_[i].old_payload, &before);
      SplitCopyLine(pending_[i].new_payload, &after);
      if (before.size() != target_.columns.size() || after.size() != before.size()) {
        continue;
      }
      std::string old_value = Joined(before, places);
      std::string new_value = Joined(after, places);
      if (old_value != new_value) {
        given_up.emplace(std::move(old_value), i);
        taken.emplace_back(std::move(new_value), i);
      }
    }
    for (const auto& [value, row] : taken) {
      if (given_up.contains(value)) {
        moved.insert(row);
      }
    }
  }
  return moved;
}

absl::Status RowChanges::FlushReplacements() {
  const std::set<size_t> moved = MovedValues();
  std::vector<Pending> deletions;
  std::map<std::vector<size_t>, std::vector<const Pending*>> groups;
  std::vector<std::string_view> before;
  std::vector<std::string_view> after;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (moved.contains(i)) {
      deletions.push_back(pending_[i]);
      reinserted_.push_back(pending_[i].new_payload);
      continue;
    }
    SplitCopyLine(pending_[i].old_payload, &before);
    SplitCopyLine(pending_[i].new_payload, &after);
    if (before.size() != after.size()) {
      return NotAsSaid();
    }
    groups[Differing(before, after)].push_back(&pending_[i]);
  }
  if (!deletions.empty()) {
    RETURN_IF_ERROR(FlushDeletions(deletions));
  }
  for (const auto& [changed, rows] : groups) {
    for (size_t first = 0; first < rows.size(); first += kBatchRows) {
      const auto last = std::min(rows.size(), first + kBatchRows);
      RETURN_IF_ERROR(Update(changed, {rows.begin() + static_cast<ptrdiff_t>(first),
                                       rows.begin() + static_cast<ptrdiff_t>(last)}));
    }
  }
  return absl::OkStatus();
}

absl::Status RowChanges::Update(const std::vector<size_t>& changed,
                                const std::vector<const Pending*>& rows) {
  if (changed.empty() || !target_.codec->has_key()) {
    return MakeError(Reason::kInternal, "a replacement that changes nothing, or has no key");
  }
  const size_t key_columns = target_.table->key.size();
  KeyBatch batch(key_columns + changed.size());
  std::vector<std::string_view> after;
  for (const Pending* row : rows) {
    SplitCopyLine(row->new_payload, &after);
    std::vector<std::string_view> values;
    // The fields of the key are the same in both.
    for (const int place : target_.codec->layout().key) {
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
  std::vector<std::string> carried;
  std::vector<std::string> before;
  for (size_t i = 0; i < changed.size(); ++i) {
    const PgColumn& column = *target_.columns[changed[i]];
    set.push_back(absl::StrCat(QuoteIdentifier(column.name), " = o.v", i, "::", column.cast_type));
    carried.push_back(absl::StrCat("k.c", key_columns + i + 1, " AS v", i));
  }
  std::vector<std::string> returned;
  for (size_t i = 0; i < target_.columns.size(); ++i) {
    before.push_back(absl::StrCat("t.", QuoteIdentifier(target_.columns[i]->name), " AS b", i));
    returned.push_back(absl::StrCat("o.b", i));
  }
  return OfTakenKey(ExpectRows(
      absl::StrCat("change rows of table ", target_.table->DisplayName()),
      absl::StrCat("UPDATE ", TargetSql(), " SET ", absl::StrJoin(set, ", "),
                   " FROM (SELECT t.ctid AS c, t.tableoid AS r, k.n, ",
                   absl::StrJoin(carried, ", "), ", ", absl::StrJoin(before, ", "), " FROM ",
                   batch.Sql(), ", ", parts_.map->FromSql(*target_.plan), " WHERE ",
                   EqualToBatch(*target_.table, target_.table->key, "t"), " AND ", TouchableSql(),
                   ") o WHERE d.ctid = o.c AND d.tableoid = o.r RETURNING o.n, ",
                   absl::StrJoin(returned, ", ")),
      rows));
}

}  // namespace reinstate
