#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/live/memory/memory_state.h"
#include "storage/live/session_phase.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// The session of a MemoryStore: works on a copy of the tenant's rows and puts its changes in at
// Commit, if the rows that they change are still as the view had them.
class MemorySession final : public TenantSession {
 public:
  // `lock` is the lock of `tenant`; `state` outlives the session.
  MemorySession(MemoryState* state, TenantId tenant, std::unique_ptr<TenantLocks::Held> lock);

  absl::Status Begin() override;
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const std::string& table) override;
  absl::StatusOr<std::vector<KeyState>> LookUp(const std::string& table,
                                               std::span<const RowKey> keys) override;
  absl::Status Apply(const Change& change) override;
  absl::StatusOr<CommitToken> Seal() override;
  absl::Status Commit(absl::Time deadline) override;
  absl::Status Rollback() override;
  absl::StatusOr<CommitOutcome> Resolve(const CommitToken& token) override;
  void Cancel() override;

 private:
  absl::Status CheckTable(const std::string& table) const;
  absl::Status DoApply(const Change& change);
  absl::Status DoCommit(absl::Time deadline);
  KeyState StateOf(const std::string& table, const RowKey& key) const;

  MemoryState* const state_;
  const TenantId tenant_;
  const std::unique_ptr<TenantLocks::Held> lock_;
  SessionPhase phase_;

  // Of the transaction:
  MemoryView view_;
  std::shared_ptr<TenantRows> rows_;  // the view's, with the session's changes
  MemoryChanges changes_;
  std::string token_;
};

}  // namespace reinstate
