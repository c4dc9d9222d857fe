#include "client/api/connection.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/status_from_wire.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// How long an interruption may go unnoticed while it is tried to connect.
constexpr absl::Duration kInterruptible = absl::Milliseconds(50);

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) {
    return std::string();
  }
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return MakeError(
        Reason::kInvalidArgument,
        absl::StrCat("The TLS file ", path, " cannot be read or is empty; check path and rights."));
  }
  return text.str();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const TlsFiles& tls) {
  if (tls.certificate.empty() != tls.key.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "A TLS certificate needs its key and a key its certificate; give both.");
  }
  if (tls.ca.empty() && tls.certificate.empty()) {
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions pem;
  ASSIGN_OR_RETURN(pem.pem_root_certs, ReadPem(tls.ca));
  ASSIGN_OR_RETURN(pem.pem_cert_chain, ReadPem(tls.certificate));
  ASSIGN_OR_RETURN(pem.pem_private_key, ReadPem(tls.key));
  return grpc::SslCredentials(pem);
}

grpc::ChannelArguments ArgumentsOf(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  // A daemon that restarts is back within a second or two; the defaults would leave it alone for
  // up to two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // The service config from DNS would cost a look-up, and HTTP proxies are not for this.
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.tls.server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls.server_name);
  }
  return arguments;
}

absl::Status Unreachable(const ClientOptions& options, std::string_view what) {
  return MakeError(
      Reason::kUnavailable,
      absl::StrCat("The daemon at ", options.address, " ", std::string(what),
                   ". Check that reinstated runs there and that the address is right."));
}

absl::Status Overdue(const ClientOptions& options) {
  return MakeError(Reason::kDeadlineExceeded,
                   absl::StrCat("The daemon at ", options.address, " did not answer within ",
                                absl::FormatDuration(options.timeout), "."));
}

// What a call ends with that was not answered.
absl::Status Unanswered(const absl::Status& status, const std::string& request_id) {
  if (request_id.empty()) {
    return status;
  }
  return MakeErrorFromName(
      status.code(), ReasonOf(status),
      absl::StrCat(status.message(),
                   " It may have taken the order all the same: given again with the request id ",
                   request_id, " it is done once."));
}

// What a call ends with whose last try was answered with `status`, or not at all.
absl::Status EndOf(const ClientOptions& options, const grpc::Status& status,
                   const std::string& request_id) {
  if (IsOverdueCall(status)) {
    return Unanswered(Overdue(options), request_id);
  }
  if (IsLostCall(status) && !IsRefusedCall(status)) {
    return Unanswered(
        Unreachable(options, absl::StrCat("does not answer (", status.error_message(), ")")),
        request_id);
  }
  return StatusFromWire(status);
}

absl::Status AwaitConnected(const ClientOptions& options, grpc::Channel* channel) {
  const auto deadline = absl::ToChronoTime(absl::Now() + options.timeout);
  for (;;) {
    const grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) {
      return absl::OkStatus();
    }
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) {
      return Unreachable(options, "cannot be reached");
    }
    if (!channel->WaitForStateChange(state, deadline)) {
      return Unreachable(
          options, absl::StrCat("did not answer within ", absl::FormatDuration(options.timeout)));
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(ClientOptions options) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                   CredentialsOf(options.tls));
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(options.address, credentials, ArgumentsOf(options));
  RETURN_IF_ERROR(AwaitConnected(options, channel.get()));
  return std::unique_ptr<Connection>(new Connection(std::move(options), std::move(channel)));
}

absl::Status Connection::Call(const std::string& request_id, const Attempt& attempt) {
  const absl::Time deadline = absl::Now() + options_.timeout;
  Backoff backoff;
  Repetitions repetitions(options_);
  for (;;) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    const grpc::Status status = attempt(&context);
    const absl::Duration pause = backoff.Next();
    const bool over = absl::Now() + pause >= deadline || interrupted();
    if (over || !(repetitions.NoteRefused(status) || repetitions.NoteLost(status))) {
      return EndOf(options_, status, request_id);
    }
    Pause(pause);
  }
}

grpc::Status Connection::Stream(absl::Duration limit, const Attempt& attempt) {
  const absl::Time deadline = absl::Now() + options_.timeout;
  Backoff backoff;
  Repetitions repetitions(options_);
  for (;;) {
    grpc::Status status = StreamOnce(limit, attempt);
    const absl::Duration pause = backoff.Next();
    if (!repetitions.NoteRefused(status) || absl::Now() + pause >= deadline || interrupted()) {
      return status;
    }
    Pause(pause);
  }
}

grpc::Status Connection::StreamOnce(absl::Duration limit, const Attempt& attempt) {
  grpc::ClientContext context;
  if (limit != absl::InfiniteDuration()) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + limit));
  }
  {
    MutexLock lock(&mu_);
    if (interrupted_) {
      return {grpc::StatusCode::CANCELLED, "interrupted"};
    }
    streams_.insert(&context);
  }
  grpc::Status status = attempt(&context);
  MutexLock lock(&mu_);
  streams_.erase(&context);
  return status;
}

void Connection::Interrupt() {
  MutexLock lock(&mu_);
  interrupted_ = true;
  for (grpc::ClientContext* context : streams_) {
    context->TryCancel();
  }
  interruption_.SignalAll();
}

bool Connection::interrupted() const {
  MutexLock lock(&mu_);
  return interrupted_;
}

// gRPC goes on with connecting only while somebody waits in one of its calls, or every few seconds.
void Connection::Pause(absl::Duration duration) {
  const absl::Time until = absl::Now() + duration;
  for (;;) {
    const grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    if (state == GRPC_CHANNEL_READY) {
      Sleep(until - absl::Now());
      return;
    }
    const absl::Time look = std::min(until, absl::Now() + kInterruptible);
    channel_->WaitForStateChange(state, absl::ToChronoTime(look));
    if (interrupted() || absl::Now() >= until) {
      return;
    }
  }
}

void Connection::Sleep(absl::Duration duration) {
  const absl::Time until = absl::Now() + duration;
  MutexLock lock(&mu_);
  while (!interrupted_) {
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return;
    }
    interruption_.WaitFor(&mu_, left);
  }
}

bool Repetitions::NoteRefused(const grpc::Status& status) {
  if (!IsRefusedCall(status)) {
    return false;
  }
  if (!std::exchange(told_refusal_, true) && options_.on_refusal) {
    options_.on_refusal(StatusFromWire(status));
  }
  return true;
}

bool Repetitions::NoteLost(const grpc::Status& status) {
  if (!IsLostCall(status)) {
    return false;
  }
  if (!std::exchange(told_loss_, true) && options_.on_loss) {
    options_.on_loss();
  }
  return true;
}

absl::Status InterruptedError() {
  return MakeErrorFromName(absl::StatusCode::kCancelled, kInterruptedReason,
                           "Stopped waiting. What was waited for goes on.");
}

absl::Status SilentError(const ClientOptions& options) {
  return MakeError(Reason::kUnavailable,
                   absl::StrCat("The daemon at ", options.address, " has not answered for ",
                                absl::FormatDuration(options.reconnect_for),
                                ". What was waited for goes on when the daemon is back."));
}

absl::Duration Backoff::Next() { return std::exchange(next_, std::min(next_ * 2, kLongest)); }

}  // namespace reinstate
