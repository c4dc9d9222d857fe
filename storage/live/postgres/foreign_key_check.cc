#include "storage/live/postgres/foreign_key_check.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/missing_rows.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

std::string ColumnSql(const PgTable& table, std::string_view alias, PgAttnum number) {
  return absl::StrCat(Absl(alias), ".", QuoteIdentifier(table.Column(number)->name));
}

std::string RelationSql(const PgTable& table, const std::string& part) {
  return part.empty() ? OnlyTable(table) : part;
}

bool AllTold(const std::vector<size_t>& fields) {
  return std::find(fields.begin(), fields.end(), std::string::npos) == fields.end();
}

bool AnyValue(const RowFields& fields, const std::vector<size_t>& places) {
  return std::any_of(places.begin(), places.end(), [&fields](size_t place) {
    return place < fields.size() && fields[place] != kCopyNull;
  });
}

bool MayOrphan(const PgTenantMap& map, const PgForeignKey& facts, const PgTable* child) {
  const std::vector<std::string>& tables = map.config().orphans;
  return !facts.validated && std::any_of(tables.begin(), tables.end(), [&](const auto& name) {
    return map.catalog().FindByName(name) == child;
  });
}

// SELECT of the texts of distinct keys, of rows t of `table`, or of the part of it in `from`, that
// have no NULL in it.
std::string SelectKeys(const PgTable& table, const std::string& from,
                       const std::vector<PgAttnum>& columns, const std::string& condition) {
  std::vector<std::string> texts;
  std::vector<std::string> conditions = {condition};
  for (const PgAttnum number : columns) {
    const std::string column = ColumnSql(table, "t", number);
    texts.push_back(absl::StrCat(column, "::pg_catalog.text"));
    conditions.push_back(absl::StrCat(column, " IS NOT NULL"));
  }
  return absl::StrCat("SELECT DISTINCT ", absl::StrJoin(texts, ", "), " FROM ", from, " t WHERE ",
                      absl::StrJoin(conditions, " AND "));
}

}  // namespace

ForeignKeyCheck::ForeignKeyCheck(const PgTenantMap* map, TenantId tenant, const PgForeignKey* facts,
                                 KeyMemory* memory, KeyMemory* parent_memory)
    : map_(map),
      tenant_(std::move(tenant)),
      facts_(facts),
      child_(map->catalog().Find(facts->child)),
      parent_(map->catalog().Find(facts->parent_table)),
      child_sql_(RelationSql(*child_, facts->child_part)),
      parent_sql_(RelationSql(*parent_, facts->parent_part)),
      child_fields_(FieldsOf(*child_, facts->child_columns)),
      parent_fields_(FieldsOf(*parent_, facts->parent_columns)),
      child_told_(facts->child_part.empty() && AllTold(child_fields_)),
      parent_told_(AllTold(parent_fields_)),
      may_orphan_(MayOrphan(*map, *facts, child_)),
      needed_(memory),
      inserted_(parent_memory),
      removed_(memory),
      orphans_before_(memory) {}

void ForeignKeyCheck::NoteChild(const RowFields* before, const RowFields& after) {
  children_inserted_ = children_inserted_ || before == nullptr;
  if (!child_told_) {
    needed_.Forget();
    may_be_partial_ = facts_->match_full && child_fields_.size() > 1;
    return;
  }
  if (!JoinFields(after, child_fields_, &joined_)) {
    may_be_partial_ = may_be_partial_ || (facts_->match_full && AnyValue(after, child_fields_));
    return;
  }
  if (joined_ == last_needed_) {
    return;
  }
  const bool as_before = before != nullptr && JoinFields(*before, child_fields_, &joined_before_) &&
                         joined_before_ == joined_;
  if (!as_before) {
    if (!inserted_.keys().contains(joined_)) {
      needed_.Insert(joined_);
    }
    last_needed_ = joined_;
  }
}

void ForeignKeyCheck::NoteParent(const RowFields* before, const RowFields* after) {
  if (!parent_told_) {
    if (before != nullptr) {
      removed_.Forget();
    }
    return;
  }
  const bool was = before != nullptr && JoinFields(*before, parent_fields_, &joined_before_);
  const bool is = after != nullptr && JoinFields(*after, parent_fields_, &joined_);
  if (was && is && joined_ == joined_before_) {
    return;
  }
  if (was) {
    removed_.Insert(joined_before_);
  }
  // Which partition it went to is not known.
  if (!is || !facts_->parent_part.empty()) {
    return;
  }
  if (!needed_.empty()) {
    needed_.Erase(joined_);
    // What is written after this row needs no other parent; what was forgotten stays so.
    last_needed_.clear();
  }
  // Rows are inserted a table at a time.
  if (before == nullptr && (!children_inserted_ || child_ == parent_)) {
    inserted_.Insert(joined_);
  }
}

std::string ForeignKeyCheck::FindParents(const KeyBatch& batch) const {
  return absl::StrCat("SELECT k.n FROM ", batch.Sql(), ", ", parent_sql_, " p WHERE ",
                      EqualToBatch(*parent_, facts_->parent_columns, "p"));
}

// What spares reading all of a table, where the owner is in the row itself: a path may lead nowhere
// just because of what is being looked for.
std::string ForeignKeyCheck::OfTenantSql(const PgTable& table) const {
  const PgTablePlan* const plan = map_->Find(absl::StrCat(table.oid));
  return plan != nullptr && plan->by_own_column() ? map_->OwnedBySql(*plan, tenant_) : "true";
}

// That p is the parent of t.
std::string ForeignKeyCheck::EqualSql() const {
  std::vector<std::string> equal;
  for (size_t i = 0; i < facts_->child_columns.size(); ++i) {
    equal.push_back(absl::StrCat(ColumnSql(*parent_, "p", facts_->parent_columns[i]), " = ",
                                 ColumnSql(*child_, "t", facts_->child_columns[i])));
  }
  return absl::StrJoin(equal, " AND ");
}

std::string ForeignKeyCheck::NeededSql(const std::string& xid) const {
  const std::string ours = absl::StrCat("xmin = ", CastLiteral(xid, "xid"));
  return SelectKeys(
      *child_, child_sql_, facts_->child_columns,
      absl::StrCat(OfTenantSql(*child_), " AND t.", ours, " AND NOT EXISTS (SELECT FROM ",
                   parent_sql_, " p WHERE p.", ours, " AND ", EqualSql(), ")"));
}

std::string ForeignKeyCheck::OrphansBeforeSql(const std::string& xid) const {
  return SelectKeys(
      *child_, child_sql_, facts_->child_columns,
      absl::StrCat(OfTenantSql(*child_), " AND t.xmax = ", CastLiteral(xid, "xid"),
                   " AND NOT EXISTS (SELECT FROM ", parent_sql_, " p WHERE ", EqualSql(), ")"));
}

std::string ForeignKeyCheck::RemovedSql(const std::string& xid) const {
  return SelectKeys(*parent_, parent_sql_, facts_->parent_columns,
                    absl::StrCat(OfTenantSql(*parent_), " AND t.xmax = ", CastLiteral(xid, "xid")));
}

absl::Status ForeignKeyCheck::CheckParents(const CheckConnections& connections) {
  if (may_be_partial_) {
    RETURN_IF_ERROR(CheckFull(connections));
  }
  const auto check = [&](const Keys& batch) { return CheckParentBatch(batch, connections); };
  return needed_.overflown() ? ForEachBatch(connections.main, "list the parents of restored rows",
                                            NeededSql(connections.xid), check)
                             : ForEachBatch(needed_, check);
}

// MATCH FULL: all columns are NULL, or none.
absl::Status ForeignKeyCheck::CheckFull(const CheckConnections& connections) const {
  std::vector<std::string> columns;
  for (const PgAttnum number : facts_->child_columns) {
    columns.push_back(ColumnSql(*child_, "t", number));
  }
  ASSIGN_OR_RETURN(
      const PgResult partial,
      QueryIn(connections.main, PlanMode::kWhole, "look for rows that refer to half a key",
              absl::StrCat("SELECT pg_catalog.count(*) FROM ", child_sql_, " t WHERE ",
                           OfTenantSql(*child_), " AND t.xmin = ",
                           CastLiteral(connections.xid, "xid"), " AND pg_catalog.num_nulls(",
                           absl::StrJoin(columns, ", "), ") BETWEEN 1 AND ", columns.size() - 1)));
  if (partial.GetInt(0, 0) == 0) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kKeyConflict,
                   absl::StrCat(partial.GetInt(0, 0), " rows of table ", child_->DisplayName(),
                                " have only a part of the columns of foreign key ", facts_->name,
                                ", which is MATCH FULL; leave the table out"));
}

absl::Status ForeignKeyCheck::CheckParentBatch(const Keys& batch,
                                               const CheckConnections& connections) {
  constexpr std::string_view kDoing = "lock the rows that restored rows refer to";
  const size_t columns = facts_->parent_columns.size();
  ASSIGN_OR_RETURN(const KeyBatch keys, MakeBatch(columns, batch));
  ASSIGN_OR_RETURN(const PgResult locked,
                   QueryIn(connections.main, PlanMode::kProbe, kDoing,
                           absl::StrCat(FindParents(keys), " FOR KEY SHARE OF p")));
  Keys missing = NotAmong(batch, locked);
  std::erase_if(missing, [this](const auto& key) { return orphans_before_.keys().contains(key); });
  if (missing.empty() || may_orphan_) {
    missing_parents_ += static_cast<int64_t>(missing.size());
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const KeyBatch missing_keys, MakeBatch(columns, missing));
  ASSIGN_OR_RETURN(PgConnection* const second, connections.Second());
  ASSIGN_OR_RETURN(const PgResult now,
                   QueryIn(second, PlanMode::kProbe, kDoing, FindParents(missing_keys)));
  const size_t gone = NotAmong(missing, now).size();
  if (gone == 0) {
    return MakeError(Reason::kLiveChanged,
                     absl::StrCat("rows of table ", parent_->DisplayName(),
                                  " that restored rows need came after the restore began"));
  }
  return OfMissing(gone);
}

absl::Status ForeignKeyCheck::OfMissing(size_t parents) const {
  const PgTablePlan* const plan = map_->Find(absl::StrCat(parent_->oid));
  const bool in_snapshots = plan != nullptr && plan->relation == Relation::kOwned;
  return MakeError(
      Reason::kKeyConflict,
      absl::StrCat(MissingRowsText(child_->DisplayName(), static_cast<int64_t>(parents),
                                   parent_->DisplayName()),
                   " (foreign key ", facts_->name, ")",
                   Absl(in_snapshots ? "; bring those back first" : kRowsOfNobody),
                   ", or leave the table out",
                   facts_->validated ? ""
                                     : "; since the key is NOT VALID, orphans in the configuration "
                                       "of the store can allow it"));
}

// The rows that were written hold also those which were changed in something else than the key.
absl::Status ForeignKeyCheck::ListOrphansBefore(const CheckConnections& connections) {
  ASSIGN_OR_RETURN(PgConnection* const second, connections.Second());
  return ForEachBatch(second, "look for rows that had no parent", OrphansBeforeSql(connections.xid),
                      [this](const Keys& batch) {
                        for (const std::string& key : batch) {
                          orphans_before_.Insert(key);
                        }
                        return absl::OkStatus();
                      });
}

absl::Status ForeignKeyCheck::CheckChildren(const CheckConnections& connections) {
  if (!facts_->validated && !may_orphan_ && needed_.overflown()) {
    RETURN_IF_ERROR(ListOrphansBefore(connections));
  }
  const auto check = [&](const Keys& batch) { return CheckChildBatch(batch, connections); };
  if (!removed_.overflown()) {
    return ForEachBatch(removed_, check);
  }
  ASSIGN_OR_RETURN(PgConnection* const second, connections.Second());
  return ForEachBatch(second, "list the deleted rows", RemovedSql(connections.xid), check);
}

absl::Status ForeignKeyCheck::CheckChildBatch(const Keys& batch,
                                              const CheckConnections& connections) const {
  constexpr std::string_view kDoing = "look for rows that refer to deleted ones";
  const size_t columns = facts_->parent_columns.size();
  ASSIGN_OR_RETURN(const KeyBatch keys, MakeBatch(columns, batch));
  // What was written again, with the same values, is not gone.
  ASSIGN_OR_RETURN(const PgResult still,
                   QueryIn(connections.main, PlanMode::kProbe, kDoing, FindParents(keys)));
  const Keys gone = NotAmong(batch, still);
  if (gone.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const KeyBatch gone_keys, MakeBatch(columns, gone));
  const std::string children =
      absl::StrCat("SELECT pg_catalog.count(*) FROM ", gone_keys.Sql(), ", ", child_sql_,
                   " c WHERE ", EqualToBatch(*child_, facts_->child_columns, "c"));
  const PlanMode mode = ModeFor(*child_, facts_->child_columns);
  ASSIGN_OR_RETURN(const PgResult seen, QueryIn(connections.main, mode, kDoing, children));
  if (seen.GetInt(0, 0) > 0) {
    return MakeError(Reason::kKeyConflict,
                     absl::StrCat(seen.GetInt(0, 0), " rows of table ", child_->DisplayName(),
                                  " refer to rows of table ", parent_->DisplayName(),
                                  " that the restore deletes (foreign key ", facts_->name,
                                  "); they belong to somebody else or to a table left out"));
  }
  // Rows that we deleted or changed are still there for others, under our number.
  ASSIGN_OR_RETURN(PgConnection* const second, connections.Second());
  ASSIGN_OR_RETURN(
      const PgResult raced,
      QueryIn(second, mode, kDoing,
              absl::StrCat(children, " AND c.xmax <> ", CastLiteral(connections.xid, "xid"))));
  if (raced.GetInt(0, 0) > 0) {
    return MakeError(Reason::kLiveChanged,
                     absl::StrCat("the application added rows to table ", child_->DisplayName(),
                                  " that refer to rows of table ", parent_->DisplayName(),
                                  " which the restore deletes"));
  }
  return absl::OkStatus();
}

}  // namespace reinstate
