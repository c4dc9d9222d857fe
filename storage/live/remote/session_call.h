#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reinstate/v1/live_store_service.grpc.pb.h"
#include "storage/base/mutex.h"
#include "storage/live/should_end.h"

namespace reinstate {

// The bidirectional stream of a session: sends requests, and hands each answer to whom it belongs.
// Answers come in the order of the requests, so that requests can be sent ahead of time.
//
// Thread-safe. gRPC's callbacks do no more than move messages; nothing here blocks but Next and
// Close. Owned by the session, never by gRPC: what it holds of the channel must not be let go on a
// thread of gRPC's, which the channel's end would wait for (that of 1.51 then corrupts memory).
class SessionCall final : private grpc::ClientBidiReactor<v1::SessionRequest, v1::SessionResponse>,
                          public std::enable_shared_from_this<SessionCall> {
 public:
  // How far a request came.
  enum class Fate {
    kUnsent,      // the server cannot know of it
    kUnanswered,  // the server may know of it
    kAnswered,    // the server has answered it, or failed it
  };

  // One request that is under way. Shared by who waits and who delivers.
  class Ticket {
   private:
    friend class SessionCall;
    explicit Ticket(v1::SessionResponse::ResponseCase expected) : expected_(expected) {}

    // Guarded by the call's mutex, which the analysis cannot express.
    const v1::SessionResponse::ResponseCase expected_;
    std::deque<v1::SessionResponse> answers_;  // that nobody has taken yet
    size_t waiting_bytes_ = 0;                 // of those
    absl::Status status_;                      // after the answers
    bool complete_ = false;
    Fate fate_ = Fate::kUnsent;
  };
  using TicketPtr = std::shared_ptr<Ticket>;

  // Begins a stream. `silence` is how long nothing may be heard before it counts as broken.
  static std::unique_ptr<SessionCall> Begin(v1::LiveStoreService::Stub* stub,
                                            absl::Duration silence);
  ~SessionCall() override;  // cuts the stream off if it was not closed
  SessionCall(const SessionCall&) = delete;
  SessionCall& operator=(const SessionCall&) = delete;

  // Sends a request that is answered by `expected`, by several messages if that is looked_up. Never
  // blocks.
  TicketPtr Send(v1::SessionRequest request, v1::SessionResponse::ResponseCase expected);

  // Waits for the next message of the answer. Fails with what the server says that the request
  // failed with; with SESSION_LOST if the stream broke, or, before the session was opened, with why
  // it did; with INTERNAL if the server breaks the protocol (the stream is ended then); with
  // CANCELLED after InterruptWaits unless `uninterrupted`. If nothing comes within `timeout` of
  // real time the stream is ended, as SESSION_LOST, and as `should_end` says, once it does.
  struct Patience {
    absl::Duration timeout = absl::InfiniteDuration();
    bool uninterrupted = false;
    ShouldEnd should_end = nullptr;
  };
  absl::StatusOr<v1::SessionResponse> Next(Ticket& ticket, const Patience& patience);

  // Final once Next has failed.
  Fate FateOf(const Ticket& ticket);

  // Tells the server to stop, and makes all waits fail with CANCELLED from now on.
  void InterruptWaits();

  // CANCELLED after InterruptWaits.
  absl::Status CheckInterrupted() const;

  void SetSilence(absl::Duration silence);

  // Sends a heartbeat, or ends the stream if nothing was heard for too long. To be called a few
  // times within the silence that is allowed.
  void Beat();

  // Ends the stream at once; `reason` is what waits fail with.
  void Abort(const absl::Status& reason);

  // Ends our side of the stream and waits until the server has ended its own: then it has rolled
  // back and released the lock. After `timeout` the stream is cut off instead.
  void Close(absl::Duration timeout);

 private:
  SessionCall() = default;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  void Deliver(v1::SessionResponse response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DeliverTo(Ticket& ticket, v1::SessionResponse response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Complete(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AbortLocked(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Enqueue(v1::SessionRequest request, TicketPtr ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Reading pauses while too much of an answer waits to be taken by somebody who still wants it.
  void ReadOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LetGo() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Why there is no further answer.
  static absl::Status NoMoreOf(const Ticket& ticket);
  v1::SessionResponse TakeAnswer(Ticket& ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  grpc::ClientContext context_;

  // Of gRPC while a read or write is under way.
  v1::SessionResponse incoming_;
  v1::SessionRequest outgoing_;

  // A request on its way; without a ticket if it has no answer of its own.
  struct Outgoing {
    v1::SessionRequest request;
    TicketPtr ticket;
  };

  std::atomic<bool> interrupted_ = false;  // set under mu_
  Mutex mu_;
  CondVar changed_;
  std::deque<TicketPtr> tickets_ ABSL_GUARDED_BY(mu_);  // in the order of their requests
  std::deque<Outgoing> outbox_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool beat_waits_ ABSL_GUARDED_BY(mu_) = false;  // a heartbeat is in the outbox
  bool reading_ ABSL_GUARDED_BY(mu_) = true;      // false while answers wait to be taken
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  bool opened_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;  // nothing can be sent any more
  bool held_ ABSL_GUARDED_BY(mu_) = true;  // our hold on the reactor, without which no more writes
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::Duration silence_ ABSL_GUARDED_BY(mu_);
  absl::Status lost_ ABSL_GUARDED_BY(mu_);  // why the stream is of no use any more
  std::chrono::steady_clock::time_point last_heard_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate
