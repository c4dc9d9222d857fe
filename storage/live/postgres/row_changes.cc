#include "storage/live/postgres/row_changes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/write_refusal.h"

namespace reinstate {
namespace {

constexpr size_t kBufferBytes = 4 << 20;
constexpr size_t kRowOverhead = 100;
constexpr size_t kLineBytes = 128 << 10;
// Replacements of a table whose unique values may change places are looked at all at once.
constexpr size_t kReplacedAtOnceBytes = 256 << 20;

}  // namespace

RowChanges::RowChanges(Parts parts, TenantId tenant)
    : parts_(std::move(parts)), tenant_(std::move(tenant)), keyed_(parts_.connection) {}

absl::StatusOr<const WriteTarget*> RowChanges::TargetFor(const PgTablePlan& plan) {
  std::unique_ptr<const WriteTarget>& target = targets_[plan.table];
  if (target == nullptr) {
    const PgTable& table = parts_.map->Table(plan);
    if (const std::string refusal = WriteRefusal(table, parts_.may_fire); !refusal.empty()) {
      return MakeError(Reason::kUnsupported,
                       absl::StrCat("table ", table.DisplayName(), ": ", refusal));
    }
    target = WriteTarget::Make(parts_.map, plan, tenant_);
  }
  return target.get();
}

absl::Status RowChanges::Note(const WriteTarget& target, const Change& change) {
  if (change.kind != ChangeKind::kDelete) {
    SplitCopyLine(change.new_payload, &after_);
    RETURN_IF_ERROR(target.CheckOwner(after_));
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
  ASSIGN_OR_RETURN(const WriteTarget* const target, TargetFor(plan));
  RETURN_IF_ERROR(Note(*target, change));
  if (change.kind == ChangeKind::kInsert && copying_ == target) {
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
  if (last.kind == ChangeKind::kReplace && !target->unique_fields.empty()) {
    if (last.bytes >= kReplacedAtOnceBytes) {
      return MakeError(Reason::kTooLarge,
                       absl::StrCat("too many rows of table ", target->table->DisplayName(),
                                    " with unique values are to be replaced at once"));
    }
    return SendAll(/*but_last=*/true);
  }
  return SendAll(/*but_last=*/false);
}

std::set<PgOid> RowChanges::Tables() const {
  std::set<PgOid> tables;
  for (const auto& [table, target] : targets_) {
    tables.insert(table);
  }
  return tables;
}

absl::Status RowChanges::Flush() {
  RETURN_IF_ERROR(SendAll(/*but_last=*/false));
  return copying_ == nullptr ? absl::OkStatus() : EndCopy();
}

absl::Status RowChanges::SendAll(bool but_last) {
  while (groups_.size() > (but_last ? 1 : 0)) {
    if (copying_ != nullptr) {
      RETURN_IF_ERROR(EndCopy());
    }
    Group group = std::move(groups_.front());
    groups_.pop_front();
    bytes_ -= group.bytes;
    RETURN_IF_ERROR(Send(&group));
  }
  return absl::OkStatus();
}

absl::Status RowChanges::Send(Group* group) {
  if (group->kind == ChangeKind::kDelete) {
    return keyed_.Delete(*group->target, group->rows);
  }
  if (group->kind == ChangeKind::kReplace) {
    std::vector<std::string> to_insert;
    RETURN_IF_ERROR(
        OfTakenKey(*group->target, keyed_.Replace(*group->target, group->rows, &to_insert)));
    for (const std::string& line : to_insert) {
      group->lines.append(line).push_back('\n');
      ++group->line_count;
    }
    if (to_insert.empty()) {
      return absl::OkStatus();
    }
  }
  // The COPY is left open, since more insertions may come.
  RETURN_IF_ERROR(StartCopy(group->target));
  copied_ = group->line_count;
  return OfTakenKey(*group->target, parts_.connection->PutLines(group->lines));
}

absl::Status RowChanges::StartCopy(const WriteTarget* target) {
  RETURN_IF_ERROR(parts_.connection->StartCopyIn(
      absl::StrCat("write rows of table ", target->table->DisplayName()),
      absl::StrCat("COPY ", target->table->Sql(), " (", parts_.map->ColumnListSql(*target->plan),
                   ") FROM STDIN")));
  copying_ = target;
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
  const absl::StatusOr<int64_t> rows = parts_.connection->EndCopyIn();
  RETURN_IF_ERROR(OfTakenKey(target, rows.status()));
  if (*rows != copied_) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("the server took ", *rows, " of ", copied_, " rows for table ",
                                  target.table->DisplayName()));
  }
  return absl::OkStatus();
}

absl::Status RowChanges::OfTakenKey(const WriteTarget& target, const absl::Status& status) const {
  if (!HasReason(status, Reason::kKeyConflict) ||
      !target.IsKey(parts_.connection->server_error().constraint)) {
    return status;
  }
  return MakeError(Reason::kLiveChanged,
                   absl::StrCat("a key of table ", target.table->DisplayName(),
                                " that was free has been taken"));
}

}  // namespace reinstate
