#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "storage/live/record_store.h"
#include "storage/live/tenant_locks.h"
#include "storage/live/tenant_session.h"
#include "tests/conformance/live_store_test.h"

namespace reinstate {

// What the obvious ways leave out.
struct NaiveWays {
  bool takes_view_before_lock = false;  // as one does who opens a transaction and locks within it
  bool writes_view_back = false;        // replaces the tenant by what it read and changed
  std::atomic<int>* views = nullptr;    // counts the views that were taken; may be null
};

// A session as one would write it who does not think of races: the control arm of the suite. With
// no naive way it still takes no notice of what the application wrote to the keys that it changes.
class NaiveSession final : public TenantSession {
 public:
  // Waits for the lock. `store` and `locks` outlive it.
  NaiveSession(RecordStore* store, TenantLocks* locks, TenantId tenant, NaiveWays ways);

  absl::Status Begin() override;
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const std::string& table) override;
  absl::StatusOr<std::vector<KeyState>> LookUp(const std::string& table,
                                               std::span<const RowKey> keys) override;
  absl::Status Apply(const Change& change) override;
  absl::StatusOr<CommitToken> Seal() override { return CommitToken{}; }
  absl::Status Commit(absl::Time deadline) override;
  absl::Status Rollback() override { return absl::OkStatus(); }
  absl::StatusOr<CommitOutcome> Resolve(const CommitToken& token) override;
  void Cancel() override {}

  // The tables that it works on.
  static constexpr const char* kTable = "issue";

 private:
  void TakeView();

  RecordStore* const store_;
  const TenantId tenant_;
  const NaiveWays ways_;
  std::unique_ptr<TenantLocks::Held> lock_;
  Rows rows_;
  std::vector<RecordWrite> writes_;
};

}  // namespace reinstate
