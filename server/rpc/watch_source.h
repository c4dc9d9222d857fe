#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/rpc/stream_source.h"

namespace reinstate {

// The present state of a job and every change of it, until it is final; states that were overtaken
// are left out. `Message` is the job's resource.
template <typename Message>
class WatchSource final : public StreamSource {
 public:
  struct State {
    Message message;
    bool final = false;  // nothing comes after it
  };
  // As RestoreManager::WatchJob, for this job.
  using Watch = std::function<std::shared_ptr<void>(std::function<void()> on_change)>;
  using Fetch = std::function<absl::StatusOr<State>()>;

  // Who watches for long hears of changes every `longest_interval` at most.
  WatchSource(Watch watch, Fetch fetch, absl::Duration longest_interval = absl::Milliseconds(100))
      : watch_(std::move(watch)), fetch_(std::move(fetch)), longest_interval_(longest_interval) {}

  absl::Status Start(std::function<void()> wake) override {
    started_ = absl::Now();
    // Before the first look, so that no change falls in between.
    guard_ = watch_(std::move(wake));
    return absl::OkStatus();
  }

  absl::StatusOr<Produced> Next(google::protobuf::Message* message) override {
    if (ended_) {
      return Produced::kEnd;
    }
    absl::StatusOr<State> state = fetch_();
    if (!state.ok()) {
      return state.status();
    }
    ended_ = state->final;
    std::string bytes = state->message.SerializeAsString();
    if (!ended_ && bytes == last_) {
      return Produced::kNothingYet;
    }
    last_ = std::move(bytes);
    *static_cast<Message*>(message) = std::move(state->message);
    return Produced::kMessage;
  }

  // Who watches something short hears of its end at once.
  absl::Duration MinInterval() const override {
    return std::min((absl::Now() - started_) / 8, longest_interval_);
  }

 private:
  const Watch watch_;
  const Fetch fetch_;
  const absl::Duration longest_interval_;
  absl::Time started_;
  std::string last_;  // what was sent last
  bool ended_ = false;
  std::shared_ptr<void> guard_;
};

}  // namespace reinstate
