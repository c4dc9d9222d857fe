#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/base/fault_points.h"
#include "storage/state/state.pb.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace reinstate {

struct StateOptions {
  std::string path;
  const Clock* clock = Clock::System();
  FaultPoints* faults = nullptr;
  rocksdb::Env* env = nullptr;  // the default one if null; for tests
  // Disk space kept back for the state, so that a full disk stops snapshots first and a commit's
  // outcome can still be written: a preallocated file that is given up when a write fails for lack
  // of space.
  int64_t reserve_bytes = 64LL << 20;
};

// Names a call that must have its effect once. Kept for 30 days.
struct RequestKey {
  std::string id;              // as the client chose it; empty: the call is not idempotent
  std::string method;          // e.g. "CreateRestore"
  std::string request_digest;  // SHA-256 of the request as received
};

// What a creating call made, or had made before.
struct Created {
  std::string id;
  bool existed = false;  // an earlier call with the same request id made it
};

// Who did what, without number, time and chain, which the store adds.
using AuditDraft = state::AuditEntry;

// Which restores to list; an empty field matches all.
struct RestoreFilter {
  std::string store;
  std::string tenant;
  std::vector<state::JobState> states;
};

// What a change of a batch writes besides its record.
struct BatchParts {
  std::vector<state::BatchLine> lines;         // new ones, and those that replace one
  std::vector<state::RestoreRecord> restores;  // new ones, with ids; stored as QUEUED
};

// The durable state of the daemon: jobs, plans, undo, certificates, requests, the audit chain and
// witnesses of snapshots, in a RocksDB database of its own. The format is in README.md beside this
// file.
//
// Thread-safe. Every change is one synced, atomic batch: when a call returns OK it is durable,
// otherwise nothing has changed (after an I/O error, the next Open may find it done all the same).
// Changes and records are numbered and counted, which is checked when it opens.
// DATA_DIRECTORY_IN_USE if another process has it open, CORRUPT if records are missing or damaged,
// NO_SPACE if the disk is full. Lists are newest first; `after` is the last id of the page before,
// or empty.
class StateStore {
 public:
  static absl::StatusOr<std::unique_ptr<StateStore>> Open(const StateOptions& options);

  virtual ~StateStore() = default;

  // A random id, made with the database, by which a history recognises its state.
  virtual const std::string& id() const = 0;

  // Whether this Open made the database.
  virtual bool created() const = 0;

  // --- Restores ---

  // Stores `record`, whose id is new, as QUEUED, with its audit entry. If request.id was used
  // before by the same request nothing is stored and the earlier id is returned; by another one:
  // REQUEST_ID_REUSED. NOT_UNDOABLE if order.undo_of names a restore that did not succeed, was
  // undone, or whose undo is under way.
  virtual absl::StatusOr<Created> CreateRestore(const RequestKey& request,
                                                const state::RestoreRecord& record,
                                                const AuditDraft& audit) = 0;

  // RESTORE_NOT_FOUND.
  virtual absl::StatusOr<state::RestoreRecord> GetRestore(const std::string& id) const = 0;

  virtual absl::StatusOr<std::vector<state::RestoreRecord>> ListRestores(
      const RestoreFilter& filter, const std::string& after, int64_t limit) const = 0;

  // All restores that have not ended, oldest first: what a start goes on with.
  virtual absl::StatusOr<std::vector<state::RestoreRecord>> UnfinishedRestores() const = 0;

  // Changes a restore that has not ended: calls `change` on the stored record and, if it returns
  // OK, writes it back. Not for intents and outcomes (INTERNAL). Returns the record as written. The
  // same holds for changes of other jobs.
  virtual absl::StatusOr<state::RestoreRecord> UpdateRestore(
      const std::string& id, const std::function<absl::Status(state::RestoreRecord*)>& change) = 0;

  // Whether an undo of the restore may be created now. RESTORE_NOT_FOUND; NOT_UNDOABLE: it has not
  // succeeded, was undone, or an undo of it is under way.
  virtual absl::Status CheckUndoable(const std::string& restore) const = 0;

  // Stores part `chunk` of the undo of a restore, a serialised UndoChunk; they come in order, from
  // 0, which begins anew. Durable only with the next synced batch (RecordIntent). NO_SPACE.
  virtual absl::Status AppendUndo(const std::string& restore, int64_t chunk,
                                  std::string_view rows) = 0;

  // Removes what an attempt that did not come to its intent has appended.
  virtual absl::Status DiscardUndo(const std::string& restore) = 0;

  // Calls `visit` with each chunk in order. SHORTFALL if one is missing (by the intent's count and
  // digest), which may be found as late as after the last one: until it returns OK, nothing that
  // was visited may be relied on.
  virtual absl::Status ReadUndo(
      const std::string& restore,
      const std::function<absl::Status(const state::UndoChunk&)>& visit) const = 0;

  // The last write before the commit: all undo chunks are durable when it returns. INTERNAL if the
  // intent does not say as many chunks as were appended.
  virtual absl::Status RecordIntent(const std::string& id, const state::Intent& intent) = 0;

  // Takes the intent back after a commit that surely did not happen, and the undo with it.
  virtual absl::Status ClearIntent(const std::string& id) = 0;

  // The end of a restore (SUCCEEDED, FAILED, CANCELLED) or IN_DOUBT: the record, its certificate if
  // it succeeded, and the audit entry in one batch. When an undo succeeds, the undone restore
  // becomes UNDONE in the same batch. The undo of what failed or was cancelled is removed. Of what
  // ended without a change and without a hook before it, hooks_pending is taken back.
  virtual absl::Status RecordOutcome(const state::RestoreRecord& record,
                                     const std::optional<state::Certificate>& certificate,
                                     const AuditDraft& audit) = 0;

  // The ended restores with hooks_pending, oldest first.
  virtual absl::StatusOr<std::vector<state::RestoreRecord>> RestoresWithPendingHooks() const = 0;

  // Replaces `hooks` and `hooks_pending` of a restore that has ended. Returns the record as
  // written. RESTORE_NOT_FOUND; INTERNAL if it has not ended.
  virtual absl::StatusOr<state::RestoreRecord> RecordHooks(
      const std::string& id, const std::vector<state::HookOutcome>& hooks, bool pending) = 0;

  // Of a restore that has one: with the second, dated finding, or why there is none.
  // RESTORE_NOT_FOUND.
  virtual absl::Status ReplaceCertificate(const state::Certificate& certificate) = 0;

  // RESTORE_NOT_FOUND if there is no certificate.
  virtual absl::StatusOr<state::Certificate> GetCertificate(const std::string& restore) const = 0;

  // The restore of `tenant` that is IN_DOUBT, if any: it blocks the tenant.
  virtual absl::StatusOr<std::optional<std::string>> InDoubt(const std::string& store,
                                                             const std::string& tenant) const = 0;

  // --- Batches ---

  // Stores a batch, whose id is new, with its lines and restores and its audit entry, in one step.
  // As CreateRestore otherwise.
  virtual absl::StatusOr<Created> CreateBatch(const RequestKey& request,
                                              const state::BatchRecord& batch,
                                              const BatchParts& parts, const AuditDraft& audit) = 0;

  // BATCH_NOT_FOUND.
  virtual absl::StatusOr<state::BatchRecord> GetBatch(const std::string& id) const = 0;
  virtual absl::StatusOr<std::vector<state::BatchRecord>> ListBatches(const std::string& after,
                                                                      int64_t limit) const = 0;

  // All batches that are in none of the states in which one ends, oldest first.
  virtual absl::StatusOr<std::vector<state::BatchRecord>> UnfinishedBatches() const = 0;

  // In their order; none of a batch that there is not.
  virtual absl::StatusOr<std::vector<state::BatchLine>> BatchLines(const std::string& id) const = 0;

  // Changes a batch in one step: calls `change` on the stored record and, if it returns OK, writes
  // it back with `parts`, and with the audit entry if there is one. Returns the record as written.
  virtual absl::StatusOr<state::BatchRecord> UpdateBatch(
      const std::string& id, const std::function<absl::Status(state::BatchRecord*)>& change,
      const BatchParts& parts, const std::optional<AuditDraft>& audit) = 0;

  // --- Plans (kept for a day, as are batches that only plan) ---
  virtual absl::StatusOr<Created> CreatePlan(const RequestKey& request,
                                             const state::PlanRecord& record) = 0;
  virtual absl::StatusOr<state::PlanRecord> GetPlan(const std::string& id) const = 0;
  virtual absl::Status PutPlan(const state::PlanRecord& record) = 0;
  virtual absl::StatusOr<std::vector<state::PlanRecord>> UnfinishedPlans() const = 0;

  // --- Jobs on the history ---
  virtual absl::StatusOr<Created> CreateHistoryJob(const RequestKey& request,
                                                   const state::HistoryJob& job,
                                                   const AuditDraft& audit) = 0;
  virtual absl::StatusOr<state::HistoryJob> GetHistoryJob(const std::string& id) const = 0;
  virtual absl::StatusOr<std::vector<state::HistoryJob>> ListHistoryJobs(const std::string& store,
                                                                         const std::string& after,
                                                                         int64_t limit) const = 0;
  virtual absl::StatusOr<std::vector<state::HistoryJob>> UnfinishedHistoryJobs() const = 0;
  virtual absl::StatusOr<state::HistoryJob> UpdateHistoryJob(
      const std::string& id, const std::function<absl::Status(state::HistoryJob*)>& change) = 0;
  // Ends a job, with the witness of the snapshot that it took, if it did, in the same batch.
  virtual absl::Status EndHistoryJob(const state::HistoryJob& job,
                                     const std::optional<state::WitnessRecord>& witness,
                                     const AuditDraft& audit) = 0;

  // --- Witnesses ---
  virtual absl::StatusOr<std::vector<state::WitnessRecord>> Witnesses() const = 0;
  // Adds a witness, or replaces the one of the same snapshot.
  virtual absl::Status AddWitness(const state::WitnessRecord& witness) = 0;
  virtual absl::Status RemoveWitnesses(const std::vector<std::string>& snapshots) = 0;

  // --- Stores ---
  virtual absl::StatusOr<std::vector<state::StoreRecord>> Stores() const = 0;
  // Without `audit` where nobody has ordered it: what is owed of a throttle changes by itself.
  virtual absl::Status PutStore(const state::StoreRecord& store,
                                const std::optional<AuditDraft>& audit) = 0;

  // --- Audit ---
  virtual absl::Status AppendAudit(const AuditDraft& entry) = 0;
  virtual absl::StatusOr<std::vector<state::AuditEntry>> ListAudit(int64_t after_number,
                                                                   int64_t limit) const = 0;
  // Follows the chain from its start. CORRUPT with the number of the first entry that does not fit.
  virtual absl::Status VerifyAudit() const = 0;

  // --- Idempotent calls that make nothing ---
  // The earlier result of `request`, or nullopt. REQUEST_ID_REUSED.
  virtual absl::StatusOr<std::optional<std::string>> FindRequest(
      const RequestKey& request) const = 0;
  virtual absl::Status RecordRequest(const RequestKey& request, const std::string& result) = 0;

  // Removes expired requests (30 days), plans (a day) and undos past their expiry.
  virtual absl::Status RemoveExpired() = 0;
};

}  // namespace reinstate
