#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/api/client.h"
#include "client/api/connection.h"
#include "client/api/status_from_wire.h"
#include "storage/base/status_macros.h"

namespace reinstate {

// Follows watches of one thing, one after the other while they break, until one has shown a final
// state. For client/api only. Used once; not thread-safe. Borrows what it is given.
template <typename Message>
class WatchFollower {
 public:
  WatchFollower(Connection* connection, const ReinstateClient::WaitObserver<Message>& observer)
      : connection_(connection), observer_(observer), last_answer_(absl::Now()) {}

  // `open` begins a watch: a grpc::ClientReader<Message> for a context. Errors as of the Wait…
  // calls of ReinstateClient.
  template <typename Open>
  absl::StatusOr<Message> Follow(const Open& open) {
    for (;;) {
      heard_ = false;
      const grpc::Status status = connection_->Stream(kRenewal, [&](grpc::ClientContext* context) {
        const auto reader = open(context);
        for (Message message; reader->Read(&message);) {
          Take(message);
        }
        return reader->Finish();
      });
      if (final_state_.has_value()) {
        return *std::move(final_state_);
      }
      if (connection_->interrupted()) {
        return InterruptedError();
      }
      RETURN_IF_ERROR(PrepareNext(status));
    }
  }

 private:
  // A watch is renewed this often. Its first message is the present state, so one that stays silent
  // for that long has lost the daemon, even if the network does not say so.
  static constexpr absl::Duration kRenewal = absl::Minutes(1);

  void Take(const Message& message) {
    heard_ = true;
    last_answer_ = absl::Now();
    SetAnswering(true, absl::OkStatus());
    if (observer_.on_update) {
      observer_.on_update(message);
    }
    if (IsFinal(message)) {
      final_state_ = message;
    }
  }

  // Tells the one who waits when the daemon stops and begins to answer, once each.
  void SetAnswering(bool answering, const absl::Status& why) {
    if (std::exchange(answering_, answering) != answering && observer_.on_connection) {
      observer_.on_connection(why);
    }
  }

  // After a watch that ended as `status` without a final state: waits until it is time for the next
  // one, or says why there is none.
  absl::Status PrepareNext(const grpc::Status& status) {
    const bool renewed = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    if (renewed && heard_) {
      return absl::OkStatus();
    }
    if (!status.ok() && !renewed && !IsLostCall(status)) {
      return StatusFromWire(status);
    }
    if (heard_) {
      backoff_.Reset();
    }
    SetAnswering(false, status.ok() ? absl::UnavailableError("The watch ended before its time.")
                                    : StatusFromWire(status));
    if (absl::Now() - last_answer_ > connection_->options().reconnect_for) {
      return SilentError(connection_->options());
    }
    connection_->Pause(backoff_.Next());
    return absl::OkStatus();
  }

  Connection* const connection_;
  const ReinstateClient::WaitObserver<Message>& observer_;

  Backoff backoff_;
  bool answering_ = true;
  bool heard_ = false;  // in the present watch
  absl::Time last_answer_;
  std::optional<Message> final_state_;
};

}  // namespace reinstate
