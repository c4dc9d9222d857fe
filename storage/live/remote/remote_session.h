#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "reinstate/v1/live_store_service.grpc.pb.h"
#include "storage/base/periodic_thread.h"
#include "storage/live/remote/remote_store.h"
#include "storage/live/remote/session_call.h"
#include "storage/live/session_phase.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// A session of a RemoteStore. Changes are sent in batches ahead of their answers, so an error of
// one may come with a later call.
class RemoteSession final : public TenantSession {
 public:
  // Takes the lock of `tenant`. `stub` outlives the session.
  static absl::StatusOr<std::unique_ptr<TenantSession>> Open(v1::LiveStoreService::Stub* stub,
                                                             const RemoteStoreOptions& options,
                                                             const TenantId& tenant,
                                                             const SessionOptions& session);
  ~RemoteSession() override;

  absl::Status Begin() override;
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const std::string& table) override;
  absl::StatusOr<std::vector<KeyState>> LookUp(const std::string& table,
                                               std::span<const RowKey> keys) override;
  absl::StatusOr<std::vector<Obstacle>> FindObstacles(std::span<const Change> changes) override;
  absl::Status Apply(const Change& change) override;
  absl::StatusOr<CommitToken> Seal() override;
  std::vector<std::string> Exceptions() const override { return exceptions_; }
  absl::Status Commit(absl::Time deadline) override;
  absl::Status Rollback() override;
  absl::StatusOr<CommitOutcome> Resolve(const CommitToken& token) override;
  void Cancel() override;

 private:
  using Response = v1::SessionResponse;

  RemoteSession(std::unique_ptr<SessionCall> call, const RemoteStoreOptions& options);

  // Sends heartbeats as `lease` needs them.
  void KeepLease(absl::Duration lease);

  // Sends the request behind what is buffered and waits for its one answer, after those before it.
  absl::StatusOr<Response> Ask(v1::SessionRequest request, Response::ResponseCase expected);

  // TOO_LARGE if `change` is over the limits.
  absl::Status CheckSize(const Change& change) const;
  absl::Status AddChange(const Change& change);
  absl::Status FlushChanges();
  // Waits until at most `max_left` batches of changes are unanswered.
  absl::Status AwaitChanges(size_t max_left);
  absl::Status LookUpSome(const std::string& table, std::span<const RowKey> keys,
                          std::vector<KeyState>* states);
  absl::StatusOr<std::vector<Obstacle>> AskForObstacles(std::span<const Change> changes);
  // Sends `request`, with which `changes` changes are complete, of which the first has the place
  // `first`, and appends what is in their way.
  absl::Status FindSome(v1::SessionRequest request, size_t first, size_t changes,
                        std::vector<Obstacle>* obstacles);
  absl::Status DoCommit(absl::Time deadline);

  const RemoteStoreOptions options_;
  const std::unique_ptr<SessionCall> call_;
  std::unique_ptr<PeriodicThread> heartbeat_;
  SessionPhase phase_;
  uint32_t last_reading_ = 0;
  std::vector<std::string> exceptions_;  // of the last seal

  // Changes that were not sent yet, and answers to those that were.
  v1::SessionRequest batch_;
  size_t batch_bytes_ = 0;
  std::deque<SessionCall::TicketPtr> applies_;
};

}  // namespace reinstate
