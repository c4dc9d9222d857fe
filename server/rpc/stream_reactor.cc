#include "server/rpc/stream_reactor.h"

#include <google/protobuf/message.h>

#include <utility>

#include "server/rpc/call.h"
#include "server/rpc/grpc_status.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

absl::Status ClientHasGone() {
  return MakeError(Reason::kCancelled, "The client has ended the call.");
}

}  // namespace

StreamReactor* StreamReactor::Begin(RpcPool* pool, CallRegistry* registry,
                                    const google::protobuf::Message* response,
                                    MakeSource make_source) {
  // No make_shared: the constructor is private.
  std::shared_ptr<StreamReactor> reactor(new StreamReactor(pool, registry, response));
  reactor->self_ = reactor;
  registry->Add(reactor);
  absl::Status status = registry->CheckOpen();
  if (status.ok()) {
    status = pool->Submit(
        [reactor, make_source = std::move(make_source)] { reactor->Open(make_source); });
  }
  if (!status.ok()) {
    reactor->End(status);
  }
  return reactor.get();
}

void StreamReactor::Open(const MakeSource& make_source) {
  absl::StatusOr<std::unique_ptr<StreamSource>> source = make_source();
  if (!source.ok()) {
    End(source.status());
    return;
  }
  source_ = *std::move(source);
  const absl::Status started = source_->Start([weak = weak_from_this()] {
    if (const auto reactor = weak.lock(); reactor != nullptr) {
      reactor->Wake();
    }
  });
  if (!started.ok()) {
    End(started);
    return;
  }
  Step();
}

void StreamReactor::Step() {
  while (true) {
    std::optional<absl::Status> ending;
    {
      MutexLock lock(&mu_);
      ending = ending_;
      woken_ = false;
    }
    if (ending.has_value()) {
      End(*ending);
      return;
    }
    const std::unique_ptr<google::protobuf::Message> message(response_->New());
    const absl::StatusOr<Produced> produced = source_->Next(message.get());
    if (!produced.ok() || *produced == Produced::kEnd) {
      End(produced.status());
      return;
    }
    if (*produced == Produced::kMessage) {
      const grpc::ByteBuffer* const encoded = source_->Encoded();
      Write(encoded != nullptr ? *encoded : EncodeResponse(*message));
      return;
    }
    MutexLock lock(&mu_);
    if (!woken_ && !ending_.has_value()) {
      busy_ = false;
      return;
    }
  }
}

void StreamReactor::Write(const grpc::ByteBuffer& message) {
  message_ = message;
  // The lock hands what this step did over to the next one, whichever thread that runs on.
  MutexLock lock(&mu_);
  StartWrite(&message_);
}

void StreamReactor::End(const absl::Status& status) {
  // Here, on the pool, since what it closes may block.
  source_.reset();
  {
    MutexLock lock(&mu_);
    finished_ = true;
  }
  Finish(ToGrpcStatus(status));
}

void StreamReactor::OnWriteDone(bool ok) {
  {
    MutexLock lock(&mu_);
    if (!ok) {
      ending_ = ClientHasGone();
    }
  }
  const absl::Duration pause = source_->MinInterval();
  if (ok && pause > absl::ZeroDuration()) {
    Pause(pause);
  } else {
    ContinueWithStep();
  }
}

void StreamReactor::Pause(absl::Duration pause) {
  alarm_ = std::make_unique<grpc::Alarm>();
  // Not a shared pointer: an alarm keeps its function, and this keeps the alarm. The call is not
  // done before whoever is busy, here the alarm, has ended it.
  alarm_->Set(absl::ToChronoTime(absl::Now() + pause), [this](bool) { ContinueWithStep(); });
}

void StreamReactor::ContinueWithStep() {
  pool_->Continue([self = shared_from_this()] { self->Step(); });
}

void StreamReactor::Wake() {
  {
    MutexLock lock(&mu_);
    woken_ = true;
    if (busy_ || finished_) {
      return;
    }
    busy_ = true;
  }
  ContinueWithStep();
}

void StreamReactor::AskToEnd(const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    if (!ending_.has_value()) {
      ending_ = status;
    }
    if (busy_ || finished_) {
      return;
    }
    busy_ = true;
  }
  ContinueWithStep();
}

void StreamReactor::Drain() { AskToEnd(ShuttingDown()); }

void StreamReactor::OnCancel() { AskToEnd(ClientHasGone()); }

void StreamReactor::OnDone() {
  registry_->Remove(this);
  const std::shared_ptr<StreamReactor> last = std::move(self_);
}

}  // namespace reinstate
