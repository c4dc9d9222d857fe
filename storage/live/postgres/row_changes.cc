#include "storage/live/postgres/row_changes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/write_refusal.h"
#include "storage/model/key_text.h"

namespace reinstate {
namespace {

constexpr size_t kBufferBytes = 4 << 20;
constexpr size_t kRowOverhead = 100;
constexpr size_t kLineBytes = 128 << 10;
// Replacements of a table whose unique values may change places are looked at all at once. Beyond
// so many, by one session at a time.
constexpr size_t kReplacedByEachBytes = 16 << 20;
constexpr size_t kReplacedAtOnceBytes = 256 << 20;
constexpr absl::Duration kLargePatience = absl::Minutes(2);
// How far the server may be behind with the lines of COPY, so that an error can name its row.
constexpr size_t kKeysOfLines = 20'000;

std::string Writing(const WriteTarget& target) {
  return absl::StrCat("write rows of table ", target.table->DisplayName());
}

}  // namespace

RowChanges::RowChanges(Parts parts, TenantId tenant)
    : parts_(std::move(parts)), tenant_(std::move(tenant)), keyed_(parts_.connection) {}

RowChanges::~RowChanges() {
  if (keeps_many_) {
    parts_.large->Return();
  }
}

absl::StatusOr<RowChanges::Written*> RowChanges::WrittenFor(const PgTablePlan& plan,
                                                            ChangeKind kind) {
  Written& written = written_[plan.table];
  if (written.target == nullptr) {
    const PgTable& table = parts_.map->Table(plan);
    written.target = WriteTarget::Make(parts_.map, plan, tenant_);
    written.write_refusal = WriteRefusal(parts_.map->catalog(), table, parts_.may_fire);
    written.replace_refusal = ReplaceRefusal(table);
  }
  const std::string& refusal = !written.write_refusal.empty() || kind == ChangeKind::kInsert
                                   ? written.write_refusal
                                   : written.replace_refusal;
  if (refusal.empty()) {
    return &written;
  }
  const PgTable& table = *written.target->table;
  return MakeError(RefusalReason(table),
                   absl::StrCat("table ", table.DisplayName(), ": ", refusal));
}

absl::Status RowChanges::Note(Written* written, const Change& change) {
  const WriteTarget& target = *written->target;
  if (change.kind != ChangeKind::kDelete) {
    SplitCopyLine(change.new_payload, &after_);
    ASSIGN_OR_RETURN(const bool says_owner, target.SaysOwner(after_));
    written->says_owner = written->says_owner && says_owner;
    const bool follows = change.kind == ChangeKind::kInsert && !target.step_fields.empty() &&
                         JoinFields(after_, target.step_fields, &joined_);
    written->follows = written->follows && follows;
    ++written->rows;
  }
  const PgOid table = target.table->oid;
  if (!parts_.checks->Concerns(table)) {
    return absl::OkStatus();
  }
  if (change.kind == ChangeKind::kInsert) {
    parts_.checks->NoteInserted(table, after_);
    return absl::OkStatus();
  }
  SplitCopyLine(change.old_payload, &before_);
  if (before_.size() != target.columns.size()) {
    return target.NotAsSaid();
  }
  if (change.kind == ChangeKind::kReplace) {
    parts_.checks->NoteReplaced(table, before_, after_);
  } else {
    parts_.checks->NoteDeleted(table, before_);
  }
  return absl::OkStatus();
}

void RowChanges::Buffer(const WriteTarget* target, const Change& change) {
  if (groups_.empty() || groups_.back().target != target || groups_.back().kind != change.kind) {
    groups_.push_back({.target = target, .kind = change.kind});
  }
  Group& group = groups_.back();
  size_t bytes = change.new_payload.size() + 1;
  if (change.kind == ChangeKind::kInsert) {
    group.lines.append(change.new_payload).push_back('\n');
    ++group.line_count;
    if (target->has_exclusive_values()) {
      group.keys.push_back(change.key);
    }
  } else {
    bytes += change.key.bytes().size() + change.old_payload.size() + kRowOverhead;
    group.rows.push_back(
        {.key = change.key, .old_payload = change.old_payload, .new_payload = change.new_payload});
  }
  group.bytes += bytes;
  bytes_ += bytes;
}

absl::Status RowChanges::Add(const PgTablePlan& plan, const Change& change) {
  any_ = true;
  ASSIGN_OR_RETURN(Written* const written, WrittenFor(plan, change.kind));
  RETURN_IF_ERROR(Note(written, change));
  const WriteTarget* const target = written->target.get();
  if (change.kind == ChangeKind::kInsert && copying_ == target) {
    if (target->has_exclusive_values()) {
      NoteCopied(change.key);
    }
    return PutLine(change.new_payload);
  }
  if (copying_ != nullptr) {
    RETURN_IF_ERROR(EndCopy());
  }
  Buffer(target, change);
  if (bytes_ < kBufferBytes) {
    return absl::OkStatus();
  }
  const Group& last = groups_.back();
  if (last.kind == ChangeKind::kReplace && target->has_exclusive_values()) {
    RETURN_IF_ERROR(KeepReplacements());
    return SendAll(/*but_last=*/true);
  }
  return SendAll(/*but_last=*/false);
}

// What is kept of the last group is within the bounds of all sessions together.
absl::Status RowChanges::KeepReplacements() {
  const Group& last = groups_.back();
  if (last.bytes >= kReplacedAtOnceBytes) {
    return MakeError(Reason::kTooLarge,
                     absl::StrCat("too many rows of table ", last.target->table->DisplayName(),
                                  " with unique values are to be replaced at once"));
  }
  if (last.bytes >= kReplacedByEachBytes && !keeps_many_ && parts_.large != nullptr) {
    RETURN_IF_ERROR(parts_.large->Borrow(kLargePatience, *parts_.connection));
    keeps_many_ = true;
  }
  return absl::OkStatus();
}

std::set<PgOid> RowChanges::Tables() const {
  std::set<PgOid> tables;
  for (const auto& [table, written] : written_) {
    tables.insert(table);
  }
  return tables;
}

absl::Status RowChanges::Flush() {
  RETURN_IF_ERROR(SendAll(/*but_last=*/false));
  return copying_ == nullptr ? absl::OkStatus() : EndCopy();
}

absl::Status RowChanges::SendAll(bool but_last) {
  const size_t kept = but_last ? 1 : 0;
  while (groups_.size() > kept) {
    if (copying_ != nullptr) {
      RETURN_IF_ERROR(EndCopy());
    }
    if (copying_ == nullptr) {
      RETURN_IF_ERROR(StartCopies(NextInsertions(kept)));
    }
    Group group = std::move(groups_.front());
    groups_.pop_front();
    bytes_ -= group.bytes;
    RETURN_IF_ERROR(Send(&group));
  }
  if (groups_.empty() && keeps_many_) {
    parts_.large->Return();
    keeps_many_ = false;
  }
  return absl::OkStatus();
}

absl::Status RowChanges::CheckOwners(const std::function<PlanMode(const PgTablePlan&)>& mode_for) {
  for (const auto& [oid, written] : written_) {
    if (written.says_owner) {
      continue;
    }
    const PgTablePlan& plan = *written.target->plan;
    // Those belong to whom their parents do, which are looked at themselves.
    if (written.follows && parts_.checks->ParentsAreWritten(oid, plan.path.front())) {
      continue;
    }
    RETURN_IF_ERROR(CheckOwnersIn(written, mode_for(plan)));
  }
  return absl::OkStatus();
}

// Of what the transaction wrote, the tenant's rows are counted: what they lack to all that was
// written is somebody else's. Triggers that may fire can have written more.
absl::Status RowChanges::CheckOwnersIn(const Written& written, PlanMode mode) {
  const WriteTarget& target = *written.target;
  const std::string table = target.table->DisplayName();
  ASSIGN_OR_RETURN(
      const PgResult counted,
      QueryIn(parts_.connection, mode,
              absl::StrCat("look whose the written rows of table ", table, " are"),
              absl::StrCat("SELECT pg_catalog.count(*) FROM ", parts_.map->FromSql(*target.plan),
                           " WHERE ", parts_.map->OwnedBySql(*target.plan, tenant_),
                           " AND t.xmin = pg_catalog.pg_current_xact_id()::xid")));
  const int64_t missing = written.rows - counted.GetInt(0, 0);
  if (missing <= 0) {
    return absl::OkStatus();
  }
  if (target.plan->by_own_column()) {
    return MakeError(Reason::kInternal, absl::StrCat(missing, " rows for table ", table,
                                                     " are not the tenant's; nothing was changed"));
  }
  return MakeError(
      Reason::kKeyConflict,
      absl::StrCat(missing, " rows for table ", table, " would not be the tenant's, since what ",
                   "they belong to is somebody else's now (", target.plan->how,
                   "); nothing was changed. Give it back to the tenant, or leave the table out"));
}

absl::Status RowChanges::Send(Group* group) {
  if (group->kind == ChangeKind::kDelete) {
    return keyed_.Delete(*group->target, group->rows);
  }
  if (group->kind == ChangeKind::kReplace) {
    std::vector<std::string> to_insert;
    RETURN_IF_ERROR(
        OfTakenKey(*group->target, keyed_.Replace(*group->target, group->rows, &to_insert),
                   absl::StrCat("one of ", group->rows.size(), " rows from row ",
                                PrintableKey(group->rows.front().key.bytes()), " to row ",
                                PrintableKey(group->rows.back().key.bytes()))));
    for (const std::string& line : to_insert) {
      group->lines.append(line).push_back('\n');
      ++group->line_count;
      ASSIGN_OR_RETURN(RowKey key, group->target->codec.KeyOf(line));
      group->keys.push_back(std::move(key));
    }
    if (to_insert.empty()) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(StartCopies({group->target}));
  }
  // The COPY is left open, since more insertions may come.
  copied_ = group->line_count;
  copied_keys_.clear();
  for (RowKey& key : group->keys) {
    NoteCopied(std::move(key));
  }
  return OfTakenKey(*group->target, parts_.connection->PutLines(group->lines));
}

// Where the groups insert that are sent next, up to the first that does something else.
std::deque<const WriteTarget*> RowChanges::NextInsertions(size_t kept) const {
  std::deque<const WriteTarget*> targets;
  for (size_t i = 0; i + kept < groups_.size() && groups_[i].kind == ChangeKind::kInsert; ++i) {
    targets.push_back(groups_[i].target);
  }
  return targets;
}

absl::Status RowChanges::StartCopies(std::deque<const WriteTarget*> targets) {
  if (targets.empty()) {
    return absl::OkStatus();
  }
  std::vector<std::string> statements;
  statements.reserve(targets.size());
  for (const WriteTarget* const target : targets) {
    statements.push_back(absl::StrCat("COPY ", target->table->Sql(), " (",
                                      parts_.map->ColumnListSql(*target->plan), ") FROM STDIN"));
  }
  RETURN_IF_ERROR(
      parts_.connection->StartCopyIn(Writing(*targets.front()), absl::StrJoin(statements, "; ")));
  copying_ = targets.front();
  targets.pop_front();
  next_copies_ = std::move(targets);
  return absl::OkStatus();
}

absl::Status RowChanges::PutLine(const std::string& line) {
  ++copied_;
  lines_.append(line).push_back('\n');
  if (lines_.size() < kLineBytes) {
    return absl::OkStatus();
  }
  const absl::Status status = parts_.connection->PutLines(lines_);
  lines_.clear();
  return OfTakenKey(*copying_, status);
}

absl::Status RowChanges::EndCopy() {
  const WriteTarget& target = *std::exchange(copying_, nullptr);
  RETURN_IF_ERROR(
      OfTakenKey(target, parts_.connection->PutLines(std::exchange(lines_, std::string()))));
  const absl::StatusOr<int64_t> rows =
      next_copies_.empty() ? parts_.connection->EndCopyIn()
                           : parts_.connection->NextCopyIn(Writing(*next_copies_.front()));
  RETURN_IF_ERROR(OfTakenKey(target, rows.status()));
  if (*rows != copied_) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("the server took ", *rows, " of ", copied_, " rows for table ",
                                  target.table->DisplayName()));
  }
  if (!next_copies_.empty()) {
    copying_ = next_copies_.front();
    next_copies_.pop_front();
  }
  return absl::OkStatus();
}

void RowChanges::NoteCopied(RowKey key) {
  copied_keys_.push_back(std::move(key));
  if (copied_keys_.size() > kKeysOfLines) {
    copied_keys_.pop_front();
  }
}

// Lines that were put are counted before they are sent, and noted with that.
std::string RowChanges::RowOfLine(int64_t line) const {
  const int64_t place = line - 1 - (copied_ - static_cast<int64_t>(copied_keys_.size()));
  if (line <= 0 || place < 0 || place >= static_cast<int64_t>(copied_keys_.size())) {
    return "a row";
  }
  return absl::StrCat("row ", PrintableKey(copied_keys_[static_cast<size_t>(place)].bytes()));
}

absl::Status RowChanges::OfTakenKey(const WriteTarget& target, const absl::Status& status,
                                    const std::string& row) const {
  if (!HasReason(status, Reason::kKeyConflict)) {
    return status;
  }
  if (const std::string& constraint = parts_.connection->server_error().constraint;
      !target.IsKey(constraint)) {
    return MakeError(
        Reason::kKeyConflict,
        absl::StrCat(row.empty() ? RowOfLine(parts_.connection->server_error().copy_line) : row,
                     " for table ", target.table->DisplayName(),
                     " has a value that another row has by now, somebody else's or a newer one of "
                     "the tenant (",
                     constraint, "); change or delete that one, or leave the table out"));
  }
  return MakeError(Reason::kLiveChanged,
                   absl::StrCat("a key of table ", target.table->DisplayName(),
                                " that was free has been taken"));
}

}  // namespace reinstate
