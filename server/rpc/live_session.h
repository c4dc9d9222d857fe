#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reinstate/v1/live_store_service.pb.h"
#include "server/rpc/live_wire.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/live/live_store.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// The store of that name; empty if there is only one. STORE_NOT_FOUND.
using LiveStoreFinder = std::function<absl::StatusOr<LiveStore*>(const std::string& name)>;

// One session of the adapter protocol over a LiveStore: handles request after request and sends the
// answers. Knows nothing of the connection.
//
// Not thread-safe, but for Cancel. Blocks as long as the store does.
class LiveSession {
 public:
  // Sends an answer. May block while the other side does not take them. An error means that nobody
  // will: the session is to be ended.
  using Send = std::function<absl::Status(v1::SessionResponse)>;

  struct Options {
    size_t max_payload_bytes = 256 << 20;  // of one change; more is TOO_LARGE
    const Clock* clock = Clock::System();
  };

  LiveSession(LiveStoreFinder find_store, const Options& options, Send send);

  ~LiveSession();  // as End
  LiveSession(const LiveSession&) = delete;
  LiveSession& operator=(const LiveSession&) = delete;

  // Handles any request but `heartbeat` and `cancel`. What is wrong with it is answered; an error
  // means that the session is at its end.
  absl::Status Handle(v1::SessionRequest* request);

  // Rolls back and releases the lock. Nothing is handled afterwards.
  void End();

  // From any thread: makes the request under way and all later ones fail as CANCELLED. Blocks no
  // longer than the store's own Cancel.
  void Cancel();

 private:
  enum class Phase { kNone, kOpen, kSealed };

  // A table that is being read.
  struct Reading {
    std::unique_ptr<RecordStream> stream;
    Record record;
    RowSplitter parts;
  };

  absl::Status Answer(v1::SessionResponse response);
  absl::Status AnswerDone();

  // Each sends its answer; an error that is not of `sent_` is to be answered as a failure.
  absl::Status Dispatch(v1::SessionRequest* request);
  absl::Status CheckOrder(const v1::SessionRequest& request) const;
  absl::Status Open(const v1::SessionOpen& request);
  absl::Status Begin();
  absl::Status ReadTable(const v1::SessionReadTable& request);
  absl::Status ReadMore(uint32_t reading);
  absl::Status EndRead(uint32_t reading);
  absl::Status LookUp(const v1::SessionLookUp& request);
  absl::Status FindObstacles(v1::SessionFindObstacles* request);
  absl::Status Apply(v1::SessionApply* request);
  absl::Status Seal();
  absl::Status Commit(const v1::SessionCommit& request);
  absl::Status Rollback();
  absl::Status Resolve(const v1::SessionResolve& request);

  absl::StatusOr<std::unique_ptr<TenantSession>> TakeLock(const v1::SessionOpen& request);
  absl::Status FillRows(Reading* reading, v1::SessionRows* rows);
  absl::Status AddPart(std::string_view field, v1::SessionChange* entry);
  absl::Status CheckCancelled();

  const LiveStoreFinder find_store_;
  const Options options_;
  const Send send_;

  absl::Status sent_;    // what the last Send said
  absl::Status failed_;  // of the transaction: what every request is answered with until rollback
  Phase phase_ = Phase::kNone;
  std::map<uint32_t, Reading> readings_;
  std::optional<Change> change_;  // of which parts are missing
  v1::SessionRequest::RequestCase change_of_ = v1::SessionRequest::REQUEST_NOT_SET;  // a part of it

  Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  // Set under mu_; it is used without by the session's thread.
  std::unique_ptr<TenantSession> session_;
};

}  // namespace reinstate
