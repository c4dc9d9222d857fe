#include "server/rpc/live_session_reactor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/rpc/grpc_status.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

using std::chrono::steady_clock;
using v1::SessionRequest;
using v1::SessionResponse;

// A client may have four requests under way, and one more for each reading.
constexpr size_t kMaxInbox = 32;

// Answers that wait for the client; the session pauses beyond.
constexpr size_t kMaxOutboxBytes = 4 << 20;

// How long the last answers may take to get to a client that is slow or gone.
constexpr absl::Duration kLastWords = absl::Seconds(2);

}  // namespace

LiveSessionReactor::LiveSessionReactor(grpc::CallbackServerContext* context, Parts parts)
    : context_(context),
      parts_(std::move(parts)),
      session_(parts_.find_store, parts_.options,
               [this](SessionResponse response) { return Send(std::move(response)); }) {}

LiveSessionReactor* LiveSessionReactor::Begin(grpc::CallbackServerContext* context, Parts parts,
                                              const absl::Status& admitted) {
  // No make_shared: the constructor is private.
  std::shared_ptr<LiveSessionReactor> reactor(new LiveSessionReactor(context, std::move(parts)));
  reactor->self_ = reactor;
  absl::Status status = admitted;
  if (status.ok()) {
    status = reactor->parts_.sessions->Submit([reactor] { reactor->Work(); });
    if (!status.ok()) {
      reactor->parts_.on_end();
    }
  }
  {
    MutexLock lock(&reactor->mu_);
    if (status.ok()) {
      reactor->last_heard_ = steady_clock::now();
      reactor->SetAlarm(reactor->lease_);
      reactor->StartRead(&reactor->incoming_);
    } else {
      reactor->worked_ = true;
      reactor->AskToEnd(status);
    }
  }
  // Drains it if the daemon does.
  reactor->parts_.registry->Add(reactor);
  return reactor.get();
}

void LiveSessionReactor::OnReadDone(bool ok) {
  MutexLock lock(&mu_);
  if (!ok) {
    AskToEnd(absl::OkStatus());
    return;
  }
  last_heard_ = steady_clock::now();
  Take(std::move(incoming_));
  incoming_.Clear();
  if (!finished_) {
    StartRead(&incoming_);
  }
}

void LiveSessionReactor::Take(SessionRequest request) {
  if (request.has_heartbeat()) {
    if (!std::exchange(alive_waits_, true)) {
      SessionResponse response;
      response.mutable_alive();
      Enqueue(std::move(response));
    }
    return;
  }
  if (request.has_cancel()) {
    CancelSession();
    return;
  }
  if (request.has_open()) {
    // A malformed one is found out by the session.
    lease_ = GrantLease(request.open(), kDefaultSessionLease).value_or(lease_);
    SetAlarm(lease_);
  }
  if (inbox_.size() >= kMaxInbox) {
    AskToEnd(MakeError(Reason::kInvalidArgument,
                       "more requests of a session are under way than the protocol allows"));
    return;
  }
  inbox_.push_back(std::move(request));
  changed_.SignalAll();
}

void LiveSessionReactor::CancelSession() {
  // Not here: a store may have to send something for it.
  parts_.calls->Continue([self = shared_from_this()] { self->session_.Cancel(); });
}

void LiveSessionReactor::AskToEnd(const absl::Status& status) {
  if (ending_.has_value()) {
    return;
  }
  ending_ = status;
  if (!worked_) {
    CancelSession();
  }
  changed_.SignalAll();
  SetAlarm(kLastWords);
  WriteOn();
}

bool LiveSessionReactor::WaitForRequest(SessionRequest* request) {
  MutexLock lock(&mu_);
  while (inbox_.empty() && !ending_.has_value()) {
    changed_.Wait(&mu_);
  }
  if (ending_.has_value()) {
    return false;
  }
  *request = std::move(inbox_.front());
  inbox_.pop_front();
  return true;
}

void LiveSessionReactor::Work() {
  const std::shared_ptr<LiveSessionReactor> self = shared_from_this();
  SessionRequest request;
  absl::Status status;
  while (status.ok() && WaitForRequest(&request)) {
    status = session_.Handle(&request);
  }
  session_.End();
  parts_.on_end();
  MutexLock lock(&mu_);
  worked_ = true;
  AskToEnd(status);
  WriteOn();
}

absl::Status LiveSessionReactor::Send(SessionResponse response) {
  MutexLock lock(&mu_);
  while (outbox_bytes_ > kMaxOutboxBytes && !ending_.has_value()) {
    changed_.Wait(&mu_);
  }
  Enqueue(std::move(response));
  return ending_.has_value() ? MakeError(Reason::kSessionLost, "the session is being ended")
                             : absl::OkStatus();
}

void LiveSessionReactor::Enqueue(SessionResponse response) {
  if (finished_) {
    return;
  }
  outbox_bytes_ += response.ByteSizeLong();
  outbox_.push_back(std::move(response));
  WriteOn();
}

void LiveSessionReactor::WriteOn() {
  if (writing_ || finished_) {
    return;
  }
  if (!outbox_.empty()) {
    outgoing_ = std::move(outbox_.front());
    outbox_.pop_front();
    outbox_bytes_ -= outgoing_.ByteSizeLong();
    alive_waits_ = alive_waits_ && !outgoing_.has_alive();
    writing_ = true;
    changed_.SignalAll();
    StartWrite(&outgoing_);
  } else if (worked_ && ending_.has_value()) {
    finished_ = true;
    Finish(ToGrpcStatus(*ending_));
  }
}

void LiveSessionReactor::OnWriteDone(bool ok) {
  MutexLock lock(&mu_);
  writing_ = false;
  if (!ok) {
    outbox_.clear();
    outbox_bytes_ = 0;
    AskToEnd(MakeError(Reason::kCancelled, "the client has gone"));
  }
  WriteOn();
}

void LiveSessionReactor::SetAlarm(absl::Duration after) {
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(absl::ToChronoTime(absl::Now() + after), [weak = weak_from_this()](bool ok) {
    // Not ok: replaced by another.
    if (const auto self = weak.lock(); self != nullptr && ok) {
      self->OnAlarm();
    }
  });
}

void LiveSessionReactor::OnAlarm() {
  MutexLock lock(&mu_);
  if (finished_) {
    return;
  }
  if (ending_.has_value()) {
    if (worked_) {
      context_->TryCancel();  // the client does not take its last answers
    } else {
      SetAlarm(kLastWords);
    }
    return;
  }
  const absl::Duration left = lease_ - absl::FromChrono(steady_clock::now() - last_heard_);
  if (left > absl::ZeroDuration()) {
    SetAlarm(left);
    return;
  }
  AskToEnd(MakeError(Reason::kSessionLost,
                     absl::StrCat("nothing was heard of the client for its lease of ",
                                  absl::FormatDuration(lease_),
                                  "; what was not committed is "
                                  "rolled back")));
}

void LiveSessionReactor::OnCancel() {
  MutexLock lock(&mu_);
  AskToEnd(MakeError(Reason::kCancelled, "the client has gone"));
}

void LiveSessionReactor::Drain() {
  MutexLock lock(&mu_);
  AskToEnd(ShuttingDown());
}

void LiveSessionReactor::OnDone() {
  parts_.registry->Remove(this);
  // Outlives the lock: this may be the last reference.
  const std::shared_ptr<LiveSessionReactor> last = std::move(self_);
  MutexLock lock(&mu_);
  alarm_ = nullptr;
}

}  // namespace reinstate
