#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/jobs/batch_view.h"
#include "server/jobs/job_watchers.h"
#include "server/rpc/stream_source.h"
#include "storage/base/mutex.h"

namespace reinstate {

// The present state of batches for all who watch them: however many watch one, its state is built
// and encoded once, on one thread; at most every `interval`, and at once when the batch goes into
// another state.
//
// Thread-safe. Outlives the streams that it makes.
class BatchBroadcast {
 public:
  // The state of a batch as everybody who watches it is sent it.
  struct Edition {
    BatchStamp stamp;
    std::string message;  // serialised
    bool final = false;   // nothing comes after it
  };

  struct Options {
    // BATCH_NOT_FOUND. Cheap.
    std::function<absl::StatusOr<BatchStamp>(const std::string& batch)> stamp;
    // An error ends the streams.
    std::function<absl::StatusOr<Edition>(const std::string& batch)> build;
    // As BatchManager::Watch.
    std::function<std::shared_ptr<void>(const std::string& batch, std::function<void()> on_change)>
        watch;
    absl::Duration interval = absl::Milliseconds(500);
  };

  explicit BatchBroadcast(Options options);
  ~BatchBroadcast();
  BatchBroadcast(const BatchBroadcast&) = delete;
  BatchBroadcast& operator=(const BatchBroadcast&) = delete;

  // The states of a batch until it has ended, that at the time of the call or a later one first,
  // in which only the progress may be `interval` old; states that were overtaken are left out. Its
  // start fails with BATCH_NOT_FOUND.
  std::unique_ptr<StreamSource> Follow(const std::string& batch);

 private:
  class Follower;
  struct Topic;

  std::shared_ptr<Topic> Join(const std::string& batch);
  void Leave(std::shared_ptr<Topic> topic);
  // Somebody needs to be shown the batch; it may have changed, of which others are told within some
  // milliseconds. Quick.
  void LookNow(const std::string& batch);
  void LookSoon(const std::string& batch);
  // Unless it is to be looked at sooner.
  void LookAt(const std::string& batch, absl::Time time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Waits for the next batch that is due; null once this stops.
  std::shared_ptr<Topic> TakeDue();
  void Run();
  // Builds the state if it is time to; else returns when it will be.
  std::optional<absl::Time> Update(Topic* topic);

  const Options options_;
  JobWatchers followers_;
  Mutex mu_;
  CondVar changed_;
  std::map<std::string, std::weak_ptr<Topic>> topics_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, absl::Time> due_ ABSL_GUARDED_BY(mu_);     // batch -> when to look at it
  absl::Time looked_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();  // last, at any of them
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace reinstate
