#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/state/audit_chain.h"
#include "storage/state/request_log.h"
#include "storage/state/restore_index.h"
#include "storage/state/state_database.h"
#include "storage/state/state_store.h"
#include "storage/state/undo_log.h"

namespace reinstate {

// The StateStore over a StateDatabase. Changes follow each other under one lock, which is held
// while they are synced: reading what a change builds on and writing it must be one step, or two
// calls with one request id would both find nothing.
class RocksDbStateStore final : public StateStore {
 public:
  static absl::StatusOr<std::unique_ptr<StateStore>> Open(const StateOptions& options);

  const std::string& id() const override { return id_; }
  bool created() const override { return database_->created(); }

  absl::StatusOr<Created> CreateRestore(const RequestKey& request,
                                        const state::RestoreRecord& record,
                                        const AuditDraft& audit) override;
  absl::StatusOr<state::RestoreRecord> GetRestore(const std::string& id) const override;
  absl::Status CheckUndoable(const std::string& restore) const override;
  absl::StatusOr<std::vector<state::RestoreRecord>> ListRestores(const RestoreFilter& filter,
                                                                 const std::string& after,
                                                                 int64_t limit) const override;
  absl::StatusOr<std::vector<state::RestoreRecord>> UnfinishedRestores() const override;
  absl::StatusOr<state::RestoreRecord> UpdateRestore(
      const std::string& id,
      const std::function<absl::Status(state::RestoreRecord*)>& change) override;
  absl::Status AppendUndo(const std::string& restore, int64_t chunk,
                          std::string_view rows) override;
  absl::Status DiscardUndo(const std::string& restore) override;
  absl::Status ReadUndo(
      const std::string& restore,
      const std::function<absl::Status(const state::UndoChunk&)>& visit) const override;
  absl::Status RecordIntent(const std::string& id, const state::Intent& intent) override;
  absl::Status ClearIntent(const std::string& id) override;
  absl::Status RecordOutcome(const state::RestoreRecord& record,
                             const std::optional<state::Certificate>& certificate,
                             const AuditDraft& audit) override;
  absl::StatusOr<std::vector<state::RestoreRecord>> RestoresWithPendingHooks() const override;
  absl::StatusOr<state::RestoreRecord> RecordHooks(const std::string& id,
                                                   const std::vector<state::HookOutcome>& hooks,
                                                   bool pending) override;
  absl::Status ReplaceCertificate(const state::Certificate& certificate) override;
  absl::StatusOr<state::Certificate> GetCertificate(const std::string& restore) const override;
  absl::StatusOr<std::optional<std::string>> InDoubt(const std::string& store,
                                                     const std::string& tenant) const override;

  absl::StatusOr<Created> CreateBatch(const RequestKey& request, const state::BatchRecord& batch,
                                      const BatchParts& parts, const AuditDraft& audit) override;
  absl::StatusOr<state::BatchRecord> GetBatch(const std::string& id) const override;
  absl::StatusOr<std::vector<state::BatchRecord>> ListBatches(const std::string& after,
                                                              int64_t limit) const override;
  absl::StatusOr<std::vector<state::BatchRecord>> UnfinishedBatches() const override;
  absl::StatusOr<std::vector<state::BatchLine>> BatchLines(const std::string& id) const override;
  absl::StatusOr<state::BatchRecord> UpdateBatch(
      const std::string& id, const std::function<absl::Status(state::BatchRecord*)>& change,
      const BatchParts& parts, const std::optional<AuditDraft>& audit) override;

  absl::StatusOr<Created> CreatePlan(const RequestKey& request,
                                     const state::PlanRecord& record) override;
  absl::StatusOr<state::PlanRecord> GetPlan(const std::string& id) const override;
  absl::Status PutPlan(const state::PlanRecord& record) override;
  absl::StatusOr<std::vector<state::PlanRecord>> UnfinishedPlans() const override;

  absl::StatusOr<Created> CreateHistoryJob(const RequestKey& request, const state::HistoryJob& job,
                                           const AuditDraft& audit) override;
  absl::StatusOr<state::HistoryJob> GetHistoryJob(const std::string& id) const override;
  absl::StatusOr<std::vector<state::HistoryJob>> ListHistoryJobs(const std::string& store,
                                                                 const std::string& after,
                                                                 int64_t limit) const override;
  absl::StatusOr<std::vector<state::HistoryJob>> UnfinishedHistoryJobs() const override;
  absl::StatusOr<state::HistoryJob> UpdateHistoryJob(
      const std::string& id,
      const std::function<absl::Status(state::HistoryJob*)>& change) override;
  absl::Status EndHistoryJob(const state::HistoryJob& job,
                             const std::optional<state::WitnessRecord>& witness,
                             const AuditDraft& audit) override;

  absl::StatusOr<std::vector<state::WitnessRecord>> Witnesses() const override;
  absl::Status AddWitness(const state::WitnessRecord& witness) override;
  absl::Status RemoveWitnesses(const std::vector<std::string>& snapshots) override;

  absl::StatusOr<std::vector<state::StoreRecord>> Stores() const override;
  absl::Status PutStore(const state::StoreRecord& store,
                        const std::optional<AuditDraft>& audit) override;

  absl::Status AppendAudit(const AuditDraft& entry) override;
  absl::StatusOr<std::vector<state::AuditEntry>> ListAudit(int64_t after_number,
                                                           int64_t limit) const override;
  absl::Status VerifyAudit() const override;

  absl::StatusOr<std::optional<std::string>> FindRequest(const RequestKey& request) const override;
  absl::Status RecordRequest(const RequestKey& request, const std::string& result) override;
  absl::Status RemoveExpired() override;

 private:
  RocksDbStateStore(const StateOptions& options, std::unique_ptr<StateDatabase> database);

  absl::Status LoadIndex();
  absl::StatusOr<std::vector<state::RestoreRecord>> GetRestores(
      const std::vector<std::string>& ids) const;
  absl::Time Now() const { return clock_->Now(); }
  int64_t NowUs() const { return absl::ToUnixMicros(clock_->Now()); }

  // Adds the removal of undos that are of no use any more, and of plans of earlier days.
  absl::Status RemoveUndos(ChangeSet* change) const;
  absl::Status RemovePlans(ChangeSet* change) const;
  absl::Status RemoveDryRuns(ChangeSet* change) const;
  absl::StatusOr<bool> UndoIsOver(const std::string& restore) const;
  // Adds a new restore as QUEUED; returns it as stored. NOT_UNDOABLE.
  absl::StatusOr<state::RestoreRecord> AddRestore(const state::RestoreRecord& record,
                                                  ChangeSet* change) const;
  // Adds the parts of a change of `batch`; the restores as stored.
  absl::StatusOr<std::vector<state::RestoreRecord>> AddParts(const std::string& batch,
                                                             const BatchParts& parts,
                                                             ChangeSet* change) const;
  // Adds to `change` that `restore` was undone by `undo`; *undone is the record as it will be.
  absl::Status MarkUndone(const std::string& restore, const std::string& undo, ChangeSet* change,
                          state::RestoreRecord* undone) const;

  const Clock* const clock_;
  const std::unique_ptr<StateDatabase> database_;
  const std::string id_;
  const AuditChain audit_;
  const RequestLog requests_;
  UndoLog undo_;
  RestoreIndex index_;
  mutable Mutex mu_;  // held by every change, for all of it
};

}  // namespace reinstate
