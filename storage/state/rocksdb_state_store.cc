#include "storage/state/rocksdb_state_store.h"

#include <utility>

#include "storage/state/state_records.h"

namespace reinstate {
namespace {

constexpr absl::Duration kPlansKept = absl::Hours(24);

const auto kAny = [](const auto&) { return true; };

absl::Status NoId(std::string_view what) {
  return MakeError(Reason::kInternal, absl::StrCat("a new ", Absl(what), " has no id"));
}

bool IsUnfinished(const state::PlanRecord& plan) { return plan.state() == state::PLAN_QUEUED; }

absl::StatusOr<state::HistoryJob> GetJob(const StateDatabase& database, const std::string& id) {
  return GetById<state::HistoryJob>(database, StateFamily::kJobs, id, Reason::kJobNotFound, "job");
}

absl::Status JobHasEnded(const std::string& id) {
  return MakeError(Reason::kInternal, absl::StrCat("job ", id, " has ended already"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> StateStore::Open(const StateOptions& options) {
  return RocksDbStateStore::Open(options);
}

absl::StatusOr<std::unique_ptr<StateStore>> RocksDbStateStore::Open(const StateOptions& options) {
  ASSIGN_OR_RETURN(auto database, StateDatabase::Open(options));
  std::unique_ptr<RocksDbStateStore> store(new RocksDbStateStore(options, std::move(database)));
  RETURN_IF_ERROR(store->LoadIndex());
  return std::unique_ptr<StateStore>(std::move(store));
}

RocksDbStateStore::RocksDbStateStore(const StateOptions& options,
                                     std::unique_ptr<StateDatabase> database)
    : clock_(options.clock),
      database_(std::move(database)),
      id_(database_->meta().id()),
      audit_(database_.get()),
      requests_(database_.get()),
      undo_(database_.get()) {}

absl::Status RocksDbStateStore::LoadIndex() {
  return database_->Scan(StateFamily::kRestores, StateDatabase::Order::kAscending, "",
                         [this](std::string_view, std::string_view value) -> absl::StatusOr<bool> {
                           ASSIGN_OR_RETURN(const auto record, ParseRecord<state::RestoreRecord>(
                                                                   StateFamily::kRestores, value));
                           index_.Update(record);
                           return true;
                         });
}

// --- Plans ---

absl::StatusOr<Created> RocksDbStateStore::CreatePlan(const RequestKey& request,
                                                      const state::PlanRecord& record) {
  if (record.id().empty()) {
    return NoId("plan");
  }
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const auto earlier, requests_.Find(request, Now()));
  if (earlier.has_value()) {
    return Created{*earlier, true};
  }
  state::PlanRecord stored = record;
  stored.set_state(state::PLAN_QUEUED);
  stored.set_created_us(NowUs());
  stored.set_revision(1);
  ChangeSet change;
  change.Put(StateFamily::kPlans, StateKeys::ForId(stored.id()), stored);
  requests_.Add(request, stored.id(), Now(), &change);
  RETURN_IF_ERROR(database_->Commit(change));
  return Created{stored.id(), false};
}

absl::StatusOr<state::PlanRecord> RocksDbStateStore::GetPlan(const std::string& id) const {
  return GetById<state::PlanRecord>(*database_, StateFamily::kPlans, id, Reason::kPlanNotFound,
                                    "plan (plans are kept for a day)");
}

absl::Status RocksDbStateStore::PutPlan(const state::PlanRecord& record) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const auto stored, GetPlan(record.id()));
  state::PlanRecord next = record;
  next.set_revision(stored.revision() + 1);
  ChangeSet change;
  change.Put(StateFamily::kPlans, StateKeys::ForId(next.id()), next);
  return database_->Commit(change);
}

absl::StatusOr<std::vector<state::PlanRecord>> RocksDbStateStore::UnfinishedPlans() const {
  return ListAll<state::PlanRecord>(*database_, StateFamily::kPlans, IsUnfinished);
}

// --- Jobs on the history ---

absl::StatusOr<Created> RocksDbStateStore::CreateHistoryJob(const RequestKey& request,
                                                            const state::HistoryJob& job,
                                                            const AuditDraft& audit) {
  if (job.id().empty()) {
    return NoId("job");
  }
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const auto earlier, requests_.Find(request, Now()));
  if (earlier.has_value()) {
    return Created{*earlier, true};
  }
  state::HistoryJob stored = job;
  stored.set_state(state::QUEUED);
  stored.set_created_us(NowUs());
  stored.set_revision(1);
  ChangeSet change;
  change.Put(StateFamily::kJobs, StateKeys::ForId(stored.id()), stored);
  requests_.Add(request, stored.id(), Now(), &change);
  audit_.Append(audit, Now(), &change);
  RETURN_IF_ERROR(database_->Commit(change));
  return Created{stored.id(), false};
}

absl::StatusOr<state::HistoryJob> RocksDbStateStore::GetHistoryJob(const std::string& id) const {
  return GetJob(*database_, id);
}

absl::StatusOr<std::vector<state::HistoryJob>> RocksDbStateStore::ListHistoryJobs(
    const std::string& store, const std::string& after, int64_t limit) const {
  return ListNewestFirst<state::HistoryJob>(
      *database_, StateFamily::kJobs, after, limit,
      [&](const state::HistoryJob& job) { return store.empty() || job.store() == store; });
}

absl::StatusOr<std::vector<state::HistoryJob>> RocksDbStateStore::UnfinishedHistoryJobs() const {
  return ListAll<state::HistoryJob>(
      *database_, StateFamily::kJobs,
      [](const state::HistoryJob& job) { return !HasEnded(job.state()); });
}

absl::StatusOr<state::HistoryJob> RocksDbStateStore::UpdateHistoryJob(
    const std::string& id, const std::function<absl::Status(state::HistoryJob*)>& change) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const state::HistoryJob stored, GetJob(*database_, id));
  state::HistoryJob next = stored;
  RETURN_IF_ERROR(change(&next));
  if (HasEnded(stored.state()) || HasEnded(next.state())) {
    return JobHasEnded(id);
  }
  next.set_id(id);
  next.set_revision(stored.revision() + 1);
  ChangeSet changes;
  changes.Put(StateFamily::kJobs, StateKeys::ForId(id), next);
  RETURN_IF_ERROR(database_->Commit(changes));
  return next;
}

absl::Status RocksDbStateStore::EndHistoryJob(const state::HistoryJob& job,
                                              const std::optional<state::WitnessRecord>& witness,
                                              const AuditDraft& audit) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const state::HistoryJob stored, GetJob(*database_, job.id()));
  if (HasEnded(stored.state()) || !HasEnded(job.state())) {
    return JobHasEnded(job.id());
  }
  state::HistoryJob next = job;
  next.set_revision(stored.revision() + 1);
  if (next.finished_us() == 0) {
    next.set_finished_us(NowUs());
  }
  ChangeSet change;
  change.Put(StateFamily::kJobs, StateKeys::ForId(next.id()), next);
  if (witness.has_value()) {
    change.Put(StateFamily::kWitnesses, StateKeys::ForId(witness->snapshot()), *witness);
  }
  audit_.Append(audit, Now(), &change);
  return database_->Commit(change);
}

// --- Witnesses ---

absl::StatusOr<std::vector<state::WitnessRecord>> RocksDbStateStore::Witnesses() const {
  return ListAll<state::WitnessRecord>(*database_, StateFamily::kWitnesses, kAny);
}

absl::Status RocksDbStateStore::AddWitness(const state::WitnessRecord& witness) {
  MutexLock lock(&mu_);
  ChangeSet change;
  change.Put(StateFamily::kWitnesses, StateKeys::ForId(witness.snapshot()), witness);
  return database_->Commit(change);
}

absl::Status RocksDbStateStore::RemoveWitnesses(const std::vector<std::string>& snapshots) {
  MutexLock lock(&mu_);
  ChangeSet change;
  for (const std::string& snapshot : snapshots) {
    change.Delete(StateFamily::kWitnesses, StateKeys::ForId(snapshot));
  }
  return database_->Commit(change);
}

// --- Stores ---

absl::StatusOr<std::vector<state::StoreRecord>> RocksDbStateStore::Stores() const {
  return ListAll<state::StoreRecord>(*database_, StateFamily::kStores, kAny);
}

absl::Status RocksDbStateStore::PutStore(const state::StoreRecord& store,
                                         const std::optional<AuditDraft>& audit) {
  MutexLock lock(&mu_);
  ChangeSet change;
  change.Put(StateFamily::kStores, StateKeys::ForId(store.name()), store);
  if (audit.has_value()) {
    audit_.Append(*audit, Now(), &change);
  }
  return database_->Commit(change);
}

// --- Audit ---

absl::Status RocksDbStateStore::AppendAudit(const AuditDraft& entry) {
  MutexLock lock(&mu_);
  ChangeSet change;
  audit_.Append(entry, Now(), &change);
  return database_->Commit(change);
}

absl::StatusOr<std::vector<state::AuditEntry>> RocksDbStateStore::ListAudit(int64_t after_number,
                                                                            int64_t limit) const {
  return audit_.List(after_number, limit);
}

absl::Status RocksDbStateStore::VerifyAudit() const {
  ChangeSet::AuditHead head;
  {
    MutexLock lock(&mu_);
    head = {database_->meta().audit_number(), database_->meta().audit_head()};
  }
  return audit_.Verify(head);
}

// --- Requests and expiry ---

absl::StatusOr<std::optional<std::string>> RocksDbStateStore::FindRequest(
    const RequestKey& request) const {
  return requests_.Find(request, Now());
}

absl::Status RocksDbStateStore::RecordRequest(const RequestKey& request,
                                              const std::string& result) {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const auto earlier, requests_.Find(request, Now()));
  if (request.id.empty() || earlier.has_value()) {
    return absl::OkStatus();
  }
  ChangeSet change;
  requests_.Add(request, result, Now(), &change);
  return database_->Commit(change);
}

absl::Status RocksDbStateStore::RemovePlans(ChangeSet* change) const {
  const absl::Time before = Now() - kPlansKept;
  return database_->Scan(
      StateFamily::kPlans, StateDatabase::Order::kAscending, "",
      [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
        ASSIGN_OR_RETURN(const auto plan,
                         ParseRecord<state::PlanRecord>(StateFamily::kPlans, value));
        if (!IsUnfinished(plan) && absl::FromUnixMicros(plan.created_us()) <= before) {
          change->Delete(StateFamily::kPlans, std::string(key));
        }
        return true;
      });
}

absl::StatusOr<bool> RocksDbStateStore::UndoIsOver(const std::string& restore) const {
  const auto record = GetRestore(restore);
  if (HasReason(record.status(), Reason::kRestoreNotFound)) {
    return true;
  }
  RETURN_IF_ERROR(record.status());
  if (!HasEnded(record->state()) || index_.UndoUnderWay(restore).has_value()) {
    return false;
  }
  return record->state() != state::SUCCEEDED ||
         (record->undo_expires_us() != 0 && record->undo_expires_us() <= NowUs());
}

absl::Status RocksDbStateStore::RemoveUndos(ChangeSet* change) const {
  std::string restore;
  while (true) {
    ASSIGN_OR_RETURN(restore, undo_.NextRestore(restore));
    if (restore.empty()) {
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const bool over, UndoIsOver(restore));
    if (over) {
      RETURN_IF_ERROR(undo_.DeleteAll(restore, change));
    }
  }
}

absl::Status RocksDbStateStore::RemoveExpired() {
  MutexLock lock(&mu_);
  ChangeSet change;
  RETURN_IF_ERROR(requests_.RemoveExpired(Now(), &change));
  RETURN_IF_ERROR(RemovePlans(&change));
  RETURN_IF_ERROR(RemoveDryRuns(&change));
  RETURN_IF_ERROR(RemoveUndos(&change));
  if (!change.records().empty()) {
    RETURN_IF_ERROR(database_->Commit(change));
  }
  return database_->RefillReserve();
}

}  // namespace reinstate
