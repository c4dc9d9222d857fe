// The part of RocksDbStateStore that is about restores.

#include <algorithm>
#include <utility>

#include "storage/state/job_state_words.h"
#include "storage/state/rocksdb_state_store.h"
#include "storage/state/state_records.h"

namespace reinstate {
namespace {

bool Matches(const RestoreFilter& filter, const state::RestoreRecord& record) {
  return (filter.store.empty() || record.order().store() == filter.store) &&
         (filter.tenant.empty() || record.order().tenant() == filter.tenant) &&
         (filter.states.empty() || std::find(filter.states.begin(), filter.states.end(),
                                             record.state()) != filter.states.end());
}

absl::Status RestoreHasEnded(const std::string& id) {
  return MakeError(Reason::kInternal, absl::StrCat("restore ", id, " has ended already"));
}

}  // namespace

absl::StatusOr<state::RestoreRecord> RocksDbStateStore::GetRestore(const std::string& id) const {
  return GetById<state::RestoreRecord>(*database_, StateFamily::kRestores, id,
                                       Reason::kRestoreNotFound, "restore");
}

absl::Status RocksDbStateStore::CheckUndoable(const std::string& restore) const {
  ASSIGN_OR_RETURN(const state::RestoreRecord record, GetRestore(restore));
  if (record.state() == state::UNDONE) {
    return MakeError(
        Reason::kNotUndoable,
        absl::StrCat("restore ", restore, " was undone already, by ", record.undone_by()));
  }
  if (record.state() != state::SUCCEEDED) {
    return MakeError(Reason::kNotUndoable,
                     absl::StrCat("restore ", restore, " is ", JobStateWords(record.state()),
                                  "; only one that has succeeded can be undone"));
  }
  if (const auto under_way = index_.UndoUnderWay(restore); under_way.has_value()) {
    return MakeError(Reason::kNotUndoable,
                     absl::StrCat("restore ", restore, " is being undone by ", *under_way));
  }
  return absl::OkStatus();
}

absl::StatusOr<state::RestoreRecord> RocksDbStateStore::AddRestore(
    const state::RestoreRecord& record, ChangeSet* change) const {
  if (record.id().empty()) {
    return MakeError(Reason::kInternal, "a new restore has no id");
  }
  if (!record.order().undo_of().empty()) {
    RETURN_IF_ERROR(CheckUndoable(record.order().undo_of()));
  }
  state::RestoreRecord stored = record;
  stored.set_state(state::QUEUED);
  stored.set_created_us(NowUs());
  stored.set_revision(1);
  change->Put(StateFamily::kRestores, StateKeys::ForId(stored.id()), stored);
  return stored;
}

absl::StatusOr<Created> RocksDbStateStore::CreateRestore(const RequestKey& request,
                                                         const state::RestoreRecord& record,
                                                         const AuditDraft& audit) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const auto earlier, requests_.Find(request, Now()));
  if (earlier.has_value()) {
    return Created{*earlier, true};
  }
  ChangeSet change;
  ASSIGN_OR_RETURN(const state::RestoreRecord stored, AddRestore(record, &change));
  requests_.Add(request, stored.id(), Now(), &change);
  audit_.Append(audit, Now(), &change);
  RETURN_IF_ERROR(database_->Commit(change));
  index_.Update(stored);
  return Created{stored.id(), false};
}

absl::StatusOr<std::vector<state::RestoreRecord>> RocksDbStateStore::ListRestores(
    const RestoreFilter& filter, const std::string& after, int64_t limit) const {
  return ListNewestFirst<state::RestoreRecord>(
      *database_, StateFamily::kRestores, after, limit,
      [&](const state::RestoreRecord& record) { return Matches(filter, record); });
}

absl::StatusOr<std::vector<state::RestoreRecord>> RocksDbStateStore::GetRestores(
    const std::vector<std::string>& ids) const {
  std::vector<state::RestoreRecord> records;
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(state::RestoreRecord record, GetRestore(id));
    records.push_back(std::move(record));
  }
  return records;
}

absl::StatusOr<std::vector<state::RestoreRecord>> RocksDbStateStore::UnfinishedRestores() const {
  return GetRestores(index_.Unfinished());
}

absl::StatusOr<state::RestoreRecord> RocksDbStateStore::UpdateRestore(
    const std::string& id, const std::function<absl::Status(state::RestoreRecord*)>& change) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const state::RestoreRecord stored, GetRestore(id));
  state::RestoreRecord next = stored;
  RETURN_IF_ERROR(change(&next));
  if (HasEnded(stored.state()) || HasEnded(next.state())) {
    return RestoreHasEnded(id);
  }
  next.set_id(id);
  next.set_revision(stored.revision() + 1);
  ChangeSet changes;
  changes.Put(StateFamily::kRestores, StateKeys::ForId(id), next);
  RETURN_IF_ERROR(database_->Commit(changes));
  index_.Update(next);
  return next;
}

// --- Undo ---

absl::Status RocksDbStateStore::AppendUndo(const std::string& restore, int64_t chunk,
                                           std::string_view rows) {
  if (chunk == 0) {
    ASSIGN_OR_RETURN(const bool has, undo_.HasChunks(restore));
    if (has) {
      RETURN_IF_ERROR(DiscardUndo(restore));
    }
  }
  return undo_.Append(restore, chunk, rows);
}

absl::Status RocksDbStateStore::DiscardUndo(const std::string& restore) {
  MutexLock lock(&mu_);
  ChangeSet change;
  RETURN_IF_ERROR(undo_.DeleteAll(restore, &change));
  if (!change.records().empty()) {
    RETURN_IF_ERROR(database_->Commit(change));
  }
  undo_.Forget(restore);
  return absl::OkStatus();
}

absl::Status RocksDbStateStore::ReadUndo(
    const std::string& restore,
    const std::function<absl::Status(const state::UndoChunk&)>& visit) const {
  ASSIGN_OR_RETURN(const state::RestoreRecord record, GetRestore(restore));
  if (!record.has_intent()) {
    return MakeError(Reason::kNotUndoable,
                     absl::StrCat("restore ", restore, " has changed nothing to undo"));
  }
  return undo_.Read(restore, record.intent(), visit);
}

// --- The commit protocol ---

absl::Status RocksDbStateStore::RecordIntent(const std::string& id, const state::Intent& intent) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(state::RestoreRecord record, GetRestore(id));
  if (HasEnded(record.state())) {
    return RestoreHasEnded(id);
  }
  RETURN_IF_ERROR(undo_.Check(id, intent));
  *record.mutable_intent() = intent;
  record.set_revision(record.revision() + 1);
  ChangeSet change;
  change.Put(StateFamily::kRestores, StateKeys::ForId(id), record);
  return database_->Commit(change);
}

absl::Status RocksDbStateStore::ClearIntent(const std::string& id) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(state::RestoreRecord record, GetRestore(id));
  if (HasEnded(record.state())) {
    return RestoreHasEnded(id);
  }
  record.clear_intent();
  record.set_revision(record.revision() + 1);
  ChangeSet change;
  change.Put(StateFamily::kRestores, StateKeys::ForId(id), record);
  RETURN_IF_ERROR(undo_.DeleteAll(id, &change));
  RETURN_IF_ERROR(database_->Commit(change));
  undo_.Forget(id);
  return absl::OkStatus();
}

absl::Status RocksDbStateStore::MarkUndone(const std::string& restore, const std::string& undo,
                                           ChangeSet* change, state::RestoreRecord* undone) const {
  ASSIGN_OR_RETURN(*undone, GetRestore(restore));
  if (undone->state() != state::SUCCEEDED) {
    return MakeError(Reason::kInternal, absl::StrCat("restore ", restore, " is undone by ", undo,
                                                     " but was ", JobStateWords(undone->state())));
  }
  undone->set_state(state::UNDONE);
  undone->set_undone_by(undo);
  undone->set_revision(undone->revision() + 1);
  change->Put(StateFamily::kRestores, StateKeys::ForId(restore), *undone);
  return absl::OkStatus();
}

absl::Status RocksDbStateStore::RecordOutcome(const state::RestoreRecord& record,
                                              const std::optional<state::Certificate>& certificate,
                                              const AuditDraft& audit) {
  if (!HasEnded(record.state()) && record.state() != state::IN_DOUBT) {
    return MakeError(Reason::kInternal,
                     absl::StrCat(JobStateWords(record.state()), " is no outcome"));
  }
  const bool succeeded = record.state() == state::SUCCEEDED;
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const state::RestoreRecord stored, GetRestore(record.id()));
  if (HasEnded(stored.state())) {
    return RestoreHasEnded(record.id());
  }
  state::RestoreRecord next = record;
  next.set_revision(stored.revision() + 1);
  const bool changed_nothing = next.state() == state::FAILED || next.state() == state::CANCELLED;
  if (changed_nothing) {
    next.clear_intent();
    next.set_hooks_pending(next.hooks_pending() && next.hooks_size() > 0);
  } else if (stored.has_intent()) {
    // A caller may hold the record from before its intent was stored; the undo is described there.
    *next.mutable_intent() = stored.intent();
  }
  ChangeSet change;
  change.Put(StateFamily::kRestores, StateKeys::ForId(next.id()), next);
  if (succeeded && certificate.has_value()) {
    change.Put(StateFamily::kCertificates, StateKeys::ForId(next.id()), *certificate);
  }
  std::optional<state::RestoreRecord> undone;
  if (succeeded && !next.order().undo_of().empty()) {
    RETURN_IF_ERROR(MarkUndone(next.order().undo_of(), next.id(), &change, &undone.emplace()));
  }
  if (changed_nothing) {
    RETURN_IF_ERROR(undo_.DeleteAll(next.id(), &change));
  }
  audit_.Append(audit, Now(), &change);
  RETURN_IF_ERROR(database_->Commit(change));
  undo_.Forget(next.id());
  index_.Update(next);
  if (undone.has_value()) {
    index_.Update(*undone);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<state::RestoreRecord>> RocksDbStateStore::RestoresWithPendingHooks()
    const {
  return GetRestores(index_.WithPendingHooks());
}

absl::StatusOr<state::RestoreRecord> RocksDbStateStore::RecordHooks(
    const std::string& id, const std::vector<state::HookOutcome>& hooks, bool pending) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(state::RestoreRecord record, GetRestore(id));
  if (!HasEnded(record.state())) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("restore ", id, " has not ended: no hook can have followed it"));
  }
  record.mutable_hooks()->Assign(hooks.begin(), hooks.end());
  record.set_hooks_pending(pending);
  record.set_revision(record.revision() + 1);
  ChangeSet change;
  change.Put(StateFamily::kRestores, StateKeys::ForId(id), record);
  RETURN_IF_ERROR(database_->Commit(change));
  index_.Update(record);
  return record;
}

absl::Status RocksDbStateStore::ReplaceCertificate(const state::Certificate& certificate) {
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(GetCertificate(certificate.restore()).status());
  ChangeSet change;
  change.Put(StateFamily::kCertificates, StateKeys::ForId(certificate.restore()), certificate);
  return database_->Commit(change);
}

absl::StatusOr<state::Certificate> RocksDbStateStore::GetCertificate(
    const std::string& restore) const {
  return GetById<state::Certificate>(*database_, StateFamily::kCertificates, restore,
                                     Reason::kRestoreNotFound, "certificate of restore");
}

absl::StatusOr<std::optional<std::string>> RocksDbStateStore::InDoubt(
    const std::string& store, const std::string& tenant) const {
  return index_.InDoubt(store, tenant);
}

}  // namespace reinstate
