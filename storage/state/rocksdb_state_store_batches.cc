// The part of RocksDbStateStore that is about batches.

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/state/rocksdb_state_store.h"
#include "storage/state/state_records.h"

namespace reinstate {
namespace {

constexpr absl::Duration kDryRunsKept = absl::Hours(24);

bool IsUnfinished(const state::BatchRecord& batch) {
  switch (batch.state()) {
    case state::BATCH_PLANNED:
    case state::BATCH_SUCCEEDED:
    case state::BATCH_PARTLY_FAILED:
    case state::BATCH_CANCELLED:
      return false;
    default:
      return true;
  }
}

// Visits the records of a batch's lines in their order.
absl::Status ScanLines(
    const StateDatabase& database, const std::string& batch,
    const std::function<absl::Status(std::string_view key, std::string_view value)>& visit) {
  const std::string prefix = StateKeys::BatchLinePrefix(batch);
  return database.Scan(StateFamily::kBatchLines, StateDatabase::Order::kAscending, prefix,
                       [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
                         if (key.substr(0, prefix.size()) != prefix) {
                           return false;
                         }
                         RETURN_IF_ERROR(visit(key, value));
                         return true;
                       });
}

}  // namespace

absl::StatusOr<std::vector<state::RestoreRecord>> RocksDbStateStore::AddParts(
    const std::string& batch, const BatchParts& parts, ChangeSet* change) const {
  for (const state::BatchLine& line : parts.lines) {
    change->Put(StateFamily::kBatchLines,
                StateKeys::ForBatchLine(batch, static_cast<uint64_t>(line.number())), line);
  }
  std::vector<state::RestoreRecord> stored;
  stored.reserve(parts.restores.size());
  for (const state::RestoreRecord& restore : parts.restores) {
    ASSIGN_OR_RETURN(state::RestoreRecord record, AddRestore(restore, change));
    stored.push_back(std::move(record));
  }
  return stored;
}

absl::StatusOr<Created> RocksDbStateStore::CreateBatch(const RequestKey& request,
                                                       const state::BatchRecord& batch,
                                                       const BatchParts& parts,
                                                       const AuditDraft& audit) {
  if (batch.id().empty()) {
    return MakeError(Reason::kInternal, "a new batch has no id");
  }
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const auto earlier, requests_.Find(request, Now()));
  if (earlier.has_value()) {
    return Created{*earlier, true};
  }
  state::BatchRecord stored = batch;
  stored.set_created_us(NowUs());
  stored.set_revision(1);
  ChangeSet change;
  change.Put(StateFamily::kBatches, StateKeys::ForId(stored.id()), stored);
  ASSIGN_OR_RETURN(const auto restores, AddParts(stored.id(), parts, &change));
  requests_.Add(request, stored.id(), Now(), &change);
  audit_.Append(audit, Now(), &change);
  RETURN_IF_ERROR(database_->Commit(change));
  for (const state::RestoreRecord& restore : restores) {
    index_.Update(restore);
  }
  return Created{stored.id(), false};
}

absl::StatusOr<state::BatchRecord> RocksDbStateStore::GetBatch(const std::string& id) const {
  auto batch = GetById<state::BatchRecord>(*database_, StateFamily::kBatches, id,
                                           Reason::kBatchNotFound, "batch");
  return HasReason(batch.status(), Reason::kBatchNotFound)
             ? MakeError(Reason::kBatchNotFound,
                         absl::StrCat(batch.status().message(), "; dry runs are kept for a day"))
             : std::move(batch);
}

absl::StatusOr<std::vector<state::BatchRecord>> RocksDbStateStore::ListBatches(
    const std::string& after, int64_t limit) const {
  return ListNewestFirst<state::BatchRecord>(*database_, StateFamily::kBatches, after, limit,
                                             [](const state::BatchRecord&) { return true; });
}

absl::StatusOr<std::vector<state::BatchRecord>> RocksDbStateStore::UnfinishedBatches() const {
  return ListAll<state::BatchRecord>(*database_, StateFamily::kBatches, IsUnfinished);
}

absl::StatusOr<std::vector<state::BatchLine>> RocksDbStateStore::BatchLines(
    const std::string& id) const {
  std::vector<state::BatchLine> lines;
  RETURN_IF_ERROR(
      ScanLines(*database_, id, [&](std::string_view, std::string_view value) -> absl::Status {
        ASSIGN_OR_RETURN(state::BatchLine line,
                         ParseRecord<state::BatchLine>(StateFamily::kBatchLines, value));
        lines.push_back(std::move(line));
        return absl::OkStatus();
      }));
  return lines;
}

absl::StatusOr<state::BatchRecord> RocksDbStateStore::UpdateBatch(
    const std::string& id, const std::function<absl::Status(state::BatchRecord*)>& change,
    const BatchParts& parts, const std::optional<AuditDraft>& audit) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const state::BatchRecord stored, GetBatch(id));
  state::BatchRecord next = stored;
  RETURN_IF_ERROR(change(&next));
  next.set_id(id);
  next.set_revision(stored.revision() + 1);
  ChangeSet changes;
  changes.Put(StateFamily::kBatches, StateKeys::ForId(id), next);
  ASSIGN_OR_RETURN(const auto restores, AddParts(id, parts, &changes));
  if (audit.has_value()) {
    audit_.Append(*audit, Now(), &changes);
  }
  RETURN_IF_ERROR(database_->Commit(changes));
  for (const state::RestoreRecord& restore : restores) {
    index_.Update(restore);
  }
  return next;
}

absl::Status RocksDbStateStore::RemoveDryRuns(ChangeSet* change) const {
  const absl::Time before = Now() - kDryRunsKept;
  ASSIGN_OR_RETURN(const auto over,
                   ListAll<state::BatchRecord>(
                       *database_, StateFamily::kBatches, [&](const state::BatchRecord& batch) {
                         return batch.order().dry_run() && !IsUnfinished(batch) &&
                                absl::FromUnixMicros(batch.created_us()) <= before;
                       }));
  for (const state::BatchRecord& batch : over) {
    change->Delete(StateFamily::kBatches, StateKeys::ForId(batch.id()));
    RETURN_IF_ERROR(ScanLines(*database_, batch.id(), [&](std::string_view key, std::string_view) {
      change->Delete(StateFamily::kBatchLines, std::string(key));
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

}  // namespace reinstate
