#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/api/client.h"
#include "storage/base/mutex.h"

namespace reinstate {

// A channel to the daemon, and what repeats calls that it lost. For client/api only. Thread-safe.
class Connection {
 public:
  // One try of a call, with a context of its own.
  using Attempt = std::function<grpc::Status(grpc::ClientContext*)>;

  // See ReinstateClient::Connect.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(ClientOptions options);

  const ClientOptions& options() const { return options_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Makes a unary call: repeats `attempt` while it gets lost or is refused, until the timeout. What
  // it ends with if there is no answer names `request_id`, unless that is empty.
  absl::Status Call(const std::string& request_id, const Attempt& attempt);

  // Makes one try of a call that ends by itself, by Interrupt(), or after `limit`; more than one
  // only while it is refused before it begins, until the timeout.
  grpc::Status Stream(absl::Duration limit, const Attempt& attempt);

  // Ends all streams, present and future, and Pause.
  void Interrupt();
  bool interrupted() const;

  // Waits for `duration` before the next try, and connects meanwhile if the connection is lost;
  // returns early after Interrupt().
  void Pause(absl::Duration duration);

 private:
  Connection(ClientOptions options, std::shared_ptr<grpc::Channel> channel)
      : options_(std::move(options)), channel_(std::move(channel)) {}

  void Sleep(absl::Duration duration);
  grpc::Status StreamOnce(absl::Duration limit, const Attempt& attempt);

  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;

  mutable Mutex mu_;
  CondVar interruption_;
  bool interrupted_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> streams_ ABSL_GUARDED_BY(mu_);
};

// Says once of a call that it is repeated since it was refused, and once since it was lost. Not
// thread-safe.
class Repetitions {
 public:
  explicit Repetitions(const ClientOptions& options) : options_(options) {}
  // Whether `status` is of a refused call, or of a lost one.
  bool NoteRefused(const grpc::Status& status);
  bool NoteLost(const grpc::Status& status);

 private:
  const ClientOptions& options_;
  bool told_refusal_ = false;
  bool told_loss_ = false;
};

// What a wait ends with after Interrupt(), and when the daemon has not answered for too long.
absl::Status InterruptedError();
absl::Status SilentError(const ClientOptions& options);

// The pauses between tries: they grow, so that a daemon that comes back is noticed soon and one
// that does not is left in peace.
class Backoff {
 public:
  absl::Duration Next();
  void Reset() { next_ = kFirst; }

 private:
  static constexpr absl::Duration kFirst = absl::Milliseconds(50);
  static constexpr absl::Duration kLongest = absl::Seconds(1);

  absl::Duration next_ = kFirst;
};

}  // namespace reinstate
