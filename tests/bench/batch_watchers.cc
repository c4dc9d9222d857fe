#include "tests/bench/batch_watchers.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "client/api/status_from_wire.h"
#include "tests/bench/batch_calls.h"

namespace reinstate::bench {
namespace {

// A connection that it shares with nobody.
std::unique_ptr<v1::BatchService::Stub> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::BatchService::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

}  // namespace

// One of them. gRPC's threads call the reactions, one at a time.
class BatchWatchers::Watcher : public grpc::ClientReadReactor<v1::Batch> {
 public:
  Watcher(const std::string& batch, v1::BatchService::Stub* stub) {
    request_.set_batch(batch);
    stub->async()->WatchBatch(&context_, &request_, this);
    StartRead(&batch_);
    StartCall();
  }

  void Cancel() { context_.TryCancel(); }

  // Waits for the end of the watch. Everything below is settled then.
  void Await() {
    MutexLock lock(&mu_);
    while (!done_) {
      end_.Wait(&mu_);
    }
  }
  const absl::Status& status() const { return status_; }
  absl::Time told() const { return told_; }
  int64_t messages() const { return messages_; }
  bool was_there_before() const { return there_before_; }

  void OnReadDone(bool ok) override {
    if (!ok) {
      return;
    }
    ++messages_;
    if (HasEnded(batch_)) {
      told_ = absl::Now();
    } else {
      there_before_ = true;
    }
    StartRead(&batch_);
  }

  void OnDone(const grpc::Status& status) override {
    status_ = StatusFromWire(status);
    MutexLock lock(&mu_);
    done_ = true;
    end_.SignalAll();
  }

 private:
  v1::WatchBatchRequest request_;
  grpc::ClientContext context_;
  v1::Batch batch_;
  absl::Status status_;
  absl::Time told_ = absl::InfiniteFuture();
  int64_t messages_ = 0;
  bool there_before_ = false;

  Mutex mu_;
  CondVar end_;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
};

BatchWatchers::BatchWatchers(const std::string& address, const std::string& batch, int watchers) {
  for (int i = 0; i < kConnections; ++i) {
    stubs_.push_back(Connect(address));
  }
  for (int i = 0; i < watchers; ++i) {
    watchers_.push_back(std::make_unique<Watcher>(batch, stubs_[i % kConnections].get()));
    absl::SleepFor(kBetween);
  }
}

BatchWatchers::~BatchWatchers() {
  for (const auto& watcher : watchers_) {
    watcher->Cancel();
  }
  AwaitAll();
}

void BatchWatchers::AwaitAll() {
  for (const auto& watcher : watchers_) {
    watcher->Await();
  }
}

BatchWatchers::Outcome BatchWatchers::Await() {
  AwaitAll();
  Outcome outcome{.last_told = absl::InfinitePast()};
  for (const auto& watcher : watchers_) {
    outcome.messages += watcher->messages();
    outcome.there_before += watcher->was_there_before() ? 1 : 0;
    if (watcher->told() == absl::InfiniteFuture()) {
      outcome.failure.Update(watcher->status());
      continue;
    }
    ++outcome.told;
    outcome.last_told = std::max(outcome.last_told, watcher->told());
  }
  return outcome;
}

}  // namespace reinstate::bench
