#include "storage/live/postgres/constraint_checks.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/live/postgres/sequence_mover.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

constexpr size_t kBatchRows = 10000;
constexpr absl::Duration kPoll = absl::Milliseconds(5);

// The places of columns in a payload; of a generated one, which is in none, npos.
std::vector<size_t> FieldsOf(const PgTable& table, const std::vector<PgAttnum>& columns) {
  const std::vector<const PgColumn*> payload = table.PayloadColumns();
  std::vector<size_t> fields;
  for (const PgAttnum number : columns) {
    const auto found =
        std::find_if(payload.begin(), payload.end(),
                     [number](const PgColumn* column) { return column->number == number; });
    fields.push_back(found == payload.end() ? std::string::npos
                                            : static_cast<size_t>(found - payload.begin()));
  }
  return fields;
}

// The fields with tabs between them; false if one is NULL, since then there is no reference.
bool JoinFields(const std::vector<std::string_view>& fields, const std::vector<size_t>& places,
                std::string* joined) {
  joined->clear();
  for (const size_t place : places) {
    if (place >= fields.size() || fields[place] == kCopyNull) {
      return false;
    }
    if (place != places.front()) {
      joined->push_back('\t');
    }
    joined->append(fields[place]);
  }
  return true;
}

absl::StatusOr<KeyBatch> MakeBatch(size_t columns, const std::vector<std::string>& keys) {
  KeyBatch batch(columns);
  std::vector<std::string_view> fields;
  for (const std::string& key : keys) {
    SplitCopyLine(key, &fields);
    if (fields.size() != columns || !batch.AddFields(fields)) {
      return MakeError(Reason::kCorrupt, "a payload is not as COPY writes it");
    }
  }
  return batch;
}

// Calls `check` with all keys, in batches.
template <typename Check>
absl::Status InBatches(const absl::flat_hash_set<std::string>& keys, Check check) {
  std::vector<std::string> batch;
  for (const std::string& key : keys) {
    batch.push_back(key);
    if (batch.size() == kBatchRows) {
      RETURN_IF_ERROR(check(batch));
      batch.clear();
    }
  }
  return batch.empty() ? absl::OkStatus() : check(batch);
}

// Those of `keys` whose numbers (column 0, from 1) are not among the rows of `found`.
std::vector<std::string> NotAmong(const std::vector<std::string>& keys, const PgResult& found) {
  std::vector<bool> is_there(keys.size(), false);
  for (int row = 0; row < found.rows(); ++row) {
    is_there[static_cast<size_t>(found.GetInt(row, 0) - 1)] = true;
  }
  std::vector<std::string> missing;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!is_there[i]) {
      missing.push_back(keys[i]);
    }
  }
  return missing;
}

// Tells the owner of the database, and our benchmark, what the checks cost (pg_stat_statements).
constexpr char kMark[] = "/* constraint check */ ";

absl::StatusOr<PgResult> QueryIn(PgConnection* connection, PlanMode mode, std::string_view doing,
                                 const std::string& sql) {
  RETURN_IF_ERROR(connection->Execute(doing, std::string(PlanModeSql(mode))));
  return connection->Query(doing, absl::StrCat(kMark, sql));
}

// How rows of `table` are found by these columns.
PlanMode ModeFor(const PgTable& table, const std::vector<PgAttnum>& columns) {
  return table.HasIndexOn(columns) ? PlanMode::kProbe : PlanMode::kWhole;
}

// The OIDs of a table and its partitions.
std::string Heaps(const PgTable& table) {
  std::string list = absl::StrCat(table.oid);
  for (const PgHeap& heap : table.heaps) {
    absl::StrAppend(&list, ", ", heap.oid);
  }
  return list;
}

std::string FindParents(const PgForeignKey& facts, const PgTable& parent, const KeyBatch& batch) {
  return absl::StrCat("SELECT k.n FROM ", batch.Sql(), ", ", OnlyTable(parent), " p WHERE ",
                      EqualToBatch(parent, facts.parent_columns, "p"));
}

}  // namespace

ConstraintChecks::ConstraintChecks(const PgTenantMap* map, TenantId tenant)
    : map_(map), tenant_(std::move(tenant)) {
  for (const PgForeignKey& facts : map_->catalog().foreign_keys) {
    AddForeignKey(facts);
  }
  for (const PgTable& table : map_->catalog().tables) {
    AddTable(table);
  }
}

ConstraintChecks::~ConstraintChecks() = default;

void ConstraintChecks::AddForeignKey(const PgForeignKey& facts) {
  const PgTable* const child = map_->catalog().Find(facts.child);
  const PgTable* const parent = map_->catalog().Find(facts.parent);
  if (child == nullptr) {
    return;
  }
  const size_t index = foreign_keys_.size();
  foreign_keys_.push_back({.facts = &facts,
                           .child = child,
                           .parent = parent,
                           .child_fields = FieldsOf(*child, facts.child_columns)});
  tables_[facts.child].as_child.push_back(index);
  if (parent != nullptr) {
    foreign_keys_.back().parent_fields = FieldsOf(*parent, facts.parent_columns);
    tables_[facts.parent].as_parent.push_back(index);
  }
}

void ConstraintChecks::AddTable(const PgTable& table) {
  for (const PgSequence& sequence : table.sequences) {
    const std::vector<size_t> fields = FieldsOf(table, {sequence.column});
    if (fields.front() != std::string::npos) {
      tables_[table.oid].sequences.push_back(sequences_.size());
      sequences_.push_back({.facts = &sequence, .table = &table, .field = fields.front()});
    }
  }
  for (const PgUnique& unique : table.uniques) {
    if (unique.deferrable && !unique.exclusion) {
      tables_[table.oid].uniques.push_back(uniques_.size());
      uniques_.push_back({.facts = &unique, .table = &table});
    }
  }
}

void ConstraintChecks::NoteChild(ForeignKey* key, const Fields* before, const Fields& after) {
  if (!JoinFields(after, key->child_fields, &joined_) || joined_ == key->last_needed) {
    return;
  }
  const bool as_before = before != nullptr &&
                         JoinFields(*before, key->child_fields, &joined_before_) &&
                         joined_before_ == joined_;
  if (!as_before) {
    key->needed.insert(joined_);
    key->last_needed = joined_;
  }
}

void ConstraintChecks::NoteParent(ForeignKey* key, const Fields* before, const Fields* after) {
  const bool was = before != nullptr && JoinFields(*before, key->parent_fields, &joined_before_);
  const bool is = after != nullptr && JoinFields(*after, key->parent_fields, &joined_);
  if (was && is && joined_ == joined_before_) {
    return;
  }
  if (was) {
    key->removed.insert(joined_before_);
  }
  if (is && !key->needed.empty()) {
    key->needed.erase(joined_);
    // What is written after this row needs no other parent; what was forgotten stays so.
    key->last_needed.clear();
  }
}

void ConstraintChecks::NoteValue(Sequence* sequence, const Fields& after) {
  const std::string_view text = after[sequence->field];
  int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) {
    return;
  }
  sequence->highest = sequence->written ? std::max(sequence->highest, value) : value;
  sequence->lowest = sequence->written ? std::min(sequence->lowest, value) : value;
  sequence->written = true;
}

void ConstraintChecks::NoteRow(PgOid table, const Fields* before, const Fields* after) {
  const auto concerned = tables_.find(table);
  if (concerned == tables_.end()) {
    return;
  }
  for (const size_t index : concerned->second.as_child) {
    if (after != nullptr) {
      NoteChild(&foreign_keys_[index], before, *after);
    }
  }
  for (const size_t index : concerned->second.as_parent) {
    NoteParent(&foreign_keys_[index], before, after);
  }
  for (const size_t index : concerned->second.sequences) {
    if (after != nullptr) {
      NoteValue(&sequences_[index], *after);
    }
  }
  for (const size_t index : concerned->second.uniques) {
    uniques_[index].written = uniques_[index].written || after != nullptr;
  }
}

void ConstraintChecks::NoteInserted(PgOid table, const Fields& after) {
  NoteRow(table, nullptr, &after);
}

void ConstraintChecks::NoteReplaced(PgOid table, const Fields& before, const Fields& after) {
  NoteRow(table, &before, &after);
}

void ConstraintChecks::NoteDeleted(PgOid table, const Fields& before) {
  NoteRow(table, &before, nullptr);
}

absl::Status ConstraintChecks::Check(const Connections& connections) {
  const bool any = std::any_of(foreign_keys_.begin(), foreign_keys_.end(),
                               [](const ForeignKey& key) {
                                 return !key.needed.empty() || !key.removed.empty();
                               }) ||
                   std::any_of(uniques_.begin(), uniques_.end(),
                               [](const Unique& unique) { return unique.written; });
  if (any) {
    ASSIGN_OR_RETURN(const PgResult xid,
                     connections.main->Query("look at the transaction",
                                             "SELECT pg_catalog.pg_current_xact_id()::xid"));
    xid_ = std::string(xid.Get(0, 0));
    RETURN_IF_ERROR(connections.second->Begin({.repeatable_read = false, .read_only = true}));
  }
  for (ForeignKey& key : foreign_keys_) {
    RETURN_IF_ERROR(CheckParents(&key, connections));
    RETURN_IF_ERROR(CheckChildren(&key, connections));
  }
  for (const Unique& unique : uniques_) {
    if (unique.written) {
      RETURN_IF_ERROR(CheckUnique(unique, connections));
    }
  }
  for (const Sequence& sequence : sequences_) {
    if (sequence.written) {
      RETURN_IF_ERROR(MoveSequencePast(*sequence.table, *sequence.facts, sequence.lowest,
                                       sequence.highest, connections.main));
    }
  }
  return connections.second->Rollback();
}

absl::Status ConstraintChecks::CheckParents(ForeignKey* key, const Connections& connections) {
  if (key->needed.empty()) {
    return absl::OkStatus();
  }
  if (key->parent == nullptr) {
    return MakeError(
        Reason::kUnsupported,
        absl::StrCat("foreign key ", key->facts->name, " of table ", key->child->DisplayName(),
                     " refers to a single partition, which is not supported"));
  }
  return InBatches(key->needed, [&](const std::vector<std::string>& batch) {
    return CheckParentBatch(*key, batch, connections);
  });
}

absl::Status ConstraintChecks::CheckParentBatch(const ForeignKey& key,
                                                const std::vector<std::string>& batch,
                                                const Connections& connections) {
  constexpr std::string_view kDoing = "lock the rows that restored rows refer to";
  const size_t columns = key.facts->parent_columns.size();
  ASSIGN_OR_RETURN(const KeyBatch keys, MakeBatch(columns, batch));
  ASSIGN_OR_RETURN(
      const PgResult locked,
      QueryIn(connections.main, PlanMode::kProbe, kDoing,
              absl::StrCat(FindParents(*key.facts, *key.parent, keys), " FOR KEY SHARE OF p")));
  const std::vector<std::string> missing = NotAmong(batch, locked);
  // Rows that the key was never checked for had their orphans at the point, too.
  if (missing.empty() || !key.facts->validated) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const KeyBatch missing_keys, MakeBatch(columns, missing));
  ASSIGN_OR_RETURN(const PgResult now, QueryIn(connections.second, PlanMode::kProbe, kDoing,
                                               FindParents(*key.facts, *key.parent, missing_keys)));
  const size_t gone = NotAmong(missing, now).size();
  if (gone == 0) {
    return MakeError(Reason::kLiveChanged,
                     absl::StrCat("rows of table ", key.parent->DisplayName(),
                                  " that restored rows need came after the restore began"));
  }
  return MakeError(Reason::kKeyConflict,
                   absl::StrCat("rows of table ", key.child->DisplayName(), " refer to ", gone,
                                " rows of table ", key.parent->DisplayName(),
                                " that are not there (foreign key ", key.facts->name,
                                "); bring those back first, or leave the table out"));
}

absl::Status ConstraintChecks::CheckChildren(ForeignKey* key, const Connections& connections) {
  return InBatches(key->removed, [&](const std::vector<std::string>& batch) {
    return CheckChildBatch(*key, batch, connections);
  });
}

absl::Status ConstraintChecks::CheckChildBatch(const ForeignKey& key,
                                               const std::vector<std::string>& batch,
                                               const Connections& connections) {
  constexpr std::string_view kDoing = "look for rows that refer to deleted ones";
  const size_t columns = key.facts->parent_columns.size();
  ASSIGN_OR_RETURN(const KeyBatch keys, MakeBatch(columns, batch));
  // What was written again, with the same values, is not gone.
  ASSIGN_OR_RETURN(const PgResult still, QueryIn(connections.main, PlanMode::kProbe, kDoing,
                                                 FindParents(*key.facts, *key.parent, keys)));
  const std::vector<std::string> gone = NotAmong(batch, still);
  if (gone.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const KeyBatch gone_keys, MakeBatch(columns, gone));
  const std::string children =
      absl::StrCat("SELECT pg_catalog.count(*) FROM ", gone_keys.Sql(), ", ", OnlyTable(*key.child),
                   " c WHERE ", EqualToBatch(*key.child, key.facts->child_columns, "c"));
  const PlanMode mode = ModeFor(*key.child, key.facts->child_columns);
  ASSIGN_OR_RETURN(const PgResult seen, QueryIn(connections.main, mode, kDoing, children));
  if (seen.GetInt(0, 0) > 0) {
    return MakeError(Reason::kKeyConflict,
                     absl::StrCat(seen.GetInt(0, 0), " rows of table ", key.child->DisplayName(),
                                  " refer to rows of table ", key.parent->DisplayName(),
                                  " that the restore deletes (foreign key ", key.facts->name,
                                  "); they belong to somebody else or to a table left out"));
  }
  // Rows that we deleted or changed are still there for others, under our number.
  ASSIGN_OR_RETURN(const PgResult raced,
                   QueryIn(connections.second, mode, kDoing,
                           absl::StrCat(children, " AND c.xmax <> ", CastLiteral(xid_, "xid"))));
  if (raced.GetInt(0, 0) > 0) {
    return MakeError(Reason::kLiveChanged,
                     absl::StrCat("the application added rows to table ", key.child->DisplayName(),
                                  " that refer to rows of table ", key.parent->DisplayName(),
                                  " which the restore deletes"));
  }
  return absl::OkStatus();
}

absl::Status ConstraintChecks::CheckUnique(const Unique& unique, const Connections& connections) {
  // Whoever wrote before our last write may have looked for our values in vain.
  const absl::Time until = absl::Now() + connections.patience;
  const std::string writers = absl::StrCat(
      "SELECT DISTINCT l.pid, l.virtualtransaction FROM pg_catalog.pg_locks l WHERE l.locktype = "
      "'relation' AND l.relation IN (",
      Heaps(*unique.table), ") AND l.granted AND l.pid IS DISTINCT FROM ",
      connections.main->backend_pid(),
      " AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock')");
  std::set<std::string> first;
  for (bool is_first = true;; is_first = false) {
    ASSIGN_OR_RETURN(const PgResult now,
                     connections.second->Query("wait for other writers", writers));
    std::set<std::string> waiting;
    for (int row = 0; row < now.rows(); ++row) {
      const std::string name = absl::StrCat(Absl(now.Get(row, 0)), " ", Absl(now.Get(row, 1)));
      if (is_first || first.contains(name)) {
        waiting.insert(name);
      }
    }
    first = std::move(waiting);
    if (first.empty()) {
      return LookForDuplicates(unique, connections);
    }
    if (absl::Now() >= until) {
      return MakeError(Reason::kLiveChanged,
                       absl::StrCat("a transaction that writes to table ",
                                    unique.table->DisplayName(), " did not end in time"));
    }
    absl::SleepFor(kPoll);
  }
}

absl::Status ConstraintChecks::LookForDuplicates(const Unique& unique,
                                                 const Connections& connections) {
  constexpr std::string_view kDoing = "look for values that are there twice";
  const PgTable& table = *unique.table;
  const PgTablePlan* const plan = map_->Find(absl::StrCat(table.oid));
  std::vector<std::string> equal;
  std::vector<std::string> values;
  for (const PgAttnum number : unique.facts->columns) {
    const std::string name = QuoteIdentifier(table.Column(number)->name);
    const std::string_view is = unique.facts->nulls_distinct ? " = " : " IS NOT DISTINCT FROM ";
    equal.push_back(absl::StrCat("t.", name, Absl(is), "b.", name));
    values.push_back(absl::StrCat("t.", name));
  }
  absl::Status conflict = MakeError(
      Reason::kKeyConflict,
      absl::StrCat("restored rows of table ", table.DisplayName(),
                   " have values that other rows have too (constraint ", unique.facts->name, ")"));
  if (plan == nullptr) {
    return conflict;
  }
  const std::string from = map_->FromSql(*plan);
  const std::string ours =
      absl::StrCat(map_->OwnedBySql(*plan, tenant_), " AND t.xmin = ", CastLiteral(xid_, "xid"));
  ASSIGN_OR_RETURN(
      const PgResult twice,
      QueryIn(connections.main, ModeFor(table, unique.facts->columns), kDoing,
              absl::StrCat("SELECT pg_catalog.count(*) FROM ", from, ", ", OnlyTable(table),
                           " b WHERE ", ours, " AND ", absl::StrJoin(equal, " AND "),
                           " AND (t.ctid <> b.ctid OR t.tableoid <> b.tableoid)")));
  if (twice.GetInt(0, 0) > 0) {
    return conflict;
  }
  RETURN_IF_ERROR(connections.main->StartCopyOut(
      kDoing, absl::StrCat("COPY (SELECT ", absl::StrJoin(values, ", "), " FROM ", from, " WHERE ",
                           ours, ") TO STDOUT")));
  absl::flat_hash_set<std::string> written;
  std::string_view line;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, connections.main->NextLine(&line));
    if (!more) {
      break;
    }
    written.emplace(line);
  }
  return InBatches(written, [&](const std::vector<std::string>& batch) -> absl::Status {
    ASSIGN_OR_RETURN(const KeyBatch keys, MakeBatch(values.size(), batch));
    ASSIGN_OR_RETURN(
        const PgResult others,
        QueryIn(connections.second, ModeFor(table, unique.facts->columns), kDoing,
                absl::StrCat("SELECT pg_catalog.count(*) FROM ", keys.Sql(), ", ", OnlyTable(table),
                             " b WHERE ", EqualToBatch(table, unique.facts->columns, "b"),
                             " AND b.xmax <> ", CastLiteral(xid_, "xid"))));
    return others.GetInt(0, 0) == 0
               ? absl::OkStatus()
               : MakeError(Reason::kLiveChanged,
                           absl::StrCat("the application wrote values to table ",
                                        table.DisplayName(), " that restored rows have too"));
  });
}

}  // namespace reinstate
