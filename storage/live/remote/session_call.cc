#include "storage/live/remote/session_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/live/remote/wire_status.h"

namespace reinstate {
namespace {

using std::chrono::steady_clock;
using v1::SessionRequest;
using v1::SessionResponse;

// How much of one answer may wait to be taken.
constexpr size_t kMaxWaitingBytes = 8 << 20;

// How long one wait on the condition may be; longer ones go round.
constexpr absl::Duration kLongestWait = absl::Minutes(10);

}  // namespace

std::unique_ptr<SessionCall> SessionCall::Begin(v1::LiveStoreService::Stub* stub,
                                                absl::Duration silence) {
  // No make_unique: the constructor is private.
  std::unique_ptr<SessionCall> call(new SessionCall());
  MutexLock lock(&call->mu_);
  call->silence_ = silence;
  call->last_heard_ = steady_clock::now();
  stub->async()->Session(&call->context_, call.get());
  call->AddHold();
  call->StartRead(&call->incoming_);
  call->StartCall();
  return call;
}

SessionCall::~SessionCall() { Close(absl::ZeroDuration()); }

SessionCall::TicketPtr SessionCall::Send(SessionRequest request,
                                         SessionResponse::ResponseCase expected) {
  // No make_shared: the constructor is private.
  TicketPtr ticket(new Ticket(expected));
  MutexLock lock(&mu_);
  if (lost_.ok()) {
    tickets_.push_back(ticket);
    Enqueue(std::move(request), ticket);
    if (held_) {
      ReadOn();  // it may have paused for an answer that nobody wants any more
    }
  } else {
    ticket->complete_ = true;
    ticket->status_ = lost_;
  }
  return ticket;
}

void SessionCall::Enqueue(SessionRequest request, TicketPtr ticket) {
  if (!broken_ && !closing_) {
    outbox_.push_back({std::move(request), std::move(ticket)});
    WriteOn();
  }
}

void SessionCall::WriteOn() {
  if (writing_) {
    return;
  }
  if (broken_) {
    if (closing_) {
      LetGo();
    }
    return;
  }
  if (outbox_.empty()) {
    if (closing_ && held_) {
      StartWritesDone();
      LetGo();
    }
    return;
  }
  Outgoing next = std::move(outbox_.front());
  outbox_.pop_front();
  outgoing_ = std::move(next.request);
  if (next.ticket != nullptr) {
    next.ticket->fate_ = Fate::kUnanswered;
  } else if (outgoing_.has_heartbeat()) {
    beat_waits_ = false;
  }
  writing_ = true;
  StartWrite(&outgoing_);
}

void SessionCall::LetGo() {
  if (std::exchange(held_, false)) {
    RemoveHold();
  }
}

void SessionCall::OnWriteDone(bool ok) {
  MutexLock lock(&mu_);
  writing_ = false;
  // A stream that takes no more requests may still have answers for us.
  broken_ = broken_ || !ok;
  WriteOn();
}

void SessionCall::ReadOn() {
  const bool pause = !closing_ && !tickets_.empty() && tickets_.front().use_count() > 1 &&
                     tickets_.front()->waiting_bytes_ >= kMaxWaitingBytes;
  if (!reading_ && !pause) {
    reading_ = true;
    StartRead(&incoming_);
  }
}

void SessionCall::OnReadDone(bool ok) {
  MutexLock lock(&mu_);
  last_heard_ = steady_clock::now();
  if (!ok) {
    // The reason comes with OnDone.
    broken_ = true;
    LetGo();
    return;
  }
  reading_ = false;
  if (lost_.ok() && !closing_) {
    Deliver(std::move(incoming_));
  }
  incoming_.Clear();
  ReadOn();
}

void SessionCall::Deliver(SessionResponse response) {
  if (response.has_alive()) {
    return;
  }
  if (tickets_.empty() || tickets_.front()->fate_ == Fate::kUnsent) {
    AbortLocked(live_wire::ProtocolBroken("it answers though nothing was asked"));
    return;
  }
  const TicketPtr ticket = tickets_.front();
  if (response.has_failed()) {
    tickets_.pop_front();
    ticket->complete_ = true;
    ticket->fate_ = Fate::kAnswered;
    ticket->status_ = live_wire::FromFailure(response.failed());
  } else if (response.response_case() != ticket->expected_) {
    AbortLocked(
        live_wire::ProtocolBroken(absl::StrCat("an answer is of kind ", response.response_case(),
                                               " where ", ticket->expected_, " is due")));
  } else {
    DeliverTo(*ticket, std::move(response));
  }
  changed_.SignalAll();
}

void SessionCall::DeliverTo(Ticket& ticket, SessionResponse response) {
  opened_ = opened_ || response.has_opened();
  if (!response.has_looked_up() || response.looked_up().last()) {
    ticket.complete_ = true;
    ticket.fate_ = Fate::kAnswered;
    tickets_.pop_front();
  }
  ticket.waiting_bytes_ += response.ByteSizeLong();
  ticket.answers_.push_back(std::move(response));
}

SessionResponse SessionCall::TakeAnswer(Ticket& ticket) {
  SessionResponse answer = std::move(ticket.answers_.front());
  ticket.answers_.pop_front();
  ticket.waiting_bytes_ -= answer.ByteSizeLong();
  if (held_) {
    ReadOn();
  }
  return answer;
}

absl::Status SessionCall::NoMoreOf(const Ticket& ticket) {
  return ticket.status_.ok() ? MakeError(Reason::kInternal, "an answer was asked for twice")
                             : ticket.status_;
}

absl::StatusOr<SessionResponse> SessionCall::Next(Ticket& ticket, const Patience& patience) {
  const auto start = steady_clock::now();
  const absl::Duration longest = patience.should_end ? kAskShouldEndEvery : kLongestWait;
  while (true) {
    // Without our lock, since it may take one of its own.
    if (absl::Status end = AskShouldEnd(patience.should_end); !end.ok()) {
      Abort(end);
      return end;
    }
    MutexLock lock(&mu_);
    if (absl::Status interrupted = CheckInterrupted();
        !interrupted.ok() && !patience.uninterrupted) {
      return interrupted;
    }
    if (!ticket.answers_.empty()) {
      return TakeAnswer(ticket);
    }
    if (ticket.complete_) {
      return NoMoreOf(ticket);
    }
    const absl::Duration left = patience.timeout - absl::FromChrono(steady_clock::now() - start);
    if (left <= absl::ZeroDuration()) {
      AbortLocked(MakeError(Reason::kSessionLost, "the store's server did not answer in time"));
      return lost_;
    }
    changed_.WaitFor(&mu_, std::min(left, longest));
  }
}

SessionCall::Fate SessionCall::FateOf(const Ticket& ticket) {
  MutexLock lock(&mu_);
  return ticket.fate_;
}

void SessionCall::SetSilence(absl::Duration silence) {
  MutexLock lock(&mu_);
  silence_ = silence;
}

absl::Status SessionCall::CheckInterrupted() const {
  return interrupted_ ? MakeError(Reason::kCancelled, "the session was cancelled")
                      : absl::OkStatus();
}

void SessionCall::InterruptWaits() {
  MutexLock lock(&mu_);
  interrupted_ = true;
  changed_.SignalAll();
  SessionRequest request;
  request.mutable_cancel();
  Enqueue(std::move(request), nullptr);
}

void SessionCall::Beat() {
  MutexLock lock(&mu_);
  if (broken_ || closing_) {
    return;
  }
  // While reading pauses it is we who do not listen.
  if (reading_ && absl::FromChrono(steady_clock::now() - last_heard_) > silence_) {
    AbortLocked(
        MakeError(opened_ ? Reason::kSessionLost : Reason::kUnavailable,
                  absl::StrCat("the store's server has not been heard for ",
                               absl::FormatDuration(silence_), "; the session counts as lost")));
    return;
  }
  if (!std::exchange(beat_waits_, true)) {
    SessionRequest request;
    request.mutable_heartbeat();
    Enqueue(std::move(request), nullptr);
  }
}

void SessionCall::Abort(const absl::Status& reason) {
  MutexLock lock(&mu_);
  AbortLocked(reason);
}

void SessionCall::AbortLocked(const absl::Status& reason) {
  if (lost_.ok()) {
    lost_ = reason;
  }
  broken_ = true;
  outbox_.clear();
  Complete(lost_);
  context_.TryCancel();
  LetGo();
}

void SessionCall::Complete(const absl::Status& status) {
  for (const TicketPtr& ticket : tickets_) {
    ticket->complete_ = true;
    ticket->status_ = status;
  }
  tickets_.clear();
  changed_.SignalAll();
}

void SessionCall::Close(absl::Duration timeout) {
  const auto start = steady_clock::now();
  MutexLock lock(&mu_);
  closing_ = true;
  outbox_.clear();
  if (held_) {
    ReadOn();
  }
  WriteOn();
  while (!done_) {
    const absl::Duration left = timeout - absl::FromChrono(steady_clock::now() - start);
    if (left <= absl::ZeroDuration()) {
      break;
    }
    changed_.WaitFor(&mu_, std::min(left, kLongestWait));
  }
  if (!done_) {
    AbortLocked(MakeError(Reason::kSessionLost, "the session was not ended in time"));
  }
  while (!done_) {
    changed_.Wait(&mu_);
  }
}

void SessionCall::OnDone(const grpc::Status& status) {
  // All of it under the lock: once that is free and `done_` is seen, this may be destroyed.
  MutexLock lock(&mu_);
  done_ = true;
  broken_ = true;
  if (lost_.ok()) {
    lost_ = status.ok() ? MakeError(Reason::kUnavailable, "the store's server ended the stream")
                        : live_wire::FromGrpcStatus(status);
    if (opened_) {
      lost_ = MakeError(Reason::kSessionLost,
                        absl::StrCat("the session with the store broke off: ", lost_.message()));
    }
  }
  Complete(lost_);
  changed_.SignalAll();
}

}  // namespace reinstate
