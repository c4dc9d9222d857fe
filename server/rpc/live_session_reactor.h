#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "reinstate/v1/live_store_service.pb.h"
#include "server/rpc/call_registry.h"
#include "server/rpc/live_session.h"
#include "server/rpc/rpc_pool.h"
#include "storage/base/mutex.h"

namespace reinstate {

// The stream of one session of LiveStoreService. gRPC's threads only move messages and answer
// heartbeats; the session works on a thread that it has for itself until it ends.
//
// However it ends (the client closes or goes away, the lease runs out, the daemon drains): what is
// under way is cancelled, but for a commit, which is finished; then the session is destroyed, which
// rolls back and releases the lock; only then does the stream end.
class LiveSessionReactor final
    : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>,
      public OpenCall,
      public std::enable_shared_from_this<LiveSessionReactor> {
 public:
  struct Parts {
    LiveStoreFinder find_store;
    LiveSession::Options options;
    RpcPool* sessions = nullptr;  // has an idle thread for this session
    RpcPool* calls = nullptr;     // for what may block besides
    CallRegistry* registry = nullptr;
    std::function<void()> on_end;  // the thread is free again
  };

  // Begins a stream, which owns itself until it is done. It is ended at once if `admitted` is an
  // error.
  static LiveSessionReactor* Begin(grpc::CallbackServerContext* context, Parts parts,
                                   const absl::Status& admitted);

  void Drain() override;

 private:
  LiveSessionReactor(grpc::CallbackServerContext* context, Parts parts);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  // On the session's thread.
  void Work();
  bool WaitForRequest(v1::SessionRequest* request);
  absl::Status Send(v1::SessionResponse response);

  void Take(v1::SessionRequest request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AskToEnd(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CancelSession() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Enqueue(v1::SessionResponse response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetAlarm(absl::Duration after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnAlarm();

  grpc::CallbackServerContext* const context_;
  const Parts parts_;
  LiveSession session_;
  std::shared_ptr<LiveSessionReactor> self_;  // until OnDone

  // Of gRPC while a read or write is under way.
  v1::SessionRequest incoming_;
  v1::SessionResponse outgoing_;

  Mutex mu_;
  CondVar changed_;
  std::deque<v1::SessionRequest> inbox_ ABSL_GUARDED_BY(mu_);
  std::deque<v1::SessionResponse> outbox_ ABSL_GUARDED_BY(mu_);
  size_t outbox_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool alive_waits_ ABSL_GUARDED_BY(mu_) = false;  // an answer to a heartbeat is in the outbox
  bool worked_ ABSL_GUARDED_BY(mu_) = false;       // the session has been destroyed
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> ending_ ABSL_GUARDED_BY(mu_);
  absl::Duration lease_ ABSL_GUARDED_BY(mu_) = kDefaultSessionLease;
  std::chrono::steady_clock::time_point last_heard_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
